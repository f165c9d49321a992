"""The list of sessions as the user sees it: reopen, begin, name, delete, take back, filter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fakes import FakeEngine
from textual.pilot import Pilot
from textual.widgets import Input
from wait import AppInUse, wait_until

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.sessions.store import COPY, Opened, SessionStore
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.session_editor import SessionEditor
from tinygpt_tui.ui.generate.sessions import SessionList, SessionsScreen
from tinygpt_tui.ui.shell.help import HelpScreen
from tinygpt_tui.ui.shell.key_bar import KeyBar

pytestmark = pytest.mark.usefixtures("no_shipped_models")

SAMPLING = SamplingSettings()


def written(*prompts: str) -> SessionEditor:
    """Sessions on the disk, the last prompt's open; each was written by a model that is called as its first word."""
    editor = SessionEditor()
    for prompt in prompts:
        editor.new()
        card = ModelCard(name=prompt.split()[0].lower(), path="/m", origin="yours")
        editor.begin(prompt, card, SAMPLING)
        editor.append(" and so on", 10)
        editor.ended("length", 7)
        for now in (0.0, 100.0):  # the left one is written, then let go
            while (save := editor.save_soon(now)) is not None:
                assert save() is None
    return editor


class Bench(AppInUse):
    """The screen in use."""

    def __init__(self, app: TinyGPTApp, pilot: Pilot[None]) -> None:
        super().__init__(app, pilot)
        self.answers: list[Opened | None] = []

    @property
    def screen(self) -> SessionsScreen:
        return next(screen for screen in self.app.screen_stack if isinstance(screen, SessionsScreen))

    @property
    def keys(self) -> list[str]:
        return [key.description for key in self.screen.query_one(KeyBar).keys]

    async def goes_to(self, heading: str) -> None:
        """Walk to the session of that title."""
        await self.sees(heading)
        for _ in range(20):
            if self.screen.card is not None and self.screen.card.heading.startswith(heading):
                return
            await self.pilot.press("down")
        pytest.fail(f"{heading} is not in the list")


@asynccontextmanager
async def opened(
    editor: SessionEditor, size: tuple[int, int] = (80, 24), models: tuple[str, ...] = ()
) -> AsyncIterator[Bench]:
    app = TinyGPTApp(FakeEngine())
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        bench = Bench(app, pilot)
        app.push_screen(SessionsScreen(editor, models), bench.answers.append)
        await wait_until(
            pilot, lambda: isinstance(app.screen, SessionsScreen) and any(bar.keys for bar in app.screen.query(KeyBar))
        )
        yield bench


@pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=["80x24", "140x40"])
async def test_the_list_says_what_is_in_each(size: tuple[int, int]) -> None:
    editor = written("The king", "Once upon")
    async with opened(editor, size, models=("once",)) as bench:
        await bench.sees("  The king and so on", "▸ Once upon and so on", "2 sessions")
        await bench.sees("1 branch · 18 characters · ", "the (missing)", "bytes · once")
        assert "once (missing)" not in bench.shown
        await bench.until(lambda: bench.keys == ["Reopen", "New", "Rename", "Delete", "Filter", "Back"])


async def test_enter_reopens_and_says_what_is_missing() -> None:
    editor = written("The king", "Once upon")
    async with opened(editor, models=("once",)) as bench:
        await bench.goes_to("The king")
        await bench.pilot.press("enter")
        await bench.until(lambda: bench.answers)
        (answer,) = bench.answers
        assert answer is not None
        assert "missing here: the" in answer.notice
        editor.open(answer)
        assert editor.full_text() == "The king and so on"


async def test_the_open_one_needs_no_opening_and_esc_changes_nothing() -> None:
    editor = written("The king")
    for key in ("enter", "escape"):
        async with opened(editor) as bench:
            await bench.sees("The king")
            await bench.pilot.press(key)
            await bench.until(lambda bench=bench: bench.answers)
            assert bench.answers == [None]


async def test_new_is_a_session_without_branches() -> None:
    editor = written("The king")
    async with opened(editor) as bench:
        await bench.pilot.press("n")
        await bench.until(lambda: bench.answers)
        (answer,) = bench.answers
        assert answer is not None
        editor.open(answer)
        assert editor.current is None
        assert len(editor.store.cards()) == 1


async def test_sessions_get_titles_the_open_one_and_others() -> None:
    editor = written("The king", "Once upon")
    async with opened(editor) as bench:
        for heading, title in (("The king", "abc"), ("Once upon", "def")):
            await bench.goes_to(heading)
            await bench.pilot.press("r")
            await bench.until(lambda: isinstance(bench.screen.focused, Input))
            await bench.pilot.press(*title, "enter")
            await bench.sees(title)
            await bench.pilot.press("home")
        assert editor.session.title == "def"
        assert {card.head.title for card in editor.store.cards()} == {"abc", ""}  # the open one is written soon
        await bench.pilot.press("r")
        await bench.until(lambda: isinstance(bench.screen.focused, Input))
        await bench.pilot.press("x", "escape")
        await bench.until(lambda: isinstance(bench.screen.focused, SessionList))
        assert not bench.answers
        assert "abc" in bench.shown


async def test_a_deleted_session_comes_back() -> None:
    editor = written("The king", "Once upon", "Now then")
    async with opened(editor) as bench:
        for heading in ("The king", "Once upon"):
            await bench.goes_to(heading)
            await bench.pilot.press("d")
            await bench.until(lambda heading=heading: f"  {heading}" not in bench.shown)
            await bench.sees("is in the trash · z to undo")
            await bench.pilot.press("home")
        assert len(editor.store.cards()) == 1
        await bench.pilot.press("z")
        await bench.sees("restored", "Once upon")
        await bench.pilot.press("z")
        await bench.sees("The king", "3 sessions")
        assert len(editor.store.cards()) == 3
        await bench.until(lambda: "Undo" not in bench.keys)


async def test_deleting_the_open_session_begins_a_new_one() -> None:
    editor = written("The king")
    async with opened(editor) as bench:
        await bench.goes_to("The king")
        await bench.pilot.press("d")
        await bench.sees("is in the trash", "No sessions yet")
        await bench.pilot.press("escape")
        await bench.until(lambda: bench.answers)
        (answer,) = bench.answers
        assert answer is not None  # what is shown must go
        editor.open(answer)
        assert editor.full_text() == ""


async def test_what_is_being_written_is_not_deleted() -> None:
    editor = written("The king")
    editor.go_on(ModelCard(name="one", path="/m", origin="yours"), SAMPLING)
    async with opened(editor) as bench:
        await bench.goes_to("The king")
        await bench.pilot.press("d")
        await bench.sees("this text is still being written", "stop it first")
        assert editor.writing is not None


async def test_the_filter_looks_in_titles_and_models() -> None:
    editor = written("The king", "Once upon", "Now then")
    async with opened(editor) as bench:
        await bench.sees("3 sessions")
        await bench.pilot.press("slash", *"once")
        await bench.until(lambda: "The king" not in bench.shown)
        assert "Once upon" in bench.shown
        await bench.pilot.press(*"xyz")
        await bench.sees("No session matches.")
        await bench.pilot.press("enter")
        assert not bench.answers
        await bench.pilot.press("escape")
        await bench.sees("The king", "Once upon", "Now then")
        await bench.pilot.press("slash", *"king", "down")
        await bench.until(lambda: isinstance(bench.screen.focused, SessionList))
        await bench.pilot.press("slash", "enter")
        await bench.until(lambda: bench.answers)
        (answer,) = bench.answers
        assert answer is not None
        assert answer.session.heading == "The king and so on"


async def test_the_filter_looks_in_all_texts_and_enter_goes_to_the_place() -> None:
    long = "Once upon " + "la " * 60 + "far away"  # of which the title has the beginning
    async with opened(written("The king", long, "Now then")) as bench:
        await bench.sees("3 sessions")
        await bench.pilot.press("slash", *"away")
        await bench.sees("1 of 3 sessions", "“…", "far away and so on”")
        await bench.pilot.press("enter")
        await bench.until(lambda: bench.answers)
        (answer,) = bench.answers
        assert answer is not None
        assert answer.place == (0, long.index("away"))


async def test_a_session_of_another_window_is_a_copy_and_is_not_touched() -> None:
    other = written("The king")
    editor = SessionEditor()
    async with opened(editor) as bench:
        await bench.goes_to("The king")
        await bench.pilot.press("d")
        await bench.sees("another window has this session open")
        await bench.pilot.press("r")
        await bench.until(lambda: isinstance(bench.screen.focused, Input))
        await bench.pilot.press(*"mine", "enter")
        await bench.sees("another window has this session open")
        await bench.pilot.press("enter")
        await bench.until(lambda: bench.answers)
        (answer,) = bench.answers
        assert answer is not None
        assert answer.notice == COPY
        assert answer.session.id != other.session.id
    assert [card.head.title for card in editor.store.cards()] == [""]


async def test_a_damaged_one_says_so_and_the_others_work() -> None:
    editor = written("The king")
    editor.store.path("broken").write_bytes(b"{}\n")
    async with opened(editor) as bench:
        await bench.sees("The king", "broken", "line 1: ")
        await bench.pilot.press("end", "enter")
        await bench.sees("broken.session cannot be opened")
        assert not bench.answers
        await bench.until(lambda: "Rename" not in bench.keys)


async def test_a_folder_that_cannot_be_read_says_so() -> None:
    store = SessionStore()
    store.folder.parent.mkdir(parents=True)
    store.folder.write_text("no folder")
    async with opened(SessionEditor(store)) as bench:
        await bench.sees("check that the path exists", "No sessions yet")


async def test_none_yet() -> None:
    async with opened(SessionEditor()) as bench:
        await bench.sees("No sessions yet", "0 sessions")
        await bench.until(lambda: bench.keys == ["New", "Filter", "Back"])
        await bench.pilot.press("d", "r", "z", "enter")
        assert not bench.answers


async def test_help_explains_sessions() -> None:
    async with opened(written("The king")) as bench:
        await bench.sees("The king")
        await bench.pilot.press("f1")
        await bench.until(lambda: isinstance(bench.app.screen, HelpScreen))
        screen = bench.app.screen
        assert isinstance(screen, HelpScreen)
        assert "A session is everything" in screen.words
        assert all(key.tooltip for key in screen.keys)
