"""From a finished form to a running trainer. It knows nothing of Textual."""

from __future__ import annotations

import platform
import time
from importlib import metadata

from tinygpt_tui.runs.folder import CorpusReference, RunSettings
from tinygpt_tui.runs.index import create_run
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.ui.training_session import TrainingSession


def begin(name: str, preset: str, corpus: CorpusReference, training: TrainingSettings) -> TrainingSession:
    """Make the model's folder and start its trainer. Raises UsageError, RunError, StorageError."""
    settings = RunSettings(
        name=name,
        created=time.time(),
        preset=preset,
        corpus=corpus,
        training=training,
        versions=_versions(),
        machine=platform.platform(),
    )
    session = TrainingSession(create_run(settings), settings)
    session.launch()
    return session


def _versions() -> dict[str, str]:
    """The versions that decide a result; what is not installed has none (the trainer will say so)."""
    versions = {"python": platform.python_version()}
    for package in ("tinygpt-tui", "torch"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
