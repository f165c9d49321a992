"""The Generate tab's text: its branches and sessions, and the microscope over it, with a scripted engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from generate_bench import Bench, opened
from textual.widgets import Input, OptionList

from tinygpt_tui import paths
from tinygpt_tui.events.generation import Candidate, Explained, GenerationEnded, Token, TokenProbabilities, TokenSeen
from tinygpt_tui.sessions.store import SessionStore
from tinygpt_tui.ui.generate.branches import BranchesScreen
from tinygpt_tui.ui.generate.sessions import SessionsScreen
from tinygpt_tui.ui.shared.prompt_box import PromptBox

pytestmark = pytest.mark.usefixtures("no_shipped_models")

OTHERS = tuple(Candidate(id, text, 0.3 - id / 10) for id, text in enumerate("xyz"))


def explain(bench: Bench) -> None:
    """Answer the last question: each character had probability 1/8, and could have been x, y or z."""
    asked = bench.engine.asked_why[-1]
    seen = tuple(
        TokenSeen(place, place + 1, 0, TokenProbabilities(0.125, 4, 2.0, OTHERS) if place else None)
        for place in range(asked.start, asked.end)
    )
    bench.engine.say(Explained(asked.job, seen), GenerationEnded(asked.job, "length", 0, 0.1, None))


async def test_every_writing_is_a_branch_and_none_is_lost() -> None:
    async with opened() as bench:
        await bench.write("ab", "cd")
        await bench.write("ab", "xy")
        await bench.pilot.press("ctrl+r")
        await bench.until(lambda: len(bench.engine.asked) == 3)
        assert bench.engine.asked[-1].prompt == "ab"
        bench.engine.begin()
        bench.engine.write("pq")
        bench.engine.end()
        await bench.until(lambda: not bench.screen.pane.writing.busy)
        editor = bench.screen.pane.editor
        assert [editor.full_text(branch) for branch in editor.session.branches] == ["abcd", "abxy", "abpq"]
        assert "branch 3 of 3" in str(bench.screen.pane.output.border_subtitle)
        await bench.pilot.press("ctrl+b")
        await bench.until(lambda: isinstance(bench.app.screen, BranchesScreen))
        await bench.until(lambda: bench.app.screen.query_one(OptionList).option_count == 3)
        await bench.pilot.press("home", "enter")
        await bench.until(lambda: bench.text == "abcd")
        assert bench.screen.pane.output.prompt_end == 2
        await bench.pilot.press("ctrl+g")
        await bench.until(lambda: len(bench.engine.asked) == 4)
        assert bench.engine.asked[-1].prompt == "abcd"


async def test_again_on_a_reopened_branch_begins_behind_the_alternative_chosen_there() -> None:
    async with opened() as bench:
        await bench.write("ab", "cd")
        editor, card = bench.screen.pane.editor, bench.screen.chooser.card
        assert card is not None
        editor.fork(3, "xy", card, bench.screen.pane.sampling)
        editor.append("z", 1)
        editor.ended("stopped")
        bench.screen.pane.show_branch()
        assert bench.text == "abcxyz"
        await bench.pilot.press("ctrl+r")
        await bench.until(lambda: len(bench.engine.asked) == 2)
        assert bench.engine.asked[-1].prompt == "abcxy"


async def test_another_branch_chosen_while_it_writes_stops_it_and_keeps_what_was_written() -> None:
    async with opened((120, 40)) as bench:
        await bench.write("ab", "cd")
        await bench.ask("ef")
        bench.engine.begin()
        bench.engine.write("gh")
        await bench.until(lambda: bench.text == "efgh")
        await bench.pilot.press("ctrl+b")
        await bench.until(lambda: isinstance(bench.app.screen, BranchesScreen))
        await bench.until(lambda: bench.app.screen.query_one(OptionList).option_count == 2)
        await bench.pilot.press("home", "enter")
        await bench.until(lambda: bench.text == "abcd")
        await bench.until(lambda: bench.engine.stopped == [2])
        bench.engine.write("zz")
        bench.engine.end("stopped")
        await bench.pilot.pause()
        editor = bench.screen.pane.editor
        assert [editor.full_text(branch) for branch in editor.session.branches] == ["abcd", "efgh"]


async def test_the_session_is_on_the_disk_and_can_be_reopened() -> None:
    async with opened() as bench:
        await bench.write("ab", "cd")
        await bench.until(lambda: SessionStore().cards())
    async with opened(models=("one", "two")) as bench:
        await bench.pilot.press("ctrl+s")
        await bench.until(lambda: isinstance(bench.app.screen, SessionsScreen))
        await bench.until(lambda: bench.app.screen.query_one(OptionList).option_count == 1)
        await bench.pilot.press("enter")
        await bench.until(lambda: bench.text == "abcd")
        assert bench.screen.pane.output.border_subtitle == "T 0.8 · ┄┄┄┄● full · seed 7"
        await bench.write("pq", "r")
    (card,) = SessionStore().cards()
    assert card.heading.startswith("ab")
    assert len(SessionStore().load(card.id).branches) == 2


async def test_what_is_cleared_and_what_is_being_written_when_the_app_is_quit_is_kept() -> None:
    async with opened() as bench:
        await bench.ask("ab")
        bench.engine.begin()
        bench.engine.write("cd")
        await bench.until(lambda: bench.text == "abcd")
        await bench.press("ctrl+l")
        await bench.until(lambda: bench.text == "")
        await bench.ask("ef")
        bench.engine.begin()
        bench.engine.write("g")
        await bench.until(lambda: bench.text == "efg")
    (card,) = SessionStore().cards()
    branches = SessionStore().load(card.id).branches.values()
    assert [(branch.text, branch.tokens) for branch in branches] == [("abcd", 2), ("efg", 1)]


async def test_the_microscope_explains_what_is_under_the_cursor_and_forks_there() -> None:
    async with opened(size=(80, 24)) as bench:
        await bench.write("ab", "cdef")
        await bench.pilot.press("f5")
        await bench.until(lambda: bench.engine.asked_why)
        asked = bench.engine.asked_why[0]
        assert (asked.text, asked.start) == ("abcdef", 2)
        assert not bench.screen.query_one(PromptBox).display
        explain(bench)
        glass = bench.screen.pane.glass
        await bench.until(lambda: glass.index.info(3).state == "known")
        await bench.pilot.press("right", "2", "enter")
        await bench.until(lambda: len(bench.engine.asked) == 2)
        assert bench.engine.asked[-1].prompt == "abcy"
        await bench.until(lambda: bench.text == "abcy")
        assert bench.screen.pane.output.prompt_end == 2
        assert bench.screen.query_one(PromptBox).display
        bench.engine.begin()
        bench.engine.write("!")
        bench.engine.end()
        await bench.until(lambda: not bench.screen.pane.writing.busy)
        editor = bench.screen.pane.editor
        assert [editor.full_text(branch) for branch in editor.session.branches] == ["abcdef", "abcy!"]


async def test_escape_leaves_the_microscope_before_anything_else() -> None:
    async with opened() as bench:
        await bench.write("ab", "cd")
        await bench.pilot.press("f5")
        await bench.until(lambda: bench.screen.pane.glass.is_open)
        await bench.pilot.press("escape")
        await bench.until(lambda: not bench.screen.pane.glass.is_open)
        assert bench.screen.query_one(PromptBox).has_focus


async def test_coloured_text_asks_for_the_chances_of_what_is_written() -> None:
    async with opened() as bench:
        await bench.write("ab", "cd")
        assert bench.engine.asked[-1].candidates is None
        await bench.pilot.press("f6")
        await bench.until(lambda: bench.engine.asked_why)
        explain(bench)
        await bench.until(lambda: bench.screen.pane.glass.index.levels[3] == 3)
        await bench.pilot.press("ctrl+g")
        await bench.until(lambda: len(bench.engine.asked) == 2)
        assert bench.engine.asked[-1].candidates == 0
        bench.engine.begin()
        bench.engine.say(Token(bench.engine.asked[-1].job, 0, 0, "e", 4, TokenProbabilities(0.001, 9, 2.0)))
        await bench.until(lambda: bench.text == "abcde")
        assert bench.screen.pane.glass.index.levels[4] == 6


async def test_another_model_is_asked_anew() -> None:
    async with opened((120, 40), models=("one", "two")) as bench:
        await bench.write("ab", "cd")
        await bench.pilot.press("f5")
        await bench.until(lambda: bench.engine.asked_why)
        explain(bench)
        await bench.until(lambda: bench.screen.pane.glass.index.info(2).state == "known")
        count = len(bench.engine.asked_why)
        card = next(card for card in bench.screen.chooser.models.cards if card.name == "two")
        bench.screen.chooser.use_model(card)
        await bench.until(lambda: len(bench.engine.asked_why) > count)
        assert bench.engine.asked_why[-1].model == card.path


@pytest.mark.parametrize(("suffix", "starts"), [(".txt", b"abcd"), (".md", b"# ab"), (".json", b"{")])
async def test_the_suffix_decides_how_it_is_saved(tmp_path: Path, suffix: str, starts: bytes) -> None:
    async with opened() as bench:
        await bench.write("ab", "cd")
        await bench.pilot.press("f9")
        await bench.until(lambda: bench.app.screen.query(Input))
        path = tmp_path / f"text{suffix}"
        bench.app.screen.query_one(Input).value = str(path)
        await bench.pilot.press("enter")
        await bench.until(path.exists)
        assert path.read_bytes().startswith(starts)


async def test_a_disk_that_cannot_be_written_is_told_once_and_the_text_stays() -> None:
    paths.home().mkdir(parents=True, exist_ok=True)
    paths.sessions_folder().write_text("in the way", encoding="utf-8")
    async with opened() as bench:
        await bench.write("ab", "cd")
        await bench.until(lambda: bench.notes)
        assert bench.text == "abcd"
        paths.sessions_folder().unlink()
    assert len(SessionStore().cards()) == 1


async def test_own_settings_are_remembered_and_a_session_s_are_said_and_do_not_outlive_it() -> None:
    async with opened() as bench:
        bench.screen.query_one("#sampling-temperature", Input).value = "0.5"
        await bench.until(lambda: bench.screen.pane.sampling.temperature == 0.5)
        await bench.write("ab", "cd")
        await bench.until(lambda: SessionStore().cards())
        bench.screen.query_one("#sampling-temperature", Input).value = "1.5"
        await bench.until(lambda: bench.screen.panes.own_sampling.temperature == 1.5)
        await bench.pilot.press("ctrl+q")
        await bench.until(lambda: bench.engine.closed)
    async with opened() as bench:
        screen = bench.screen
        assert screen.pane.sampling.temperature == 1.5
        await bench.pilot.press("ctrl+s")
        await bench.until(lambda: isinstance(bench.app.screen, SessionsScreen))
        await bench.until(lambda: bench.app.screen.query_one(OptionList).option_count == 1)
        await bench.pilot.press("enter")
        await bench.until(lambda: screen.pane.sampling.temperature == 0.5)
        await bench.until(lambda: "temperature 0.5" in bench.notes)
        await bench.pilot.press("ctrl+s")
        await bench.until(lambda: isinstance(bench.app.screen, SessionsScreen))
        await bench.pilot.press("n")
        await bench.until(lambda: screen.pane.sampling.temperature == 1.5)
