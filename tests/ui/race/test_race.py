"""The Race tab with a scripted engine: what the user types, and what they see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeEngine, make_model
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static
from wait import AppInUse, wait_until

from tinygpt_tui import paths
from tinygpt_tui.errors import EngineError
from tinygpt_tui.events.generation import EngineFailed, EngineReady, GenerationEnded
from tinygpt_tui.events.requests import Allow
from tinygpt_tui.events.training import Evaluation
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.journal import Journal
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.models.choose_model import ChooseModel
from tinygpt_tui.ui.race.pane import RacePane
from tinygpt_tui.ui.race.screen import RaceScreen
from tinygpt_tui.ui.race.track import RaceTrack, columns_for
from tinygpt_tui.ui.shared.edit_sampling import EditSampling
from tinygpt_tui.ui.shared.pacer import Pacer
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shell.help import HelpScreen
from tinygpt_tui.ui.shell.preferences import Preferences

pytestmark = pytest.mark.usefixtures("no_shipped_models")

TEMPERATURE = "#sampling-temperature"


class Bench(AppInUse):
    """The app on its Race tab, its fake engine, and what stands on the screen."""

    def __init__(self, app: TinyGPTApp, engine: FakeEngine, pilot: Pilot[None]) -> None:
        super().__init__(app, pilot)
        self.engine = engine

    @property
    def screen(self) -> RaceScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, RaceScreen)
        return screen

    @property
    def panes(self) -> list[RacePane]:
        return self.screen.panes

    @property
    def texts(self) -> list[str]:
        return [pane.output.text for pane in self.panes]

    @property
    def titles(self) -> list[str]:
        return [str(pane.border_title).replace("▸", "").strip() for pane in self.panes]

    @property
    def progress(self) -> list[str]:
        return [str(pane.border_subtitle) for pane in self.panes]

    @property
    def line(self) -> str:
        return str(self.screen.query_one("#race-line", Static).render())

    @property
    def judgement(self) -> str:
        return str(self.screen.query_one("#race-judgement", Static).render())

    @property
    def keys(self) -> set[str]:
        """The descriptions in the footer."""
        return {active.binding.description for active in self.screen.active_bindings.values() if active.binding.show}

    async def start(self, prompt: str = "x") -> None:
        """Type a prompt, press Enter, wait for all requests."""
        before = len(self.engine.asked)
        self.screen.query_one(PromptBox).text = prompt
        await self.press("enter")
        await self.until(lambda: len(self.engine.asked) == before + len(self.panes))
        for asked in self.engine.asked[before:]:
            self.engine.begin(job=asked.job)

    async def to_pane(self, number: int) -> None:
        """Go to a pane with the Tab key."""
        while not self.panes[number - 1].has_focus_within:
            await self.press("tab")

    async def modal(self, kind: type) -> Any:
        """Wait for a dialog."""
        await self.until(lambda: isinstance(self.app.screen, kind) and self.app.screen.focused is not None)
        return self.app.screen


@asynccontextmanager
async def opened(
    size: tuple[int, int] = (140, 40), models: tuple[str, ...] = ("one",), ready: bool = True, engine: Any = None
) -> AsyncIterator[Bench]:
    """Open the app on its Race tab, on a home with some models."""
    for name in models:
        if not (paths.models_folder() / name).exists():
            make_model(name)
    engine = engine or FakeEngine(ready)
    app = TinyGPTApp(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.press("f4")
        await wait_until(pilot, lambda: isinstance(app.screen, RaceScreen) and app.screen.is_mounted)
        bench = Bench(app, engine, pilot)
        if models:
            await bench.until(lambda: all(lane.contender.model for lane in bench.screen.race.lanes))
        yield bench


async def test_a_model_and_its_untrained_twin_run_from_one_prompt_with_one_seed() -> None:
    async with opened() as bench:
        assert bench.titles == ["1 one", "2 one, untrained"]
        await bench.press(*"ab", "enter")
        await bench.until(lambda: len(bench.engine.asked) == 2)
        first, second = bench.engine.asked
        assert (first.prompt, first.untrained, second.prompt, second.untrained) == ("ab", False, "ab", True)
        assert first.model == second.model
        assert first.sampling.seed is not None
        assert first.sampling == second.sampling
        for job, text in ((1, "hello"), (2, "help")):
            bench.engine.begin(job=job)
            bench.engine.write(text, job=job)
        await bench.until(lambda: bench.texts == ["abhello", "abhelp"])
        assert bench.line == f"first differs at character 4: 'l' / 'p' · seed {first.sampling.seed}"
        bench.engine.end(job=1)
        bench.engine.end(job=2)
        await bench.until(
            lambda: "75% same as 1" in bench.progress[1] and "stopped at the 5-token limit" in bench.progress[0]
        )
        assert "same as 1" not in bench.progress[0]


async def test_models_that_learned_pairs_are_told_with_their_right_answers() -> None:
    async with opened(models=("one", "two")) as bench:
        await bench.to_pane(2)
        await bench.press("m")
        await bench.modal(ChooseModel)
        await bench.press("down", "enter")
        await bench.until(lambda: bench.titles == ["1 one", "2 two"])
        journal = Journal(RunFolder(paths.models_folder() / "two").events)
        journal.append([Evaluation(10, 1.0, 1.0, 10, 1.0, 0.1, right=0.985)])
        journal.close()
        await bench.start("x")
        for job in (1, 2):
            bench.engine.write("ab", job=job)
            bench.engine.end(job=job)
        await bench.until(lambda: "answers in the validation split: 2 98.5% right" in bench.judgement)


async def test_all_panes_are_written_in_step_and_then_each_model_judges_all_texts() -> None:
    async with opened((80, 24)) as bench:

        def allowed() -> dict[int, int | None]:
            return {
                request.job: request.tokens for request in bench.engine.script.requests if isinstance(request, Allow)
            }

        await bench.start("ab")
        assert [asked.allowed for asked in bench.engine.asked] == [0, 0]  # a token only when its time has come
        await bench.until(
            lambda: "20/s" in bench.judgement and allowed().get(1) == allowed().get(2) == 3
        )  # no more before one is shown
        bench.engine.write("h", job=1)
        bench.engine.write("h", job=2)
        await bench.until(lambda: allowed()[1] == allowed()[2] == 4)
        await bench.press("ctrl+@")
        await bench.until(lambda: "Ⅱ" in bench.judgement)
        await bench.press("ctrl+@", *["alt+up"] * 2)
        await bench.until(lambda: "full" in bench.judgement and allowed() == {1: None, 2: None})
        for job, text in ((1, "ello!"), (2, "elpx")):
            bench.engine.write(text, job=job)
            bench.engine.end(job=job)
        for questions in range(1, 5):  # two models, two texts
            await bench.until(lambda questions=questions: len(bench.engine.asked_why) == questions)
            bench.engine.explain_next()
        await bench.until(lambda: "own" in bench.judgement)
        assert bench.judgement == "surprise, bits a character: 1 own 5.5, others 5.0 · 2 own 5.0, others 5.5"
        asked = bench.engine.asked_why
        assert [(why.text, why.untrained) for why in asked] == [
            ("abhello!", False), ("abhelpx", False), ("abhello!", True), ("abhelpx", True),
        ]  # fmt: skip
        assert {(why.start, why.end) for why in asked} == {(2, 8), (2, 7)}
        colours = [pane.output.get_component_styles("output--differs-1").color.rich_color for pane in bench.panes]
        rows = [pane.output.render_line(0) for pane in bench.panes]
        for row, colour, differs in zip(rows, colours, ("o", "x"), strict=True):
            coloured = [segment.text for segment in row if segment.style and segment.style.color == colour]
            assert "".join(coloured).strip() == differs


async def test_the_first_difference_is_reversed_and_the_bar_runs_along_what_is_the_same() -> None:
    async with opened((80, 24)) as bench:
        await bench.start("ab")
        bench.engine.write("c\ndef", job=1)
        bench.engine.write("c\ndXf", job=2)
        await bench.until(lambda: "differs" in bench.line)
        for pane, character in zip(bench.panes, "eX", strict=True):
            lines = [pane.output.render_line(row) for row in range(3)]
            assert [line.text[:5].rstrip() for line in lines] == ["│ abc", f"╰ d{character}f", ""]
            marked = [segment.text for segment in lines[1] if segment.style and segment.style.reverse]
            assert marked == [character]


@pytest.mark.parametrize(("texts", "place"), [(("ab\nc", "abc"), 4), (("ab\nc", "ab c"), 4)])
async def test_a_line_end_that_differs_is_marked_by_the_cell_behind_it(texts: tuple[str, str], place: int) -> None:
    async with opened() as bench:
        await bench.start("")
        for job, text in enumerate(texts, 1):
            bench.engine.write(text, job=job)
        await bench.until(lambda: "character 3" in bench.line)
        line = bench.panes[0].output.render_line(0)
        before = ""
        for segment in line:
            if segment.style and segment.style.reverse:
                break
            before += segment.text
        assert len(before) == place


async def test_a_difference_far_up_is_found_by_a_key() -> None:
    async with opened((80, 24)) as bench:
        await bench.start("")
        bench.engine.write("a" + "\n" * 99, job=1)
        bench.engine.write("b" + "\n" * 99, job=2)
        await bench.until(lambda: all(pane.output.scroll_offset.y > 50 for pane in bench.panes))
        await bench.to_pane(2)
        await bench.press("]")
        await bench.until(lambda: all(pane.output.scroll_offset.y == 0 for pane in bench.panes))
        await bench.press("pagedown")
        await bench.until(lambda: len({pane.output.scroll_offset.y for pane in bench.panes} - {0}) == 1)
        await bench.press("ctrl+end")
        await bench.until(lambda: all(pane.output.following for pane in bench.panes))


async def test_escape_stops_all_and_the_texts_stay() -> None:
    async with opened() as bench:
        await bench.start()
        bench.engine.write("abc", job=1)
        bench.engine.write("abd", job=2)
        await bench.until(lambda: bench.texts == ["xabc", "xabd"])
        await bench.press("escape")
        await bench.until(lambda: bench.engine.stopped == [1, 2])
        bench.engine.end("stopped", job=1)
        bench.engine.end("stopped", job=2)
        await bench.until(lambda: all("stopped" in progress for progress in bench.progress))
        assert bench.texts == ["xabc", "xabd"]


async def test_enter_while_they_write_stops_the_old_jobs_which_are_silent_then() -> None:
    async with opened() as bench:
        await bench.start("a")
        await bench.start("b")
        assert bench.engine.stopped == [1, 2]
        bench.engine.write("never shown", job=1)
        bench.engine.write("new", job=3)
        await bench.until(lambda: bench.texts == ["bnew", "b"])
        await bench.start("")  # a prompt may be empty
        bench.engine.write("abc", job=5)
        await bench.until(lambda: bench.texts == ["abc", ""])


async def test_again_takes_the_same_prompt_and_another_seed() -> None:
    async with opened() as bench:
        await bench.start("a")
        bench.engine.end(job=1)
        bench.engine.end(job=2)
        await bench.until(lambda: "Retry" in bench.keys)
        bench.screen.query_one(PromptBox).text = "something else"
        await bench.press("ctrl+r")
        await bench.until(lambda: len(bench.engine.asked) == 4)
        seeds = [asked.sampling.seed for asked in bench.engine.asked]
        assert seeds[0] == seeds[1] != seeds[2] == seeds[3]
        assert bench.engine.asked[2].prompt == "a"


async def test_a_job_of_the_other_tab_is_none_of_ours_and_the_other_way_round() -> None:
    async with opened() as bench:
        await bench.press("f2")
        await bench.until(lambda: bench.app.current_mode == "generate")
        generating = bench.app.screen
        generating.query_one(PromptBox).text = "g"
        await bench.press("enter")
        await bench.until(lambda: len(bench.engine.asked) == 1)
        bench.engine.begin(job=1)
        await bench.press("f4")
        await bench.until(lambda: bench.app.current_mode == "race")
        await bench.start("r")
        bench.engine.write("theirs", job=1)
        bench.engine.write("ours", job=2)
        await bench.until(lambda: bench.texts == ["rours", "r"])
        await bench.until(lambda: generating.pane.output.text == "gtheirs")  # type: ignore[attr-defined]


async def test_panes_are_added_up_to_four_and_removed_down_to_two() -> None:
    async with opened(models=("one", "two")) as bench:
        await bench.to_pane(1)
        assert "New" in bench.keys
        assert "Delete" not in bench.keys
        await bench.press("n")
        await bench.until(lambda: len(bench.panes) == 3)
        assert bench.titles[2] == "3 two"
        await bench.until(lambda: bench.panes[2].has_focus_within)
        await bench.press("n")
        await bench.until(lambda: len(bench.panes) == 4)
        await bench.until(lambda: "New" not in bench.keys)
        await bench.press("n")
        assert len(bench.panes) == 4
        for left in (3, 2):
            await bench.press("d")
            await bench.until(lambda left=left: len(bench.panes) == left)
        await bench.until(lambda: "Delete" not in bench.keys)
        assert bench.titles == ["1 one", "2 one, untrained"]


async def test_a_removed_pane_ends_its_job_and_the_others_are_compared_anew() -> None:
    async with opened(models=("one", "two")) as bench:
        await bench.to_pane(1)
        await bench.press("n")
        await bench.until(lambda: len(bench.panes) == 3)
        await bench.start()
        for job, text in enumerate(("abc", "aXc", "aXY"), 1):
            bench.engine.write(text, job=job)
        await bench.until(lambda: "'b' / 'X' / 'X'" in bench.line)
        await bench.to_pane(1)
        await bench.press("d")
        await bench.until(lambda: len(bench.panes) == 2)
        await bench.until(lambda: bench.engine.stopped == [1])
        assert bench.titles == ["1 one, untrained", "2 two"]
        assert "character 3: 'c' / 'Y'" in bench.line


async def test_a_pane_added_while_they_write_waits_for_the_next_race() -> None:
    async with opened() as bench:
        await bench.start()
        bench.engine.write("ab", job=1)
        bench.engine.write("ab", job=2)
        await bench.until(lambda: bench.texts == ["xab", "xab"])
        await bench.press("alt+n")
        await bench.until(lambda: len(bench.panes) == 3)
        assert "the same so far: 2 characters" in bench.line
        await bench.start()
        assert len(bench.engine.asked) == 5


async def test_a_model_is_chosen_from_the_list_for_the_pane_with_the_focus() -> None:
    async with opened(models=("one", "two")) as bench:
        await bench.to_pane(2)
        await bench.press("m")
        dialog = await bench.modal(ChooseModel)
        await bench.until(lambda: dialog.query_one(OptionList).option_count == 2)
        await bench.press("down", "enter")
        await bench.until(lambda: bench.titles == ["1 one", "2 two"])  # trained, although the one before was not
        await bench.press("m")
        await bench.modal(ChooseModel)
        await bench.press("escape")
        await bench.until(lambda: bench.app.screen is bench.screen)
        assert bench.titles == ["1 one", "2 two"]
        await bench.start()
        assert [Path(asked.model).name for asked in bench.engine.asked] == ["one", "two"]
        assert not any(asked.untrained for asked in bench.engine.asked)


async def test_from_the_prompt_the_keys_mean_the_pane_that_had_the_focus() -> None:
    async with opened() as bench:
        await bench.to_pane(2)
        await bench.press("escape")
        await bench.until(lambda: bench.screen.query_one(PromptBox).has_focus)
        assert str(bench.panes[1].border_title).startswith("▸")
        await bench.press("u")
        assert bench.screen.query_one(PromptBox).text == "u"
        await bench.press("alt+u")
        await bench.until(lambda: bench.titles == ["1 one", "2 one"])


async def test_a_pane_shows_how_its_settings_differ_from_the_firsts() -> None:
    async with opened() as bench:
        await bench.to_pane(2)
        await bench.press("ctrl+t")
        dialog = await bench.modal(EditSampling)
        dialog.query_one(TEMPERATURE, Input).value = "1.5"
        await bench.press("enter")
        await bench.until(lambda: bench.panes[1].note == "temperature 1.5")
        await bench.to_pane(1)
        await bench.press("ctrl+t")
        dialog = await bench.modal(EditSampling)
        dialog.query_one("#sampling-top_k", Input).value = "5"
        await bench.press("enter")
        await bench.until(lambda: bench.app.screen is bench.screen)
        await bench.start()
        assert [(asked.sampling.temperature, asked.sampling.top_k) for asked in bench.engine.asked] == [
            (0.8, 5),
            (1.5, 5),
        ]
        await bench.to_pane(2)
        await bench.press("ctrl+t")
        dialog = await bench.modal(EditSampling)
        await bench.press("f8")
        await bench.until(lambda: dialog.query_one(TEMPERATURE, Input).value == "0.8")
        await bench.press("enter")
        await bench.until(lambda: bench.panes[1].note == "temperature 1.5\nnext: one, untrained")


async def test_settings_that_cannot_be_are_not_taken() -> None:
    async with opened() as bench:
        await bench.press("ctrl+t")
        dialog = await bench.modal(EditSampling)
        dialog.query_one(TEMPERATURE, Input).value = "-1"
        await bench.press("enter")
        await bench.until(lambda: "temperature" in bench.notes)
        assert bench.app.screen is dialog
        await bench.press("escape")
        await bench.until(lambda: bench.app.screen is bench.screen)
        await bench.start()
        assert bench.engine.asked[0].sampling.temperature == 0.8


async def test_a_changed_pane_keeps_its_text_and_says_who_comes_next() -> None:
    async with opened() as bench:
        await bench.start()
        bench.engine.write("abc", job=2)
        await bench.until(lambda: bench.texts[1] == "xabc")
        await bench.to_pane(2)
        await bench.press("u")
        await bench.until(lambda: bench.panes[1].note == "next: one")
        assert bench.titles[1] == "2 one, untrained"
        assert bench.texts[1] == "xabc"


async def test_an_error_stands_in_the_pane_it_concerns_and_the_other_goes_on() -> None:
    async with opened() as bench:
        await bench.start()
        bench.engine.write("abc", job=1)
        bench.engine.end("failed", "no weights", "train it", job=2)
        await bench.until(lambda: bench.panes[1].note == "✗ no weights; train it")
        assert bench.progress[1] == "failed"
        bench.engine.write("d", job=1)
        await bench.until(lambda: bench.texts[0] == "xabcd")
        assert bench.panes[0].note == ""


async def test_a_killed_engine_is_said_in_all_panes_and_the_next_enter_works() -> None:
    async with opened() as bench:
        await bench.start()
        bench.engine.write("abc", job=1)
        message = "the engine process ended unexpectedly (signal 9)"
        bench.engine.say(
            *(GenerationEnded(job, "failed", 0, 0.0, None, "", message) for job in (1, 2)), EngineFailed(message)
        )
        await bench.until(lambda: all(pane.note == f"✗ {message}" for pane in bench.panes))
        assert bench.texts == ["xabc", "x"]
        await bench.start()
        await bench.until(lambda: bench.progress[0] == "starting the engine…")
        bench.engine.say(EngineReady(pid=2, versions={}))
        await bench.until(lambda: bench.progress[0] == "reading the prompt…")
        assert not any(pane.note for pane in bench.panes)


async def test_an_engine_that_cannot_be_started_is_said_in_the_panes() -> None:
    engine = FakeEngine()
    engine.script.broken = EngineError("no process", "close other programs")
    async with opened(engine=engine) as bench:
        await bench.press("enter")
        await bench.until(lambda: all(pane.note == "✗ no process; close other programs" for pane in bench.panes))
        assert not bench.screen.race.busy


async def test_characters_that_a_model_does_not_know_are_named_in_its_pane() -> None:
    async with opened() as bench:
        bench.screen.query_one(PromptBox).text = "éa\té"
        await bench.press("enter")
        await bench.until(lambda: len(bench.engine.asked) == 2)
        bench.engine.begin(job=1)
        bench.engine.begin(unknown="é\x1b", job=2)
        await bench.until(lambda: bench.panes[1].note == "unknown characters left out: é ␛")
        assert bench.panes[0].note == ""


async def test_without_a_model_the_panes_say_where_one_comes_from() -> None:
    async with opened(models=()) as bench:
        await bench.until(lambda: "No models yet" in bench.panes[0].output.hint)
        await bench.press("enter")
        await bench.until(lambda: "there is no model yet" in bench.notes)
        assert bench.engine.asked == []


async def test_all_is_copied_and_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened() as bench:
        await bench.start("p")
        bench.engine.write("ab\ud800", job=1)
        bench.engine.write("ax", job=2)
        await bench.until(lambda: bench.texts == ["pab\ud800", "pax"])
        await bench.press("f8")
        assert "pab?" in bench.app.clipboard
        assert "pax" in bench.app.clipboard
        await bench.press("f9")
        await bench.until(lambda: bench.app.screen is not bench.screen and bench.app.screen.query(Input))
        saved = tmp_path / f"race-{bench.screen.race.seed}.txt"
        assert bench.app.screen.query_one(Input).value == str(saved)
        await bench.press("enter")
        await bench.until(lambda: "saved to" in bench.notes)
        assert "first differs at character 2" in saved.read_text(encoding="utf-8", errors="replace")


async def test_the_panes_are_remembered() -> None:
    async with opened(models=("one", "two")) as bench:
        await bench.to_pane(1)
        await bench.press("n", "alt+up")
        await bench.until(lambda: Preferences().settings.race == "trained one\nuntrained one\ntrained two")
        await bench.until(lambda: Preferences().settings.race_pace == "60")
    async with opened(models=("one", "two")) as bench:
        assert "60/s" in bench.screen.query_one(Pacer).dial
        assert bench.titles == ["1 one", "2 one, untrained", "3 two"]


async def test_a_remembered_model_that_is_gone_gives_way_to_the_usual_one() -> None:
    paths.home().mkdir(parents=True, exist_ok=True)
    paths.settings_file().write_bytes(b'race = "trained gone\\nuntrained two"\nmodel = "one"')
    async with opened(models=("one", "two")) as bench:
        assert bench.titles == ["1 one", "2 two, untrained"]


async def test_the_footer_shows_only_what_works_now() -> None:
    async with opened() as bench:
        assert bench.keys == {"Race", "Model", "Sampling"}
        await bench.to_pane(1)
        assert bench.keys == {"Race", "Model", "Sampling", "Untrained", "New"}
        await bench.start()
        await bench.until(
            lambda: bench.keys == {"Race", "Stop", "Pause", "Model", "Sampling", "Untrained", "New", "Copy", "Save"}
        )
        await bench.pilot.press("ctrl+@")
        await bench.until(lambda: "Continue" in bench.keys and "Pause" not in bench.keys)
        bench.engine.end(job=1)
        bench.engine.end(job=2)
        await bench.until(lambda: "Retry" in bench.keys and "Stop" not in bench.keys)


async def test_help_explains_the_pane() -> None:
    async with opened() as bench:
        await bench.to_pane(1)
        await bench.press("f1")
        help_screen = await bench.modal(HelpScreen)
        assert "same random numbers" in " ".join(help_screen.words.split())
        assert {"Race", "Untrained", "New", "Next pane"} <= {row.title for row in help_screen.keys}


@pytest.mark.parametrize(
    ("size", "panes", "places"),
    [
        ((80, 24), 2, [(0, 0), (40, 0)]),
        ((80, 24), 4, [(0, 0), (40, 0), (0, 1), (40, 1)]),
        ((140, 40), 3, [(0, 0), (46, 0), (93, 0)]),
        ((140, 40), 4, [(0, 0), (70, 0), (0, 1), (70, 1)]),
        ((60, 30), 3, [(0, 0), (0, 1), (0, 2)]),
    ],
)
async def test_panes_stand_as_the_width_allows(
    size: tuple[int, int], panes: int, places: list[tuple[int, int]]
) -> None:
    async with opened(size) as bench:
        for count in range(3, panes + 1):
            await bench.press("alt+n")
            await bench.until(lambda count=count: len(bench.panes) == count)
        rows = sorted({pane.region.y for pane in bench.panes})
        assert [(pane.region.x, rows.index(pane.region.y)) for pane in bench.panes] == places
        assert all(pane.output.region.height >= 4 for pane in bench.panes)


async def test_a_third_pane_of_two_columns_takes_the_whole_row_until_a_fourth_comes() -> None:
    async with opened((80, 24)) as bench:
        await bench.press("alt+n")
        await bench.until(lambda: len(bench.panes) == 3 and bench.panes[2].region.width == 80)
        await bench.press("alt+n")
        await bench.until(lambda: len(bench.panes) == 4 and bench.panes[2].region.width == 40)


async def test_with_no_room_for_all_the_panes_scroll() -> None:
    async with opened((60, 16)) as bench:
        for count in (3, 4):
            await bench.press("alt+n")
            await bench.until(lambda count=count: len(bench.panes) == count)
        assert bench.screen.query_one(RaceTrack).max_scroll_y > 0
        assert all(pane.region.height == 6 for pane in bench.panes)


@pytest.mark.parametrize(
    ("panes", "width", "columns"),
    [(2, 80, 2), (3, 80, 2), (4, 80, 2), (3, 140, 3), (4, 140, 2), (4, 200, 4), (2, 60, 1), (4, 60, 1)],
)
def test_as_many_columns_as_are_wide_enough(panes: int, width: int, columns: int) -> None:
    assert columns_for(panes, width) == columns
