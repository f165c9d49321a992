"""The time machine in use: the cursor walks, and what each step's model writes is there at once."""

from __future__ import annotations

import asyncio
import html
from pathlib import Path

import pytest
from fakes import FakeEngine, make_model
from textual.widgets import Input
from train_bench import ScriptedRun, TrainBench, steps, train_tab
from wait import wait_until

from tinygpt_tui.paths import models_folder
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.timeline import Moment, path_of
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.learn.lesson_list import LessonList
from tinygpt_tui.ui.learn.pane import LessonPane
from tinygpt_tui.ui.shared.save_dialog import SaveScreen
from tinygpt_tui.ui.timeline import player
from tinygpt_tui.ui.timeline.moment_chart import MomentChart
from tinygpt_tui.ui.timeline.moment_text import MomentText
from tinygpt_tui.ui.timeline.screen import NO_MOMENTS, TimeMachineScreen
from tinygpt_tui.ui.timeline.time_machine import SAMPLING, TimeMachine, slider, state_at

pytestmark = pytest.mark.usefixtures("no_shipped_models")


def keep(run: RunFolder, *kept: int) -> None:
    run.timeline.mkdir(exist_ok=True)
    for step in kept:
        path_of(run, step).write_bytes(b"weights")


def engine_of(bench: TrainBench) -> FakeEngine:
    engine = bench.app.engine
    assert isinstance(engine, FakeEngine)
    return engine


async def travel(bench: TrainBench) -> TimeMachineScreen:
    """Open the time machine of the run that is looked at."""
    await bench.until(lambda: bench.screen.session is not None and bench.screen.session.was_read)
    await bench.pilot.press("h")
    await bench.until(lambda: isinstance(bench.app.screen, TimeMachineScreen) and bench.app.screen.is_mounted)
    screen = bench.app.screen
    assert isinstance(screen, TimeMachineScreen)
    return screen


def written(screen: TimeMachineScreen) -> str:
    return screen.query_one(MomentText).text


async def test_walking_the_timeline_shows_each_steps_text_and_a_live_run_grows() -> None:
    run = ScriptedRun()
    run.live(until=40)
    keep(run.folder, 0, 5, 20, 40)
    async with train_tab((80, 24)) as bench:
        screen, engine = await travel(bench), engine_of(bench)
        await bench.until(lambda: len(engine.asked) == 1)
        assert (engine.asked[0].model, engine.asked[0].at_step) == (str(run.folder.model), 40)
        assert engine.asked[0].sampling == SAMPLING
        engine.begin(step=40)
        engine.write("To be")
        engine.end()
        await bench.until(lambda: written(screen) == "To be")
        for word in ("step 40 of 100", "validation 2.040", "4 of 4", "▼", "scripted at step 40 writes"):
            await bench.sees(word)

        await bench.pilot.press("left")
        await bench.until(lambda: len(engine.asked) == 2)
        assert written(screen) == "To be"  # until the first letter comes, and dim where that takes long
        await bench.until(lambda: screen.query_one(MomentText).has_class("-stale"))
        assert (engine.asked[1].at_step, engine.asked[1].sampling.seed) == (20, SAMPLING.seed)
        engine.begin(step=20)
        engine.write("Tt")
        await bench.until(lambda: written(screen) == "Tt")
        assert not screen.query_one(MomentText).has_class("-stale")
        await bench.pilot.press("right")  # the half-written one is stopped, the other needs no engine
        await bench.until(lambda: written(screen) == "To be")
        await bench.until(lambda: engine.stopped == [2])
        assert len(engine.asked) == 2

        run.write(steps(41, 60))
        keep(run.folder, 60)
        await bench.until(lambda: len(engine.asked) == 3)
        assert engine.asked[2].at_step == 60
        await bench.pilot.press("home", "shift+right")
        await bench.until(lambda: engine.asked[-1].at_step == 60 and screen.machine.at == 4)
        await bench.pilot.press("escape")
        await bench.until(lambda: bench.app.screen is bench.screen)


async def test_the_text_follows_what_is_typed_and_other_random_numbers_are_the_same_at_each_step() -> None:
    run = ScriptedRun()
    run.live(until=40)
    keep(run.folder, 0, 40)
    async with train_tab((80, 24)) as bench:
        screen, engine = await travel(bench), engine_of(bench)
        await bench.until(lambda: len(engine.asked) == 1)
        await bench.pilot.press("p", "R", "O", "left", "M")  # the arrow is the prompt's own here
        await bench.until(lambda: engine.asked[-1].prompt == "RMO")
        assert screen.machine.at == 1
        engine.begin()
        engine.write("!")
        engine.end()
        await bench.until(lambda: written(screen) == "RMO!")
        await bench.pilot.press("enter", "ctrl+r", "left")
        await bench.until(lambda: engine.asked[-1].at_step == 0)
        assert engine.asked[-1].sampling.seed == (SAMPLING.seed or 0) + 1
        assert engine.asked[-1].prompt == "RMO"
        assert bench.app.screen.query_one(MomentChart).has_focus
        engine.begin()
        engine.end("failed", "a file is damaged", "delete it")
        await bench.sees("a file is damaged. delete it")


async def test_a_run_without_a_timeline_says_so_and_the_mouse_points_at_steps() -> None:
    run = ScriptedRun()
    run.live(until=40)
    run.end("finished", 40)
    async with train_tab((100, 30)) as bench:
        await bench.pilot.press("ctrl+o")
        await bench.until(lambda: bench.app.screen.is_modal)
        await bench.pilot.press("enter")
        screen = await travel(bench)
        await bench.sees(NO_MOMENTS[:40])
        keep(run.folder, 0, 5, 20, 40)
        await bench.until(lambda: screen.machine.step == 40)
        await bench.pilot.click(MomentChart, offset=(10, 4))
        await bench.until(lambda: screen.machine.step == 0)


async def test_it_plays_from_noise_to_the_last_step_and_saves_the_film(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(player, "LONGEST_S", 0.01)
    run = ScriptedRun()
    run.live(until=40)
    run.end("finished", 40)
    keep(run.folder, 0, 20, 40)
    async with train_tab((100, 30)) as bench:
        bench.screen.open_run(str(run.folder.model))
        screen, engine = await travel(bench), engine_of(bench)
        await bench.until(lambda: len(engine.asked) == 1)  # the last step's text, which is not waited for
        await bench.pilot.press("space")
        for number, (step, text) in enumerate({0: "q#x", 20: "teh", 40: "the"}.items(), start=2):
            await bench.until(lambda number=number: len(engine.asked) == number)
            assert (engine.asked[-1].at_step, engine.asked[-1].sampling) == (step, SAMPLING)
            assert screen.is_playing
            engine.begin(step=step)
            engine.write(text)
            if step == 0:
                await bench.sees("0.01 s each")
            engine.end()
        await bench.until(lambda: not screen.is_playing)
        assert screen.machine.step == 40

        await bench.pilot.press("space")  # again from the start: no text is written twice
        await bench.until(lambda: not screen.is_playing and screen.machine.step == 40)
        assert len(engine.asked) == 4
        for name, part in (("film.svg", "@keyframes"), ("film.cast", '"version": 2')):
            path = tmp_path / name
            path.write_text("mine")
            await bench.pilot.press("f9")
            await bench.until(lambda: isinstance(bench.app.screen, SaveScreen) and bench.app.screen.query(Input))
            bench.app.screen.query_one(Input).value = str(path)
            await bench.pilot.press("enter")
            await bench.sees("this file exists")
            assert path.read_text() == "mine"
            await bench.pilot.press("enter")
            await bench.until(lambda: bench.app.screen is screen)
            film = html.unescape(path.read_text()).replace("\xa0", " ")
            assert part in film
            assert all(text in film for text in ("q#x", "teh", "the", "step 20 of 100"))


async def test_one_key_in_generate_plays_the_run_of_the_model_with_the_prompt() -> None:
    run = ScriptedRun()
    run.live(until=40)
    run.end("finished", 40)
    keep(run.folder, 0, 40)
    make_model("scripted")
    engine = FakeEngine()
    app = TinyGPTApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        generate = app.screen
        assert isinstance(generate, GenerateScreen)
        await wait_until(pilot, lambda: generate.check_action("time_machine", ()))
        generate.pane.prompt.text = "ROMEO:"
        await pilot.press("alt+h")
        await wait_until(pilot, lambda: isinstance(app.screen, TimeMachineScreen) and app.screen.is_playing)
        await wait_until(pilot, lambda: [asked.at_step for asked in engine.asked][-1:] == [0])
        assert engine.asked[-1].prompt == "ROMEO:"


async def test_beside_a_lesson_the_text_has_room_in_a_small_terminal() -> None:
    run = ScriptedRun()
    run.live(until=40)
    keep(run.folder, 0, 40)
    async with train_tab((80, 24)) as bench:
        await travel(bench)
        machine = bench.app.screen
        text = machine.query_one(MomentText)
        await bench.pilot.press("alt+l")
        await bench.until(lambda: isinstance(bench.app.screen, LessonList))
        await bench.pilot.press("enter")
        await bench.until(lambda: machine.query(LessonPane) and machine.has_class("-lesson"))
        await bench.pilot.press("escape")
        await bench.until(lambda: not machine.query_one(LessonPane).has_focus)
        await bench.until(lambda: text.content_size.height >= 4)
        await bench.pilot.press("alt+l", "q")
        await bench.until(lambda: not machine.has_class("-lesson"))


async def test_a_model_without_saved_steps_is_no_dead_end() -> None:
    make_model("plain")
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(80, 24)) as pilot:
        generate = app.screen
        assert isinstance(generate, GenerateScreen)
        generate.choose(str(models_folder() / "plain"))
        await wait_until(pilot, lambda: generate.chooser.card is not None and generate.chooser.card.name == "plain")
        await pilot.press("alt+h")
        await wait_until(pilot, lambda: isinstance(app.screen, TimeMachineScreen) and app.screen.is_playing)
        assert "plain has no saved steps: this is the run of shakespeare" in [one.message for one in app._notifications]


async def test_missing_texts_of_a_film_are_written_first_and_a_failure_is_reported() -> None:
    run = ScriptedRun()
    run.live(until=40)
    keep(run.folder, 0, 40)
    async with train_tab((100, 30)) as bench:
        await travel(bench)
        engine = engine_of(bench)
        await bench.until(lambda: len(engine.asked) == 1)
        await bench.pilot.press("f9")
        await bench.until(lambda: len(engine.asked) == 2)
        assert engine.asked[1].at_step == 0
        engine.begin()
        engine.end("failed", "a file is damaged", "delete it")
        await bench.until(lambda: any("a file is damaged" in note.message for note in bench.app._notifications))
        assert not bench.app.screen.is_modal


async def test_a_player_waits_for_each_text() -> None:
    machine = TimeMachine()
    machine.update_moments(moments(0, 1))
    shown: list[int] = []
    playing = player.Player(machine, lambda: shown.append(machine.at))
    task = asyncio.create_task(playing.run())
    for _ in range(5):
        await asyncio.sleep(0)
    assert (shown, machine.step, task.done()) == ([0], 0, False)
    task.cancel()
    assert [player.seconds_each(count) for count in (1, 6, 10, 40)] == [3.0, 3.0, 2.0, 1.0]


def moments(*kept: int) -> list[Moment]:
    run = RunFolder(Path("cat"))
    return [Moment(step, path_of(run, step)) for step in kept]


def test_who_stands_at_the_end_moves_on_with_the_run() -> None:
    machine = TimeMachine()
    assert (machine.step, machine.request, machine.move(1)) == (None, None, False)
    assert machine.update_moments(moments(0, 1, 2))
    assert machine.step == 2
    assert machine.update_moments(moments(0, 1, 2, 4))
    assert machine.step == 4
    machine.move(-1)
    assert not machine.update_moments(moments(0, 1, 2, 4, 8))
    assert machine.step == 2
    assert machine.select_step(100)
    assert machine.step == 8
    assert slider(machine, 80) == "┴─┴─┴─┴─◆"
    assert len(slider(machine, 5)) == 5
    machine.update_moments(moments(0))
    assert (machine.step, slider(machine, 80)) == (0, "◆")


def test_where_a_run_stood() -> None:
    history = RunHistory(100)
    history.add(steps(1, 40))
    assert state_at(history, 20) == "validation 2.400 · train 2.939 · after 2 s"
    assert state_at(history, 25).startswith("validation 2.400 at 20 · train ")
    assert state_at(RunHistory(), 0) == "before the first step"
