"""A model that the user deletes or renames while it is being trained: the training ends, and makes no folder again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from makers import make_run

from tinygpt_tui import paths
from tinygpt_tui.errors import StorageError
from tinygpt_tui.events.training import RunEnded, Step, TrainingEvent
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.journal import Journal, read_journal
from tinygpt_tui.training import recorder
from tinygpt_tui.training.run import run_training
from tinygpt_tui.workers.trainer import start_trainer

GONE: dict[str, Callable[[Path], object]] = {
    "deleted": shutil.rmtree,
    "renamed": lambda model: model.rename(model.with_name("dog")),
}


def train_and(change: Callable[[Path], object], run: RunFolder) -> list[TrainingEvent]:
    events = []
    for event in run_training(run.model):
        events.append(event)
        if isinstance(event, Step) and event.step == 6:
            change(run.model)
    return events


@pytest.mark.parametrize("told_by", ["the status", "what is saved"])
@pytest.mark.parametrize("how", GONE)
def test_it_ends_and_makes_no_folder(how: str, told_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "STATUS_EVERY_S", 0.0 if told_by == "the status" else 1e9)
    run = make_run(steps=60, evaluate_every=4, timeline_mb=1)
    end = train_and(GONE[how], run)[-1]
    assert isinstance(end, RunEnded)
    assert end.reason == "failed"
    assert end.step < 60
    assert "gone" in end.message
    assert not run.model.exists()
    if how == "renamed":
        moved = RunFolder(run.model.with_name("dog"))
        assert read_journal(moved.events)[-1] == end
        shutil.rmtree(moved.model)
    make_run()  # the name is free


def test_no_writer_makes_a_model_again() -> None:
    """The kind: whatever writes into a run's folder needs that folder."""
    run = make_run()
    settings = run.read_settings()
    shutil.rmtree(run.model)
    writers: list[Callable[[], object]] = [
        lambda: run.write_settings(settings),
        lambda: Control(run.control).send("stop"),
        lambda: Journal(run.events),
        lambda: start_trainer(run),
        lambda: list(run_training(run.model)),
    ]
    for write in writers:
        with pytest.raises(StorageError):
            write()
        assert not list(paths.models_folder().iterdir())
