"""What it costs that a run has learned from another model: both losses, side by side; no torch."""

from __future__ import annotations

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.journal import read_journal

WRITTEN = "its own text"  # the name of a text that the teacher wrote


def cost_words(run: RunFolder) -> str:
    """Return from which model a run has learned, with both losses if they are known; empty if from none."""
    try:
        teachers = run.read_settings().teachers
    except TinyGPTError:
        return ""
    if not teachers:
        return ""
    names = " and ".join(teacher.name for teacher in teachers)
    history = RunHistory()
    history.add(read_journal(run.events))
    words, best = f"{run.model.name} has learned the probabilities of {names}", history.best
    if history.teacher is None or best is None or history.ended is None:
        return f"{words}."
    loss = history.calibrated.validation_loss if history.calibrated else best[1]
    before = history.teacher.validation_loss
    return (
        f"{words}: a validation loss of {loss:.3f} instead of {before:.3f} nats per character ({loss - before:+.3f})."
    )
