"""Writes a run's curves as TensorBoard's event files, by the writer that TensorBoard itself brings; no torch.

A follower of the journal: the trainer knows nothing of it, and a run of last week can be written as well.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from tinygpt_tui.errors import storage_error
from tinygpt_tui.exports.measured import measured
from tinygpt_tui.packages import require
from tinygpt_tui.runs.folder import RunFolder


def write_tensorboard(run: RunFolder, folder: Path, *, follow: bool = False) -> int:
    """Write all that the journal tells, and with `follow` what comes until the run ends; return how many values.

    Raises UsageError where TensorBoard is not installed, StorageError.
    """
    writer_of, event_of, summary_of = _parts()
    try:
        writer = writer_of(str(folder))
    except OSError as error:
        raise storage_error(error, folder) from error
    began, count = run.read_settings().created, 0
    try:
        for one in measured(run, follow=follow):
            if one is None:
                writer.flush()
                continue
            for name, value in one.values.items():
                summary = summary_of(value=[summary_of.Value(tag=name, simple_value=value)])
                writer.add_event(event_of(wall_time=began + one.elapsed_s, step=one.step, summary=summary))
                count += 1
    finally:
        writer.close()
    return count


def _parts() -> tuple[Any, Any, Any]:
    """Return TensorBoard's writer of event files, its Event and its Summary."""
    require("tensorboard", "writing for TensorBoard")
    writer = importlib.import_module("tensorboard.summary.writer.event_file_writer")
    event = importlib.import_module("tensorboard.compat.proto.event_pb2")
    summary = importlib.import_module("tensorboard.compat.proto.summary_pb2")
    return writer.EventFileWriter, event.Event, summary.Summary
