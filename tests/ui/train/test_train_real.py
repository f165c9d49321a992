"""Trainings that really happen, begun in the Train tab: processes of their own, which learn, die, and go on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from textual.widgets import Input, Select
from train_bench import TrainBench, train_tab
from wait import wait_until

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.card import read_config
from tinygpt_tui.events.generation import Token
from tinygpt_tui.events.requests import Generate
from tinygpt_tui.events.training import Saved
from tinygpt_tui.runs.control import live_status
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.jobs.training_session import Phase
from tinygpt_tui.ui.train.screen import TrainScreen
from tinygpt_tui.workers.service import EngineService

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("no_shipped_models"), pytest.mark.slow]

TINY = {
    "n_layer": "1",
    "n_head": "2",
    "n_embd": "32",
    "block_size": "32",
    "steps": "200",
    "batch_size": "8",
    "ngram_rows": "0",
    "compile": "never",
    "threads": "1",
    "sample_tokens": "20",
}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A text with something to learn in it."""
    path = tmp_path / "nursery.txt"
    path.write_text("one two buckle my shoe, three four knock at the door, five six pick up sticks.\n" * 200)
    return path


@pytest.fixture
def run() -> Iterator[RunFolder]:
    """Where the training of the test lives; whatever still trains there at the end is ended."""
    run = RunFolder(paths.models_folder() / "nursery")
    yield run
    status = live_status(run)
    if status is not None:
        psutil.Process(status.pid).kill()


async def begin(bench: TrainBench, text: Path, **settings: str) -> None:
    """Fill the form and press the key."""
    await bench.choose(text)
    await bench.until(lambda: bench.form.state.facts is not None and bench.form.state.facts.reference.name == "nursery")
    for name, value in {"minutes": "0", **TINY, **settings}.items():
        await bench.set(name, value)
    assert bench.form.query_one("#name", Input).value == "nursery"
    assert bench.form.problem == ""
    await bench.pilot.press("ctrl+g")
    await bench.until(lambda: bench.screen.session is not None)  # what the screen says of a start may be gone at once


async def test_a_model_is_trained_and_talked_to(text: Path, run: RunFolder) -> None:
    app = TinyGPTApp()
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("f3")
        await wait_until(pilot, lambda: isinstance(app.screen, TrainScreen) and app.screen.is_mounted)
        bench = TrainBench(app, pilot, [])
        await begin(bench, text)
        await bench.until(lambda: bench.phase is Phase.FINISHED)
        await bench.sees("Done: validation loss")
        assert bench.screen.session is not None
        history = bench.screen.session.history
        _, losses = history.losses
        assert len(losses) == 200
        assert losses[-10:].mean() < losses[:10].mean() / 2
        assert history.best is not None
        await bench.until(lambda: "Generate" in bench.keys)
        await pilot.press("g")
        await wait_until(pilot, lambda: isinstance(app.screen, GenerateScreen))
        generate = app.screen
        assert isinstance(generate, GenerateScreen)
        await wait_until(pilot, lambda: generate.pane.output.border_title == "nursery")
        await pilot.press(*"one", "enter")
        await wait_until(pilot, lambda: len(generate.pane.output.text) > 50)
        assert generate.pane.output.text.startswith("one")
    await app.engine.close()
    assert (run.model / "weights.safetensors").is_file()
    config = read_config(run.model)
    assert config.trained is not None
    assert config.trained.validation_loss == pytest.approx(history.best[1])
    settings = run.read_settings()
    assert settings.corpus.path == str(text)
    assert settings.corpus.characters == len(text.read_text())
    assert "torch" in settings.versions


async def test_a_trainer_outlives_the_app_is_killed_and_goes_on(text: Path, run: RunFolder) -> None:
    async with train_tab() as bench:
        await begin(bench, text, steps="100000")
        await bench.until(lambda: bench.screen.session and bench.screen.session.history.step > 5)
    assert live_status(run) is not None

    async with train_tab() as bench:
        await bench.until(lambda: bench.phase is Phase.TRAINING)
        session = bench.screen.session
        assert session is not None
        (run.control).mkdir(exist_ok=True)
        (run.control / "save").touch()
        # The command is gone before the state is written.
        await bench.until(
            lambda: any(
                isinstance(event, Saved) and event.step and event.what == "resume" for event in read_journal(run.events)
            )
        )
        status = live_status(run)
        assert status is not None
        os.kill(status.pid, signal.SIGKILL)
        await bench.until(lambda: bench.phase is Phase.DIED)
        await bench.sees("The trainer was killed or crashed at step")
        await bench.pilot.press("space")
        await bench.until(lambda: bench.phase is Phase.TRAINING)
        assert session.history.started is not None
        assert session.history.started.step > 0
        began_again = session.history.started.step
        await bench.until(lambda: session.history.step > began_again)

        await bench.pilot.press("s")
        await bench.until(lambda: bench.app.screen.is_modal)
        await bench.pilot.press("enter")
        await bench.until(lambda: bench.phase is Phase.STOPPED)
        await bench.sees("Stopped at step")
        await bench.until(lambda: live_status(run) is None)


SMALL_RNN = {"n_layer": "1", "n_embd": "16", "n_hidden": "16"}


async def test_another_net_is_trained_stopped_and_gone_on_with(text: Path, run: RunFolder) -> None:
    preset = "rnn-nano"
    async with train_tab((80, 24)) as bench:
        await bench.choose(text)
        await bench.until(
            lambda: bench.form.state.facts is not None and bench.form.state.facts.reference.name == "nursery"
        )
        bench.form.query_one("#preset", Select).value = preset
        await bench.until(lambda: bench.form.state.preset_name == preset and bench.form.is_settled)
        common = {"block_size": "16", "steps": "100000", "batch_size": "4", "threads": "1", "sample_tokens": "20"}
        for name, value in {**SMALL_RNN, **common}.items():
            await bench.set(name, value)
        assert bench.form.problem == ""
        await bench.pilot.press("ctrl+g")
        await bench.until(lambda: bench.screen.session and bench.screen.session.history.step > 5)
        session = bench.screen.session
        assert session is not None
        await bench.pilot.press("s")
        await bench.until(lambda: bench.app.screen.is_modal)
        await bench.pilot.press("enter")
        await bench.until(lambda: bench.phase is Phase.STOPPED)
        stopped_at = session.history.step
        await bench.pilot.press("space")
        await bench.until(lambda: session.history.step > stopped_at)
        run.control.mkdir(exist_ok=True)
        (run.control / "stop").touch()
        await bench.until(lambda: bench.phase is Phase.STOPPED)
        await bench.until(lambda: live_status(run) is None)
    assert type(read_config(run.model).architecture) is type(ALL_PRESETS[preset].training.architecture)
    service = EngineService()
    assert (
        service.handle(0.0, Generate(str(run.model), "one", SamplingSettings(max_new_tokens=20, seed=1), job=1)) == []
    )
    text_written = ""
    while service.busy:
        text_written += "".join(event.text for event in service.advance() if isinstance(event, Token))
    assert len(text_written) == 20
