"""Whoever talks to a model while it learns talks to its newest weights, and is told so."""

from __future__ import annotations

import pytest
from makers import make_run

from tinygpt_tui.checkpoints.snapshot import read_stamp
from tinygpt_tui.events.generation import GenerationEvent, GenerationStarted
from tinygpt_tui.events.requests import Generate
from tinygpt_tui.events.training import Evaluation, RunEnded, Sample, Step
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.training import live_weights
from tinygpt_tui.training.run import run_training
from tinygpt_tui.workers.service import EngineService


def said(service: EngineService, run: RunFolder) -> GenerationStarted:
    """Have the model write a letter; return what was said of its weights."""
    events: list[GenerationEvent] = service.handle(
        0.0, Generate(str(run.model), "the", SamplingSettings(seed=1), job=1)
    )
    while service.busy:
        events += service.advance()
    return next(event for event in events if isinstance(event, GenerationStarted))


def test_the_newest_weights_are_there_while_it_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_weights, "EVERY_S", 0.0)
    run, service = make_run(), EngineService()
    for event in run_training(run.model):
        # Each event is told before what it means is done on the disk.
        if isinstance(event, Evaluation):
            measured = event
        elif isinstance(event, Sample) and measured.step and measured.best_step == measured.step:
            told = said(service, run)  # what was kept is the newest
            assert (told.step, told.validation_loss, told.in_training) == (measured.step, measured.best_loss, True)
            assert not run.live_weights.exists()
        elif isinstance(event, Step) and event.step in (2, 7):
            stamp = read_stamp(run.live_weights)
            assert (stamp.step, stamp.validation_loss) == (event.step - 1, measured.validation_loss)
            told = said(service, run)
            assert (told.step, told.validation_loss, told.in_training) == (
                event.step - 1,
                measured.validation_loss,
                True,
            )
    assert isinstance(event, RunEnded)
    assert not run.live_weights.exists()
    told = said(service, run)
    assert (told.step, told.validation_loss, told.in_training) == (event.best_step, event.best_loss, False)


def test_a_worse_evaluation_leaves_its_weights_and_a_dead_trainer_none(monkeypatch: pytest.MonkeyPatch) -> None:
    run, service = make_run(learning_rate=0.5, optimizer="adamw", decay="constant", steps=40), EngineService()
    worse = None
    for event in run_training(run.model):
        if worse is not None:
            break  # gone without a word, but for what the generator says when it is closed
        if isinstance(event, Evaluation) and event.best_step < event.step:
            worse = event
    assert worse is not None
    told = said(service, run)
    assert (told.step, told.in_training) == (worse.best_step, False)
