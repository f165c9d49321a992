"""The chart's company in the Train tab: yardsticks, the sentence, other curves, ghosts, and the doctor."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from textual.app import App, ComposeResult
from train_bench import ScriptedRun, steps, train_tab
from wait import wait_until

from tinygpt_tui.corpora.floors import Floor
from tinygpt_tui.doctor.examination import Examination, run_path, write_examination
from tinygpt_tui.events.training import Finding
from tinygpt_tui.ui.shared.loss_chart import TrainChart
from tinygpt_tui.ui.train.doctor import TrainDoctor

pytestmark = pytest.mark.usefixtures("no_shipped_models")

FLOORS = [Floor("guessing", 0, 4.17), Floor("unigram", 1, 3.35), Floor("trigram", 3, 2.3), Floor("5-gram", 5, 1.2)]
DAMAGE = Finding(
    0, "mojibake", "warning", "2 places where UTF-8 was read as Latin-1", "The model would learn them.", place=9
)
DEAD = Finding(
    40, "dead-units", "warning", "40 of 100 units never wake", "They get no gradient.", {"activation": "gelu"}
)


@pytest.fixture
def run() -> ScriptedRun:
    run = ScriptedRun()
    write_examination(Examination(floors=FLOORS, findings=[DAMAGE]), run_path(run.folder))
    run.live(until=40)
    run.write([DEAD])
    return run


async def test_further_lines_of_a_finding_stand_below_its_first_word() -> None:
    long = Finding(0, "check", "warning", "one " * 20, "why " * 20, {"dropout": "0.2"})

    class Doctor(App[None]):
        def compose(self) -> ComposeResult:
            yield TrainDoctor()

    app = Doctor()
    async with app.run_test(size=(40, 20)) as pilot:
        doctor = app.query_one(TrainDoctor)
        doctor.show_findings([long])
        await wait_until(pilot, lambda: doctor.size.width and doctor.option_count == 1)
        for size in ((40, 20), (30, 20)):
            await pilot.resize_terminal(*size)
            await wait_until(pilot, lambda: size[0] - 8 < doctor.size.width <= size[0])  # noqa: B023
            await pilot.pause()
            lines = str(doctor.get_option_at_index(0).prompt).splitlines()
            assert len(lines) > 4
            assert all(line.startswith("   ") and len(line) <= size[0] for line in lines[1:])


async def test_yardsticks_and_a_sentence(run: ScriptedRun) -> None:
    async with train_tab((80, 24)) as bench:
        await bench.sees("Now better than a trigram, not yet than a 5-gram")
        assert "unigram 3.35" in bench.shown
        await bench.pilot.press("y")
        await bench.until(lambda: "unigram" not in bench.shown)
        await bench.pilot.press("v")
        await bench.sees("bits per character")
        await bench.pilot.press("V", "V")
        await bench.sees("12.3")  # tokens/s, in thousands
        await bench.pilot.press("v", "c")
        await bench.until(lambda: bench.app.screen.is_modal)
        assert "TinyGPT" in bench.shown
        await bench.pilot.press("space", "enter")
        await bench.until(lambda: bench.screen.query_one(TrainChart).overlays)
        (ghost,) = bench.screen.query_one(TrainChart).overlays
        assert ghost.name == "TinyGPT"
        await bench.sees("a TinyGPT")


async def test_the_doctor_and_what_helps(run: ScriptedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "a text.txt"
    text.write_text("line one\nÃ© and more\n" * 300, encoding="utf-8")
    settings = run.folder.read_settings()
    corpus = msgspec.structs.replace(settings.corpus, path=str(text))
    run.folder.write_settings(msgspec.structs.replace(settings, corpus=corpus))
    started: list[dict[str, bool]] = []
    monkeypatch.setattr(
        "tinygpt_tui.ui.jobs.training_session.start_examiner", lambda *given, **more: started.append(more)
    )
    async with train_tab((80, 24)) as bench:
        await bench.sees("step 40 of 100")
        assert "4 Doctor: 2 !" in bench.shown
        await bench.pilot.press("4")
        await bench.sees("40 of 100 units never wake")
        assert "⏎ start a new run with activation gelu" in bench.shown
        doctor = bench.screen.query_one(TrainDoctor)
        words = [str(doctor.get_option_at_index(index).prompt) for index in range(doctor.option_count)]
        assert words[0].lstrip(" ▸").startswith("! 2 places where UTF-8")
        await bench.pilot.press("home", "enter")
        await bench.until(lambda: bench.app.screen.is_modal)
        await bench.sees("▸Ã© and m")
        await bench.pilot.press("escape")
        await bench.until(lambda: not bench.app.screen.is_modal)
        last = next(index for index, text in enumerate(words) if "overfit test not run" in text)
        doctor.highlighted = last
        await bench.pilot.press("enter")
        await bench.until(lambda: started == [{"one_batch": True}])
        doctor.highlighted = 1
        await bench.pilot.press("enter")
        await bench.until(lambda: bench.screen.session is None)
        await bench.read()
        assert bench.form.settings is not None
        assert bench.form.settings.architecture.activation == "gelu"
        assert bench.form.state.facts is not None
        assert bench.form.state.facts.reference.path == str(text)


async def test_findings_that_come_later_keep_the_cursor(run: ScriptedRun) -> None:
    async with train_tab() as bench:
        await bench.sees("40 of 100 units never wake")
        doctor = bench.screen.query_one(TrainDoctor)
        doctor.highlighted = 1
        run.write([*steps(41, 50), Finding(50, "step-size", "bad", "a step moves the weights by 3 of their size")])
        await bench.until(lambda: "A step moves the weights by 3" in str(doctor.get_option_at_index(0).prompt))
        assert doctor.highlighted == 2
