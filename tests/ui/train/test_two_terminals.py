"""Two apps and `watch` in three terminals follow one run: they show the same, and none disturbs another."""

from __future__ import annotations

import pytest
from train_bench import ScriptedRun, TrainBench, steps, train_tab

from tinygpt_tui.cli.training_view import RunView, numbers
from tinygpt_tui.events.training import Paused, Resumed
from tinygpt_tui.runs.control import Control
from tinygpt_tui.ui.jobs.training_session import Phase
from tinygpt_tui.workers.trainer import RunWatch

pytestmark = pytest.mark.usefixtures("no_shipped_models")


async def test_two_apps_and_watch_follow_one_run() -> None:
    run = ScriptedRun()
    run.live(until=40)
    control = Control(run.folder.control)
    watch, view = RunWatch(run.folder), RunView(run.folder)

    async def all_show(phase: Phase, step: int, *benches: TrainBench) -> None:
        view.add(watch.poll())
        for bench in benches:
            await bench.until(lambda bench=bench: bench.phase is phase)
            await bench.until(lambda bench=bench: f"step {step} of 100" in bench.shown)
            session = bench.screen.session
            assert session is not None
            assert numbers(session.history)[:3] == numbers(view.history)[:3]

    async with train_tab((120, 34)) as first:
        await all_show(Phase.TRAINING, 40, first)
        async with train_tab((80, 24)) as second:
            await all_show(Phase.TRAINING, 40, first, second)
            run.write(steps(41, 60))
            await all_show(Phase.TRAINING, 60, first, second)

            await first.pilot.press("space")
            await all_show(Phase.PAUSING, 60, first, second)
            run.write([Paused(60)])
            run.say("paused", 60)
            await all_show(Phase.PAUSED, 60, first, second)
            await second.pilot.press("space")
            await second.until(lambda: not control.pending("pause"))
            run.write([Resumed(60)])
            run.say("running", 60)
            await all_show(Phase.TRAINING, 60, first, second)

            await second.pilot.press("s")
            await second.until(lambda: second.app.screen.is_modal)
            await second.pilot.press("enter")
            await all_show(Phase.STOPPING, 60, first, second)
        assert control.pending("stop"), "only the trainer takes a command"
        assert watch.alive()
        assert control.consume("stop")
        run.end("stopped", 60)
        await all_show(Phase.STOPPED, 60, first)
