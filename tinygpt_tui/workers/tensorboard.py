"""Writes a run's curves as TensorBoard's event files, by the writer that TensorBoard itself brings; no torch.

A follower of the journal: the trainer knows nothing of it, and a run of last week can be written as well.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinygpt_tui.errors import UsageError, storage_error
from tinygpt_tui.events.training import Evaluation, Step, TrainingEvent
from tinygpt_tui.runs.control import live_status
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.journal import JournalFollower

LOOK_EVERY_S = 1.0
HINT = "pip install tensorboard"


def write_tensorboard(run: RunFolder, folder: Path, *, follow: bool = False) -> int:
    """Write all that the journal tells, and with `follow` what comes until the run ends; return how many values.

    Raises UsageError where TensorBoard is not installed, StorageError.
    """
    writer_of, event_of, summary_of = _parts()
    try:
        writer = writer_of(str(folder))
    except OSError as error:
        raise storage_error(error, folder) from error
    began = run.read_settings().created
    journal, count, elapsed_s = JournalFollower(run.events), 0, 0.0
    try:
        while True:
            live = live_status(run) is not None
            for event in journal.poll():
                if isinstance(event, Step):
                    elapsed_s = event.elapsed_s
                for name, value in scalars(event):
                    summary = summary_of(value=[summary_of.Value(tag=name, simple_value=value)])
                    writer.add_event(event_of(wall_time=began + elapsed_s, step=event.step, summary=summary))
                    count += 1
            if not follow or not live:
                return count
            writer.flush()
            time.sleep(LOOK_EVERY_S)
    finally:
        writer.close()


def scalars(event: TrainingEvent) -> Iterator[tuple[str, float]]:
    """Yield name and value of what an event measured."""
    if isinstance(event, Step):
        yield "loss/train", event.loss
        yield "learning_rate", event.learning_rate
        yield "gradient_norm", event.gradient_norm
        yield "tokens_per_s", event.tokens_per_s
    elif isinstance(event, Evaluation):
        yield "loss/validation", event.validation_loss


def _parts() -> tuple[Any, Any, Any]:
    """Return TensorBoard's writer of event files, its Event and its Summary."""
    try:
        writer = importlib.import_module("tensorboard.summary.writer.event_file_writer")
        event = importlib.import_module("tensorboard.compat.proto.event_pb2")
        summary = importlib.import_module("tensorboard.compat.proto.summary_pb2")
    except ImportError:
        raise UsageError("TensorBoard is not installed", HINT) from None
    return writer.EventFileWriter, event.Event, summary.Summary
