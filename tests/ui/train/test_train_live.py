"""Runs to look at: live, finished, failed, dead; with journals that the tests write."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from fakes import make_model
from train_bench import STEPS, ScriptedRun, TrainBench, beginning, loss_at, steps, train_tab

from tinygpt_tui.events.training import Evaluation, Note, Paused, Resumed, RunStarted, Step
from tinygpt_tui.runs import manage
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.index import RunCard
from tinygpt_tui.ui.jobs import training_session
from tinygpt_tui.ui.jobs.training_session import Phase, TrainingSession
from tinygpt_tui.ui.shared.choose_file import ChooseFileScreen
from tinygpt_tui.ui.shared.loss_chart import TrainChart
from tinygpt_tui.ui.shared.run_head import TrainHead
from tinygpt_tui.ui.train.meters import numbers_of
from tinygpt_tui.ui.train.run_list import live_runs
from tinygpt_tui.ui.train.samples import TrainSamples
from tinygpt_tui.ui.train.screen import TrainScreen

pytestmark = pytest.mark.usefixtures("no_shipped_models")


@pytest.fixture
def run() -> ScriptedRun:
    return ScriptedRun()


@pytest.fixture
def dead_pid() -> int:
    """The number of a process that was."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid


async def look_at(bench: TrainBench, name: str) -> None:
    """Choose a run from the list."""
    await bench.pilot.press("ctrl+o")
    await bench.until(lambda: bench.app.screen.is_modal)
    assert name in bench.shown
    await bench.pilot.press("enter")
    await bench.until(lambda: bench.screen.session is not None and bench.screen.session.was_read)


async def test_the_list_of_runs_has_the_best_loss_of_the_run_not_that_of_the_calibrated_model(run: ScriptedRun) -> None:
    run.write([*beginning(), *steps(1, 20)])
    run.end("finished", 20)
    make_model("scripted", loss=1.2345)
    async with train_tab() as bench:
        await bench.pilot.press("ctrl+o")
        await bench.until(lambda: bench.app.screen.is_modal)
        await bench.sees(f"{loss_at(20):.4f}")
        assert "1.2345" not in bench.shown


async def test_the_train_loss_in_numbers_is_that_at_the_end_of_the_curve(run: ScriptedRun) -> None:
    run.live(until=40)
    async with train_tab((140, 40)) as bench:
        await bench.sees("(last 10 steps)")
        await bench.pilot.press("M")
        await bench.sees("(last 40 steps)")
        await bench.pilot.press("M")
        await bench.sees("(last step)")


def test_what_was_read_for_nobody_is_not_lost(run: ScriptedRun) -> None:
    run.live(until=20)
    session = TrainingSession.open(run.folder.model)
    session.read_update()  # the caller was gone when the answer came
    run.write(steps(21, 30))
    assert session.apply_update(session.read_update())
    assert (session.history.step, len(session.history.samples)) == (30, 4)
    run.write(steps(31, 40))
    session.read_update()
    run.write(steps(41, 50))
    session.apply_update(session.read_update())
    losses, _ = session.history.measured("loss")
    assert list(losses) == list(range(1, 51))  # each once
    assert not session.read_update().events


async def test_a_live_run_is_found_and_followed(run: ScriptedRun) -> None:
    run.live(until=40)
    async with train_tab() as bench:
        await bench.sees("step 40 of 100")
        assert bench.phase is Phase.TRAINING
        for text in (
            "scripted",
            "validation",
            "entropy",
            "12,345",
            "words of step 40",
            "Training continues when you quit",
        ):
            assert text in bench.shown
        run.write(steps(41, 70))
        await bench.sees("step 70 of 100")
        await bench.sees("words of step 70")
        history = bench.screen.session.history  # type: ignore[union-attr]
        np.testing.assert_array_equal(history.losses[0], np.arange(1, 71))
        assert history.best == (70, loss_at(70))
        assert {"Pause", "Stop", "New", "Other run"} <= bench.keys
        assert not {"Continue", "Resume"} & bench.keys


async def _nothing(bench: TrainBench) -> None:
    """Look at the form, and do nothing."""


async def _type(bench: TrainBench) -> None:
    await bench.set("steps", "77")


async def _choose_a_file(bench: TrainBench) -> None:
    await bench.pilot.press("alt+o")
    await bench.until(lambda: isinstance(bench.app.screen, ChooseFileScreen))


@pytest.mark.parametrize("use", [_nothing, _type, _choose_a_file])
async def test_a_run_started_elsewhere_never_takes_the_place_of_a_form(
    run: ScriptedRun, use: Callable[[TrainBench], Awaitable[None]]
) -> None:
    async with train_tab() as bench:
        await bench.until(lambda: not bench.screen._may_attach)  # the first look is over
        await bench.read()
        await use(bench)
        run.live()
        await bench.until(lambda: "scripted is training: ctrl+o" in bench.text("#form-news"))
        assert bench.screen.session is None


async def test_a_key_before_the_first_look_keeps_the_form(run: ScriptedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run.live()
    pressed = threading.Event()

    def slow() -> list[RunCard]:
        pressed.wait()
        return live_runs()

    monkeypatch.setattr("tinygpt_tui.ui.train.screen.live_runs", slow)
    async with train_tab() as bench:
        await bench.pilot.press("down")
        pressed.set()
        await bench.until(lambda: "scripted is training" in bench.text("#form-news"))
        assert bench.screen.session is None


async def test_the_form_of_a_new_training_and_back(run: ScriptedRun) -> None:
    run.live()
    async with train_tab() as bench:
        await bench.sees("step 40 of 100")
        await bench.pilot.press("n")
        await bench.until(lambda: bench.screen.session is None)
        await bench.sees("scripted is training")
        await bench.pilot.press("escape")
        await bench.sees("step 40 of 100")


async def test_the_key_of_the_file_opens_the_form_too_and_a_long_text_name_leaves_room_for_the_phase(
    run: ScriptedRun,
) -> None:
    run.live(until=40)
    async with train_tab(size=(80, 24)) as bench:
        await bench.sees("step 40 of 100")
        head = bench.screen.query_one(TrainHead)
        session = bench.screen.session
        assert session is not None
        head.show_run("scripted", "trained on " + "a-long-name-" * 9, session.phase, session.history)
        first = str(head.content).splitlines()[0]
        assert first.endswith("…  ▶ training")
        assert len(first) == head.size.width
        await bench.pilot.press("alt+o")
        await bench.until(lambda: isinstance(bench.app.screen, ChooseFileScreen))


async def test_what_happened_while_another_tab_was_shown_is_caught_up(run: ScriptedRun) -> None:
    run.live()
    async with train_tab() as bench:
        await bench.sees("step 40 of 100")
        await bench.pilot.press("f2")
        await bench.until(lambda: not isinstance(bench.app.screen, TrainScreen))
        run.write(steps(41, 90))
        await bench.pilot.press("f3")
        await bench.sees("step 90 of 100")


async def test_a_run_that_was_renamed_elsewhere_is_followed_to_its_new_name(run: ScriptedRun) -> None:
    run.write([*beginning(), *steps(1, 40)])
    run.end("stopped", 40)
    async with train_tab() as bench:
        bench.screen.open_run(str(run.folder.model))
        await bench.sees("scripted")
        await bench.pilot.press("f2")
        await bench.until(lambda: not isinstance(bench.app.screen, TrainScreen))
        manage.rename(run.folder.model, "another name")
        await bench.pilot.press("f3")
        await bench.sees("another name")
        assert "scripted" not in bench.shown


async def test_pause_and_go_on(run: ScriptedRun) -> None:
    run.live()
    control = Control(run.folder.control)
    async with train_tab() as bench:
        await bench.sees("step 40 of 100")
        await bench.pilot.press("space")
        await bench.until(lambda: bench.phase is Phase.PAUSING)
        assert control.pending("pause")
        run.write([Paused(40)])
        await bench.sees("press Space to continue")
        assert "Pause" not in bench.keys
        await bench.pilot.press("space")
        assert not control.pending("pause")
        run.write([Resumed(40)])
        await bench.until(lambda: bench.phase is Phase.TRAINING)


async def test_the_disk_forces_a_pause(run: ScriptedRun) -> None:
    run.live()
    async with train_tab() as bench:
        await bench.sees("step 40 of 100")
        run.say("paused", 40, message="the disk is full")
        await bench.sees("Paused: the disk is full")


async def test_stop_asks_first(run: ScriptedRun) -> None:
    run.live()
    control = Control(run.folder.control)
    async with train_tab() as bench:
        await bench.sees("step 40 of 100")
        await bench.pilot.press("s")
        await bench.sees("Stop training scripted at step 40")
        await bench.pilot.press("escape")
        await bench.until(lambda: not bench.app.screen.is_modal)
        assert not control.pending("stop")
        await bench.pilot.click("#do-stop")
        await bench.until(lambda: bench.app.screen.is_modal)
        await bench.pilot.press("enter")
        await bench.until(lambda: control.pending("stop"))
        await bench.sees("stopping")
        control.consume("stop")
        run.end("stopped", 40)
        await bench.sees("Stopped at step 40")
        assert "Resume" in bench.keys


async def test_finished(run: ScriptedRun) -> None:
    run.live()
    async with train_tab() as bench:
        await bench.sees("step 40 of 100")
        run.write(steps(41, STEPS))
        (run.folder.model / "weights.safetensors").write_bytes(b"weights")
        run.end("finished", STEPS)
        await bench.sees(f"Done: validation loss {loss_at(STEPS):.4f} at step 100; generate with it")
        assert "Pause" not in bench.keys
        await bench.pilot.press("g")
        await bench.until(lambda: str(run.folder.model) in bench.talked)


async def test_failed(run: ScriptedRun) -> None:
    run.live()
    async with train_tab() as bench:
        await bench.sees("step 40 of 100")
        run.end("failed", 40, "the loss at step 40 is not a number", "start again with a lower learning rate")
        await bench.sees("Failed: the loss at step 40 is not a number")
        assert "What helps: start again with a lower learning rate" in bench.shown
        assert "Resume" in bench.keys


async def test_died(run: ScriptedRun, dead_pid: int) -> None:
    run.live()
    async with train_tab() as bench:
        await bench.sees("step 40 of 100")
        run.say("running", 40, pid=dead_pid)
        await bench.sees("The trainer was killed or crashed at step 40")
        assert "words of step 40" in bench.shown
        assert "Resume" in bench.keys


async def test_a_run_that_repeats_its_last_steps_is_shown_once(run: ScriptedRun, dead_pid: int) -> None:
    run.live(until=45)
    async with train_tab() as bench:
        await bench.sees("step 45 of 100")
        run.say("running", 45, pid=dead_pid)
        await bench.until(lambda: bench.phase is Phase.DIED)
        run.say("running", 20)
        run.write([*beginning(step=20), *steps(21, 60)])
        await bench.sees("step 60 of 100")
        history = bench.screen.session.history  # type: ignore[union-attr]
        np.testing.assert_array_equal(history.losses[0], np.arange(1, 61))
        np.testing.assert_array_equal(history.validation_losses[0], np.arange(0, 61, 10))
        assert [sample.step for sample in history.samples] == list(range(0, 61, 10))


async def test_a_trainer_that_never_came_to_a_step_is_reported(
    run: ScriptedRun, dead_pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(folder: object, settings: object) -> int:
        run.folder.log.write_text("ModuleNotFoundError: No module named 'torch'\n")
        return dead_pid

    monkeypatch.setattr(training_session, "start_trainer", start)
    run.write([*beginning(), *steps(1, 5)])
    run.end("stopped", 5)
    async with train_tab() as bench:
        await look_at(bench, "scripted")
        await bench.sees("Stopped at step 5")
        await bench.pilot.press("space")
        await bench.until(lambda: bench.phase is Phase.DIED)
        await bench.sees("No module named 'torch'")


async def test_samples_can_be_paged(run: ScriptedRun) -> None:
    run.live()
    async with train_tab() as bench:
        await bench.sees("words of step 40")
        await bench.pilot.press("left_square_bracket", "left_square_bracket")
        await bench.sees("words of step 20")
        assert f"step 20, validation {loss_at(20):.4f}" in bench.shown
        run.write(steps(41, 50))
        await bench.sees("step 50 of 100")
        assert "words of step 20" in bench.shown
        await bench.pilot.press(*["right_square_bracket"] * 3)
        await bench.sees("words of step 50")
        assert bench.screen.query_one(TrainSamples).newest


async def test_chart_keys(run: ScriptedRun) -> None:
    run.live()
    async with train_tab() as bench:
        await bench.sees("step 40 of 100")
        chart = bench.screen.query_one(TrainChart)
        await bench.pilot.press("l", "L")
        assert chart.log_x
        assert chart.log_y
        assert "log loss, log steps" in bench.shown
        before = chart.smoothing
        await bench.pilot.press("M")
        assert chart.smoothing != before
        await bench.pilot.press("plus", "plus", "left")
        assert chart.view.x_min is not None
        await bench.sees("zoomed (0: all)")
        await bench.pilot.press("0", "l", "L", "f", "ctrl+up", "up", "minus")
        await bench.pilot.press("0")
        assert chart.view.x_min is None


async def test_the_chart_is_kept_as_a_picture(run: ScriptedRun) -> None:
    run.live()
    async with train_tab() as bench:
        await bench.sees("step 40 of 100")
        await bench.pilot.press("e")
        picture = run.folder.model / "loss.svg"
        await bench.until(picture.is_file)
        assert "<svg" in picture.read_text(encoding="utf-8")
        await bench.until(lambda: any(str(picture) in note.message for note in bench.app._notifications))


async def test_one_pane_at_a_time_where_it_is_narrow(run: ScriptedRun) -> None:
    run.live()
    async with train_tab((80, 24)) as bench:
        await bench.sees("▌1 Chart")
        await bench.sees("best")
        assert "Log loss" in bench.shown
        await bench.pilot.press("2")
        await bench.sees("words of step 40")
        await bench.until(lambda: "Log loss" not in bench.shown)
        await bench.pilot.press("3")
        await bench.sees("started: cpu")
        await bench.pilot.click("#pane-chart")
        await bench.sees("▌1 Chart")
        for part in ("Pause", "Stop and save", "train loss", "time left"):
            assert part in bench.shown


@pytest.mark.parametrize("size", [(140, 40), (80, 24), (50, 12), (30, 8), (10, 4), (2, 2)])
async def test_no_size_breaks_the_view(size: tuple[int, int], run: ScriptedRun) -> None:
    run.live()
    async with train_tab(size) as bench:
        await bench.until(lambda: bench.phase is Phase.TRAINING)
        await bench.pilot.resize_terminal(200, 60)
        await bench.sees("step 40 of 100")
        await bench.pilot.resize_terminal(*size)
        await bench.pilot.pause()


def test_a_loss_from_a_part_of_the_text_is_marked() -> None:
    history = RunHistory()
    history.add([RunStarted(0.0, 0, 20, 1, 900, 111_540, "cpu", 1), Evaluation(0, 3.0, 3.0, 0, 3.0, 0.1)])
    assert "on tokens" not in numbers_of(history, 0.9)
    history.add([Evaluation(10, 2.12345, 2.1, 10, 2.12345, 0.1, tokens=4096, best_tokens=4096)])
    numbers = numbers_of(history, 0.9)
    assert numbers["validation loss"] == "≈2.123"
    assert numbers["on tokens"] == "4,096 of 111,540"
    assert numbers["best"] == "≈2.123 at step 10"


async def test_the_log_tells_notes_and_warnings(run: ScriptedRun) -> None:
    run.live()
    run.write([Note(40, "something odd", "warning")])
    async with train_tab() as bench:
        await bench.sees("warning: something odd")


async def test_a_shipped_run_can_be_looked_at_but_not_gone_on_with(
    run: ScriptedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.write([*beginning(), *steps(1, 50)])
    run.end("stopped", 50)
    shipped = tmp_path / "nothing shipped"
    run.folder.model.parent.rename(shipped)
    async with train_tab() as bench:
        await look_at(bench, "shipped")
        await bench.sees("Stopped at step 50")
        assert not {"Continue", "Resume"} & bench.keys


async def test_a_long_journal_does_not_hold_the_screen_up(run: ScriptedRun) -> None:
    run.say("running", 1)
    run.write(beginning())
    run.write(Step(step, loss_at(step), 1e-3, 0.5, 1e4, step * 0.01) for step in range(1, 100_001))
    async with train_tab() as bench:
        await bench.until(lambda: bench.phase is Phase.TRAINING)
        await bench.sees("step 100,000")
        began = time.process_time()
        run.write([Step(100_001, 1.5, 1e-3, 0.5, 1e4, 1e4)])
        await bench.sees("step 100,001")
        assert time.process_time() - began < 5
