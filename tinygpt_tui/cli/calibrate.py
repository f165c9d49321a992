"""tinygpt-tui calibrate: set right how sure a model is, without training."""

from __future__ import annotations

import argparse

from tinygpt_tui.cli.flags import add_corpus_flags
from tinygpt_tui.cli.output import notify, write, write_data
from tinygpt_tui.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a model's name, as `tinygpt-tui models` lists it, or its folder")
    words = "a text that the model has not read (default: what its run left unread):"
    add_corpus_flags(parser, required=False, words=words)
    parser.add_argument("--dry-run", action="store_true", help="measure, and write nothing")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Measure and write. Raises NotFoundError, UsageError, CheckpointError, CorpusError, StorageError."""
    from tinygpt_tui.checkpoints.calibrated import write_calibration
    from tinygpt_tui.checkpoints.library import find_model
    from tinygpt_tui.cli.reading import open_corpus, with_progress
    from tinygpt_tui.runs.manage import is_own
    from tinygpt_tui.workers.calibrator import calibrating

    model = find_model(arguments.model)
    if not arguments.dry_run and not is_own(model):
        raise UsageError(f"{model.name} is not one of your models", "measure it without writing: add --dry-run")
    text = open_corpus(arguments)[1] if arguments.corpus else None
    found = with_progress(calibrating(model, text), f"measuring {model.name}")
    calibration, before, after = found.calibration, found.before, found.after
    if not arguments.dry_run:
        write_calibration(model, calibration, found.validation_loss)
    if arguments.json:
        import json

        figures = {
            name: {
                "confidence": one.confidence,
                "accuracy": one.accuracy,
                "calibration_error": one.error,
                "loss": one.loss,
            }
            for name, one in (("before", before), ("after", after))
        }
        write_data(json.dumps({"logit_scale": calibration.logit_scale, "text": calibration.text, **figures}) + "\n")
        return 0
    notify(f"logits × {calibration.logit_scale:.3f}, decided by {calibration.text}")
    write(
        f"confidence {before.confidence:.1%} → {after.confidence:.1%}: the mean probability of the most likely token\n"
        f"accuracy {after.accuracy:.1%}: how often that token comes next\n"
        f"expected calibration error {before.error:.1%} → {after.error:.1%}\n"
        f"loss {before.loss:.4f} → {after.loss:.4f} nats per token\n"
    )
    return 0
