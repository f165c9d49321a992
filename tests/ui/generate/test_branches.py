"""The tree of branches as the user walks it: keys, marks, and what stands on the screen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from fakes import FakeEngine
from textual.pilot import Pilot
from textual.widgets import Input
from wait import AppInUse, wait_until

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.sessions.store import SessionStore
from tinygpt_tui.sessions.walk import Row
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.branches import BranchesScreen, BranchList
from tinygpt_tui.ui.generate.session_editor import SessionEditor
from tinygpt_tui.ui.shared.branch_words import local_time, row_text
from tinygpt_tui.ui.shared.confirm import ConfirmScreen
from tinygpt_tui.ui.shell.help import HelpScreen
from tinygpt_tui.ui.shell.key_bar import KeyBar

pytestmark = pytest.mark.usefixtures("no_shipped_models")

ONE = ModelCard(name="one", path="/models/one", origin="yours")
SAMPLING = SamplingSettings()
NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)


def written() -> SessionEditor:
    """A root (0), forks "queen" (1) with "old" (2), and "knave" (3), which is current; a second root (4)."""
    editor = SessionEditor(SessionStore(clock=lambda: NOON))

    def write(text: str) -> None:
        editor.append(text, len(text))
        editor.ended("length", 7)

    editor.begin("The", ONE, SAMPLING)
    write(" king is dead.")
    editor.fork(4, "queen", ONE, SAMPLING)
    write(" is well.")
    editor.fork(13, "old", ONE, SAMPLING)
    write(" now.")
    editor.choose(0)
    editor.fork(4, "knave", ONE, SAMPLING)
    write(" runs.")
    editor.begin("Once", ONE, SAMPLING)
    write(" more.")
    editor.choose(3)
    return editor


class Bench(AppInUse):
    """The screen in use."""

    def __init__(self, app: TinyGPTApp, pilot: Pilot[None], editor: SessionEditor) -> None:
        super().__init__(app, pilot)
        self.editor = editor
        self.answers: list[bool | None] = []

    @property
    def screen(self) -> BranchesScreen:
        return next(screen for screen in self.app.screen_stack if isinstance(screen, BranchesScreen))

    @property
    def keys(self) -> list[str]:
        """What the footer shows."""
        return [key.description for key in self.screen.query_one(KeyBar).keys]

    @property
    def highlighted(self) -> int | None:
        branch = self.screen.branch
        return None if branch is None else branch.id

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()


@asynccontextmanager
async def opened(
    editor: SessionEditor, size: tuple[int, int] = (80, 24), models: tuple[str, ...] = ()
) -> AsyncIterator[Bench]:
    app = TinyGPTApp(FakeEngine())
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        bench = Bench(app, pilot, editor)
        app.push_screen(BranchesScreen(editor, models), bench.answers.append)
        await wait_until(pilot, lambda: isinstance(app.screen, BranchesScreen) and app.screen.query("BranchList"))
        await bench.until(lambda: bench.keys)
        yield bench


@pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=["80x24", "140x40"])
async def test_the_tree_its_marks_and_the_text_at_the_fork(size: tuple[int, int]) -> None:
    editor = written()
    editor.set_starred(1, True)
    async with opened(editor, size) as bench:
        await bench.sees("The king is dead.", "├─ queen is well.", "│  └─ old now.", "└─ knave runs.", "Once more.")
        await bench.sees("▸  └─ knave", " ★ ├─ queen")
        await bench.sees("The ▸knave runs.", "one · temperature 0.8 · seed 7 · 6 tokens", "5 branches, 1 starred")
        assert bench.keys == ["Show", "Rename", "Star ★", "Delete", "Drop unstarred", "Back"]
        await bench.press("up")
        await bench.sees("The queen is ▸old now.")


async def test_enter_shows_a_branch() -> None:
    editor = written()
    async with opened(editor) as bench:
        await bench.press("home", "enter")
        await bench.until(lambda: bench.answers)
        assert bench.answers == [True]
        assert editor.current is not None
        assert editor.current.id == 0


@pytest.mark.parametrize("key", ["escape", "enter"])
async def test_leaving_where_one_was_changes_nothing(key: str) -> None:
    editor = written()
    before = editor.session
    async with opened(editor) as bench:
        await bench.press(key)
        await bench.until(lambda: bench.answers)
        assert bench.answers == [False]
        assert editor.session == before


async def test_a_branch_is_named_in_place() -> None:
    editor = written()
    async with opened(editor) as bench:
        await bench.press("r")
        await bench.until(lambda: isinstance(bench.screen.focused, Input))
        assert bench.keys == ["Cancel"]
        await bench.press(*"dark", "enter")
        await bench.sees("└─ dark")
        assert editor.session.branches[3].name == "dark"
        await bench.press("r")
        await bench.until(lambda: isinstance(bench.screen.focused, Input))
        await bench.press("x", "escape")
        await bench.until(lambda: isinstance(bench.screen.focused, BranchList))
        assert editor.session.branches[3].name == "dark"
        assert not bench.answers
        await bench.press("r")
        await bench.until(lambda: isinstance(bench.screen.focused, Input))
        await bench.press("delete", "enter")
        await bench.sees("└─ knave runs.")


async def test_keeping_is_a_mark_and_can_be_taken_back() -> None:
    editor = written()
    async with opened(editor) as bench:
        await bench.press("*")
        await bench.sees("▸★ └─ knave", "5 branches, 1 starred")
        assert editor.session.branches[3].kept
        await bench.press("*")
        await bench.sees("5 branches, 0 starred")
        assert not editor.session.branches[3].kept


async def test_one_branch_is_deleted_at_once_and_comes_back() -> None:
    editor = written()
    before = editor.session.branches
    async with opened(editor) as bench:
        assert "Undo" not in bench.keys
        await bench.press("d")
        await bench.sees("1 branch deleted · z to undo")
        assert 3 not in editor.session.branches
        assert bench.highlighted == 4  # the next one, so that d d d walks down
        await bench.until(lambda: "Undo" in bench.keys)
        await bench.press("z")
        await bench.sees("1 branch restored", "knave")
        assert editor.session.branches == before
        assert bench.highlighted == 3


async def test_many_are_deleted_after_a_question_and_kept_ones_stay() -> None:
    editor = written()
    editor.set_starred(2, True)
    async with opened(editor) as bench:
        await bench.press("home", "d")
        await bench.until(lambda: isinstance(bench.app.screen, ConfirmScreen))
        await bench.sees("“The king is dead.” and the 2 branches below it?")
        await bench.press("escape")
        assert len(editor.session.branches) == 5
        await bench.press("d")
        await bench.until(lambda: isinstance(bench.app.screen, ConfirmScreen))
        await bench.press("enter")
        await bench.until(lambda: isinstance(bench.app.screen, BranchesScreen))
        await bench.sees("3 branches deleted", "★ The queen is old now.")
        assert editor.full_text(2) == "The queen is old now."
        await bench.press("escape")
        await bench.until(lambda: bench.answers)
        assert bench.answers == [True]


async def test_keys_quicker_than_the_list_mean_what_was_walked_to() -> None:
    editor = written()
    async with opened(editor) as bench:
        await bench.pilot.press("up", "up", "*")
        await bench.until(lambda: editor.session.branches[1].kept)
        assert [branch.id for branch in editor.session.branches.values() if branch.kept] == [1]


async def test_what_is_not_kept_is_dropped_after_a_question() -> None:
    editor = written()
    editor.set_starred(3, True)
    async with opened(editor) as bench:
        await bench.press("D")
        await bench.sees("Delete 4 branches without a ★?")
        await bench.press("enter")
        await bench.sees("4 branches deleted")
        assert editor.full_text(3) == "The knave runs."
        assert list(editor.session.branches) == [3]
        await bench.until(lambda: "Drop unstarred" not in bench.keys)
        await bench.press("z")
        await bench.sees("4 branches restored")
        assert len(editor.session.branches) == 5


async def test_what_is_being_written_grows_here_and_cannot_be_deleted() -> None:
    editor = written()
    editor.begin("Now", ONE, SAMPLING)
    async with opened(editor) as bench:
        await bench.sees("● Now", "writing")
        editor.append(" it comes", 9)
        await bench.sees("Now it comes")
        await bench.press("d")
        await bench.sees("this text is still being written: stop it first")
        editor.ended("length")
        await bench.press("d")
        await bench.sees("1 branch deleted")


async def test_deleting_everything_leaves_words() -> None:
    editor = written()
    async with opened(editor) as bench:
        await bench.press("D")
        await bench.until(lambda: isinstance(bench.app.screen, ConfirmScreen))
        await bench.press("enter")
        await bench.sees("5 branches deleted", "0 branches")
        assert bench.highlighted is None
        await bench.press("r", "*", "d")
        await bench.press("escape")
        await bench.until(lambda: bench.answers)
        assert bench.answers == [True]


async def test_an_empty_session_says_what_to_do() -> None:
    async with opened(SessionEditor()) as bench:
        await bench.sees("No text yet.")
        assert bench.keys == ["Back"]


async def test_a_model_that_is_gone_is_marked() -> None:
    async with opened(written(), models=("/models/other",)) as bench:
        await bench.sees("one (missing) · temperature")


async def test_help_explains_the_tree_and_its_keys() -> None:
    async with opened(written()) as bench:
        await bench.press("f1")
        await bench.until(lambda: isinstance(bench.app.screen, HelpScreen))
        screen = bench.app.screen
        assert isinstance(screen, HelpScreen)
        assert "Each line is one continuation" in screen.words
        assert {"Show", "Rename", "Star ★", "Delete", "Drop unstarred", "Back"} <= {key.title for key in screen.keys}
        assert all(key.tooltip for key in screen.keys)


async def test_other_sizes_lose_nothing() -> None:
    async with opened(written()) as bench:
        for size in ((140, 40), (48, 14), (30, 8), (80, 24)):
            await bench.pilot.resize_terminal(*size)
            await bench.pilot.pause()
        await bench.sees("└─ knave runs.", "The ▸knave runs.")
        assert bench.highlighted == 3


async def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    editor = SessionEditor()
    editor.begin("a\x1b[31mb\ud800 [b]c[/b]", ONE, SAMPLING)
    editor.rename_branch(0, "[red]n\x1b")
    async with opened(editor) as bench:
        await bench.sees("[red]n␛", "a␛[31mb", "[b]c[/b]")


def test_a_row_is_as_wide_as_it_may_be() -> None:
    session = written().session
    for width in (20, 39, 40, 78):
        for guides in ("", "│  " * 40 + "├─ "):
            text = row_text(Row(session.branches[0], guides, 0), width, True, False, NOON)
            assert text.cell_len <= max(width, 24)


@pytest.mark.parametrize("moment", ["", "soon", "2027-01-15T11:00:00Z", "2027-01-03T11:00:00Z", "2020-01-03T11:00:00Z"])
def test_times_are_short(moment: str) -> None:
    assert len(local_time(moment, NOON)) <= 11
