"""The end of a training: how sure the best weights are is set right, on text that no step has read."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator
from pathlib import Path

import msgspec

from tinygpt_tui.checkpoints.calibrated import folded
from tinygpt_tui.checkpoints.card import read_config
from tinygpt_tui.checkpoints.native import checkpoint_of
from tinygpt_tui.checkpoints.stored import read_folder
from tinygpt_tui.checkpoints.torch_net import torch_forward
from tinygpt_tui.corpora.aside import TOO_SHORT
from tinygpt_tui.events.training import Note, Progress, TrainingEvent
from tinygpt_tui.foreign.losses import pieces_of
from tinygpt_tui.generation.calibration import Fit, fitting
from tinygpt_tui.platforms import own_command
from tinygpt_tui.settings.model_config import Calibration
from tinygpt_tui.tokenizers.ids import Ids
from tinygpt_tui.training.evaluations import PROGRESS_S
from tinygpt_tui.training.loop import Training


def calibrating(
    model: Path, training: Training, aside: Ids
) -> Generator[TrainingEvent, None, tuple[Calibration, float] | None]:
    """Fit the best weights, those of the folder `model`, on `aside` (K,); return that and the validation loss with it.

    None if the weights are calibrated already, nothing was set aside, or a stop came before the end.
    """
    stored = read_folder(model)
    if not len(aside) or read_config(model).calibration is not None:
        return None
    settings = training.settings.architecture
    forward = torch_forward(checkpoint_of(stored, training.device).model)
    found: list[Fit] = []

    def pieces() -> Generator[float, None, None]:
        windows = pieces_of(aside, settings.block_size, settings.vocab_size, training.corpus.replies)
        found.append((yield from fitting(forward, windows)))

    reported_at = time.monotonic()
    for share in training.commands.until_late(pieces()):
        if time.monotonic() - reported_at > PROGRESS_S:
            reported_at = time.monotonic()
            yield Progress(training.step, "calibration", share)
    if found and not found[0].tokens:  # no reply is among them
        yield Note(training.step, TOO_SHORT)
        return None
    if found:
        fit = found[0]
        text = f"{fit.tokens:,} tokens at the end of the training part, which no step has read"
        calibration = Calibration(logit_scale=fit.logit_scale, tokens=fit.tokens, text=text)
        config, weights = folded(msgspec.structs.replace(stored.config, calibration=calibration), stored.weights)
        calibrated = checkpoint_of(dataclasses.replace(stored, config=config, weights=weights), training.device)
        loss = yield from training.evaluations.measure_again(calibrated.model, training.step)
        if loss is not None:
            return calibration, loss
    yield Note(training.step, f"stopped before it was calibrated: {own_command('calibrate', model.name)} does it")
    return None
