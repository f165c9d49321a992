"""A place in a text file: the lines around it, with the character in question marked."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tinygpt_tui.corpora.corpus import Excerpt
from tinygpt_tui.ui.shared.binding import bind_hidden
from tinygpt_tui.ui.shared.dialog import Dialog

LINES_AROUND, LONGEST_LINE, MARKED = 6, 240, 8


class TextPlaceScreen(Dialog[None]):
    """Shows a few lines of a text and where in the file they are."""

    HELP = "## A place in the text\n\nWhat the doctor found, marked. Fix it in an editor, then start a new run."
    DEFAULT_CSS = """
    TextPlaceScreen {
        & > DialogBox { width: 78; max-height: 90%; padding: 0; }
        & VerticalScroll { height: auto; padding: 0 1; }
    }
    """
    BINDINGS = [
        bind_hidden("enter,q", "cancel", "Close", "place.close", "Close this"),
    ]

    def __init__(self, name: str, path: str, excerpt: Excerpt) -> None:
        super().__init__(f"{name}, line {excerpt.line:,}", "esc: close")
        self._path, self._excerpt = path, excerpt

    def compose_body(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(around(self._excerpt.text, self._excerpt.place), markup=False)
            yield Static(f"\n{self._path}", markup=False)


def around(text: str, place: int) -> Content:
    """Return the lines around a place, with the characters there reversed, between arrows."""
    start, end = place, place
    for _ in range(LINES_AROUND):
        start = max(0, text.rfind("\n", max(0, start - LONGEST_LINE), max(0, start - 1)) + 1 or start - LONGEST_LINE)
        found = text.find("\n", end + 1, end + LONGEST_LINE)
        end = found if found >= 0 else min(len(text), end + LONGEST_LINE)
    last = min(place + MARKED, end)
    marked = text[place:last].split("\n")[0] or "⏎"
    return Content("").join(
        [
            Content(_visible(text[start:place])),
            Content.from_markup("[b reverse]▸$marked◂[/]", marked=_visible(marked)),
            Content(_visible(text[place + len(marked) if marked != "⏎" else place : end])),
        ]
    )


def _visible(text: str) -> str:
    """Return the text with control characters as visible symbols."""
    return "".join(chr(0x2400 + ord(sign)) if ord(sign) < 32 and sign not in "\n\t" else sign for sign in text)
