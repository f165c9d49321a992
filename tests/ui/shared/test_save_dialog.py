"""The save dialog: the name's ending decides the format, and nothing is overwritten unasked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fakes import FakeEngine
from textual.pilot import Pilot
from textual.widgets import Input
from wait import AppInUse, wait_until

from tinygpt_tui.sessions import tree
from tinygpt_tui.sessions.document import Session
from tinygpt_tui.sessions.export import exports_of
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.shared.save_dialog import SaveScreen

pytestmark = pytest.mark.usefixtures("no_shipped_models")

SESSION = tree.append(tree.add_root(Session(id="s"), "The king", model="one"), 0, " is dead")
TEXT = "The king is dead"


class Bench(AppInUse):
    """The dialog in use."""

    def __init__(self, app: TinyGPTApp, pilot: Pilot[None]) -> None:
        super().__init__(app, pilot)
        self.answers: list[Path | None] = []

    async def names(self, path: Path | str) -> None:
        self.app.screen.query_one(Input).value = str(path)
        await self.pilot.pause()

    async def saves(self) -> None:
        await self.pilot.press("enter")
        await wait_until(self.pilot, lambda: self.answers)


@asynccontextmanager
async def opened(session: Session | None = SESSION, text: str = TEXT) -> AsyncIterator[Bench]:
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(80, 24)) as pilot:
        bench = Bench(app, pilot)
        exports = exports_of(session, 0) if session is not None else None
        app.push_screen(SaveScreen("one-7.txt", text, exports), bench.answers.append)
        await wait_until(pilot, lambda: isinstance(app.screen, SaveScreen) and app.screen.query(Input))
        yield bench


async def test_the_ending_decides_and_the_dialog_says_how(tmp_path: Path) -> None:
    async with opened() as bench:
        await bench.sees("Enter to save the text alone", "a name ending in .md or .json")
        await bench.names(tmp_path / "a.MD")
        await bench.sees("Enter to save Markdown: the text, its settings")
        await bench.names(tmp_path / "a.json")
        await bench.sees("Enter to save JSON: the whole session")
        await bench.names(tmp_path / "a.doc")
        await bench.sees("Enter to save the text alone")


@pytest.mark.parametrize("name", ["a.txt", "a", "a.log", ".md", "~nobody-such/a.txt"])
async def test_any_other_name_is_the_text_alone(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened() as bench:
        await bench.names(name)
        await bench.saves()
    assert (tmp_path / name).read_text(encoding="utf-8") == TEXT


async def test_markdown_and_json(tmp_path: Path) -> None:
    async with opened() as bench:
        await bench.names(tmp_path / "a.md")
        await bench.saves()
    assert "**Prompt**" in (tmp_path / "a.md").read_text(encoding="utf-8")
    async with opened() as bench:
        await bench.names(tmp_path / "a.json")
        await bench.saves()
    assert json.loads((tmp_path / "a.json").read_bytes())["branches"][0]["full_text"] == TEXT


async def test_without_a_session_it_is_always_the_text(tmp_path: Path) -> None:
    async with opened(None) as bench:
        await bench.names(tmp_path / "a.md")
        await bench.sees("Enter to save the text")
        await bench.saves()
        assert bench.answers == [tmp_path / "a.md"]
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == TEXT


async def test_nothing_is_overwritten_unasked_and_another_name_needs_another_yes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.md", tmp_path / "b.md"
    first.write_text("old")
    second.write_text("old")
    async with opened() as bench:
        await bench.names(first)
        await bench.pilot.press("enter")
        await bench.sees("this file exists")
        await bench.names(second)
        await bench.pilot.press("enter")
        await bench.sees("this file exists")
        assert [path.read_text() for path in (first, second)] == ["old", "old"]
        await bench.saves()
    assert first.read_text() == "old"
    assert second.read_text().startswith("# The king")


@pytest.mark.parametrize(
    ("name", "words"), [("", "type a file name"), (".", "this is a folder"), ("x" * 5000, "this path cannot be used")]
)
async def test_a_name_that_cannot_be(name: str, words: str) -> None:
    async with opened() as bench:
        await bench.names(name)
        await bench.pilot.press("enter")
        await bench.sees(words)
        await bench.pilot.press("escape")
        await wait_until(bench.pilot, lambda: bench.answers)
        assert bench.answers == [None]


async def test_half_a_character_can_be_saved(tmp_path: Path) -> None:
    async with opened(None, "a\ud800b") as bench:
        await bench.names(tmp_path / "a.txt")
        await bench.saves()
    assert (tmp_path / "a.txt").read_bytes() == b"a?b"
