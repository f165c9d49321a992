"""Calibrate a model that is trained already, on text that it has not read."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinygpt_tui.checkpoints.card import is_native
from tinygpt_tui.checkpoints.engines import forward_of
from tinygpt_tui.checkpoints.stored import StoredModel, read_folder
from tinygpt_tui.corpora.aside import set_aside
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.corpora.replies import Replies
from tinygpt_tui.errors import NotFoundError, UsageError
from tinygpt_tui.foreign.losses import Forward, Piece, pieces_of
from tinygpt_tui.generation.calibration import Reliability, fitting, halves, measuring
from tinygpt_tui.planning.evaluation_plan import MOST_JUDGED
from tinygpt_tui.platforms import own_command
from tinygpt_tui.progress import part
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.texts import text_of
from tinygpt_tui.settings.model_config import Calibration
from tinygpt_tui.tokenizers.documents import BOUNDARY
from tinygpt_tui.tokenizers.ids import Ids

ASIDE = "at the end of the training part, which no step has read"
MOST_CHARACTERS = 1 << 24  # of another text
HALF = "of the validation part: every second window; the others judge"


@dataclass(frozen=True)
class Calibrated:
    """What was found; `before` and `after` are of other tokens than those that decided it.

    `validation_loss` is of the whole validation part, or of about MOST_JUDGED tokens of a longer one; None where
    another text decided.
    """

    calibration: Calibration
    before: Reliability
    after: Reliability
    validation_loss: float | None


def reliability_of(model: Path) -> Generator[float, None, Reliability]:
    """Yield the share that is done, and return how sure and how right a model is on its validation part, as it is.

    Raises NotFoundError where its text is not here, CheckpointError, CorpusError, StorageError, MissingPackageError.
    """
    stored = read_folder(model)
    run = RunFolder(model).read_settings()
    corpus = text_of(run.corpus).split(run.training, stored.tokenizer)
    (result,) = yield from measuring(_forward(stored, model), _windows(stored, corpus.validation))
    return result


def calibrating(model: Path, text: CorpusText | None = None) -> Generator[float, None, Calibrated]:
    """Yield the share that is done, and return what fits the weights in the folder `model`; nothing is written.

    What the training set aside decides, else every second window of its validation part, or of another `text`. Raises
    as `reliability_of`; UsageError for a model that is not a folder of ours.
    """
    if not is_native(model):
        keep = own_command("open", str(model), "--keep", "NAME")
        raise UsageError(f"{model.name} is another program's file", f"keep it as a model first: {keep}")
    raw = read_folder(model, calibrated=False)
    forward = _forward(raw, model)
    deciding, judging, words = _texts(model, raw, text)
    fit = yield from part(fitting(forward, deciding), 0, 1 / 2)
    if not fit.tokens:
        raise UsageError("nothing in this text is learned: no reply is in it", "name a text with --corpus")
    before, after = yield from part(measuring(forward, judging, (1.0, fit.logit_scale)), 1 / 2)
    loss = None
    if text is None:
        # The windows that decided are of the validation part, too, if nothing was set aside.
        others = 0 if words is ASIDE else fit.tokens
        judged = int(after.tokens.sum())
        loss = (after.loss * judged + fit.calibrated_loss * others) / (judged + others)
    calibration = Calibration(logit_scale=fit.logit_scale, tokens=fit.tokens, text=f"{fit.tokens:,} tokens {words}")
    return Calibrated(calibration, before, after, loss)


def _texts(model: Path, stored: StoredModel, text: CorpusText | None) -> tuple[list[Piece], list[Piece], str]:
    """Return the windows that decide, those that judge, and what the former are."""
    if text is not None:
        ids = stored.tokenizer.encode(text.beginning(MOST_CHARACTERS).replace(BOUNDARY, "\n"))
        return *halves(_windows(stored, np.array(ids, dtype=np.int64))), "of another text: every second window"
    try:
        run = RunFolder(model).read_settings()
    except NotFoundError:
        other = own_command("calibrate", model.name, "--corpus", "FILE")
        raise UsageError(f"{model.name} was not trained here", f"name a text that it has not read: {other}") from None
    corpus = text_of(run.corpus).split(run.training, stored.tokenizer)
    _, aside = set_aside(corpus, run.training.calibration_share, run.training.architecture.training_length)
    if len(aside):
        return _windows(stored, aside), _windows(stored, corpus.validation), ASIDE
    return *halves(_windows(stored, corpus.validation)), HALF


def _windows(stored: StoredModel, ids: Ids) -> list[Piece]:
    """Return all windows of `ids`, or evenly spread ones where they are more than a final evaluation reads."""
    architecture = stored.config.architecture
    pieces = pieces_of(ids, architecture.block_size, architecture.vocab_size, Replies.of(stored.tokenizer))
    return pieces[:: math.ceil(len(ids) / MOST_JUDGED) or 1]


def _forward(stored: StoredModel, model: Path) -> Forward:
    return forward_of(stored.config.architecture, stored.weights, model.name)
