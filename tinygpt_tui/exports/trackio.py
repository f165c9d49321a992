"""Writes a run's curves into trackio's own store, by trackio itself; a follower of the journal, no torch."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from tinygpt_tui.exports.measured import measured
from tinygpt_tui.packages import require
from tinygpt_tui.runs.folder import RunFolder


def write_trackio(run: RunFolder, folder: Path, *, follow: bool = False) -> int:
    """Write all that the journal tells into the store in `folder`, under the corpus' name as the project.

    With `follow` what comes until the run ends, too. Returns how many values. Raises MissingPackageError.
    """
    settings, count = run.read_settings(), 0
    trackio = _trackio(folder)
    with contextlib.redirect_stdout(sys.stderr):  # it greets
        trackio.init(
            project=settings.corpus.name,
            name=run.model.name,
            config=msgspec.to_builtins(settings.training),
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        try:
            for one in measured(run, follow=follow):
                if one is not None:
                    trackio.log(one.values, step=one.step)
                    count += len(one.values)
        finally:
            trackio.finish()
    return count


def _trackio(folder: Path) -> Any:
    os.environ["TRACKIO_DIR"] = str(folder)  # it looks there once, when it is imported
    require("trackio", "writing to trackio")
    return importlib.import_module("trackio")
