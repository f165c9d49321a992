"""From a finished form to a running trainer. It knows nothing of Textual."""

from __future__ import annotations

from tinygpt_tui.packages import TRAINING, require
from tinygpt_tui.runs.folder import CorpusReference, StartingModel
from tinygpt_tui.runs.index import create_run
from tinygpt_tui.runs.new_run import new_run
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.ui.jobs.training_session import TrainingSession


def start_run(
    name: str, preset: str, corpus: CorpusReference, training: TrainingSettings, start: StartingModel | None = None
) -> TrainingSession:
    """Create the folder and start the trainer. Raises UsageError, RunError, StorageError, MissingPackageError."""
    require("torch", TRAINING)  # before a folder is created
    settings = new_run(name, preset, training, corpus, start)
    session = TrainingSession(create_run(settings), settings)
    session.launch()
    return session
