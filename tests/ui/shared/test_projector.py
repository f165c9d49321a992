"""Projector mode: one key shows the curve, large numbers and a sentence of what the screen below follows."""

from __future__ import annotations

import pytest
from fakes import FakeEngine
from textual.widgets import Digits
from train_bench import ScriptedRun, loss_at, steps, train_tab

from tinygpt_tui.runs.timeline import path_of
from tinygpt_tui.ui.timeline.projector import MomentProjector
from tinygpt_tui.ui.timeline.screen import TimeMachineScreen
from tinygpt_tui.ui.train.projector import TrainProjector

pytestmark = pytest.mark.usefixtures("no_shipped_models")


async def test_one_key_shows_a_run_or_a_moment_of_it_in_large_and_esc_leaves() -> None:
    run = ScriptedRun()
    run.live(until=40)
    run.folder.timeline.mkdir()
    for step in (0, 40):
        path_of(run.folder, step).write_bytes(b"weights")
    async with train_tab((80, 24)) as bench:

        def number(place: int) -> str:
            return bench.app.screen.query_one(f"#projector-{place}", Digits).value

        await bench.until(lambda: bench.screen.session is not None and bench.screen.session.was_read)
        await bench.pilot.press("P")
        await bench.until(lambda: isinstance(bench.app.screen, TrainProjector) and number(0) == "40")
        assert number(1) == f"{loss_at(40):.2f}"
        assert "Generate" not in bench.shown, "no tabs and no keys"
        await bench.pilot.press("ctrl+n")
        assert not bench.app.current_theme.dark
        run.write(steps(41, 60))  # it follows the run
        await bench.until(lambda: (number(0), number(1)) == ("60", f"{loss_at(60):.2f}"))
        await bench.sees("scripted: training")
        await bench.pilot.press("escape", "h")
        await bench.until(lambda: isinstance(bench.app.screen, TimeMachineScreen))
        below, engine = bench.app.screen, bench.app.engine
        assert isinstance(below, TimeMachineScreen)
        assert isinstance(engine, FakeEngine)
        await bench.until(lambda: len(engine.asked) == 1)
        engine.begin()
        engine.write("To be")
        engine.end()
        await bench.pilot.press("P")
        await bench.until(lambda: isinstance(bench.app.screen, MomentProjector) and number(0) == "40")
        await bench.sees("To be")
        await bench.pilot.press("space")  # plays as below: from the untrained model
        await bench.until(lambda: below.is_playing and len(engine.asked) == 2)
        engine.begin()
        engine.write("q#x")
        engine.end()
        await bench.until(lambda: (number(0), number(1)) == ("0", "4.20"))
        await bench.sees("q#x")
        await bench.pilot.press("space")
        await bench.until(lambda: not below.is_playing)
        await bench.pilot.press("end")
        await bench.sees("To be")
        await bench.pilot.press("P")
        assert bench.app.screen is below
