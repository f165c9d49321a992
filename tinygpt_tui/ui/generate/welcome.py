"""The first screen, while there is no text: what one can do here, each with its key."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from rich.text import Text
from textual import events, work
from textual.widget import Widget

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.sessions.store import SessionCard, SessionStore
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.wrapping import shown
from tinygpt_tui.ui.shell.keys import shown_key
from tinygpt_tui.words import shortened

# What is filled in for a model that comes with the program.
OPENINGS = {"tales": "There was once", "tales-chat": "Hello! Who are you?"}
OPENING = "ROMEO:"
KEY_ROOM, TITLE_ROOM = 7, 20  # cells
WIDE = 64  # columns from which a card's title and text are in one line, if there are not enough lines for two


class Card(NamedTuple):
    """Something to do: the action of the Generate tab, the binding that names its key, and its words."""

    action: str
    binding: str
    key: str  # by default
    title: str
    words: str


HEADING = "A tiny language model. Press Enter, and it writes."
WRITE = "It continues the prompt below; or type your own"
CARDS = (
    Card("generate", "generate.generate", "enter", "Let it write", WRITE),
    Card("microscope", "generate.microscope", "f5", "See inside a letter", "What else it could have written"),
    Card("time_machine", "generate.history", "alt+h", "Watch it learn", "Its text at each step, from noise to verse"),
    Card("app.tab('train')", "app.train", "f3", "Train on my text", "A model of your own, from any text file"),
    Card("app.learn", "app.learn", "alt+l", "Learn", "Short lessons in the real app"),
)


class Welcome(Widget):
    """Draws the cards; a click does what a card's key does."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"welcome--key", "welcome--title", "welcome--words"}
    DEFAULT_CSS = """
    Welcome {
        height: 1fr; padding: 0 2;
        & > .welcome--key { color: $accent; text-style: bold; }
        & > .welcome--title { text-style: bold; }
        & > .welcome--words { color: $text-muted; }
    }
    """

    class Chosen(Message):
        """A card was clicked."""

        action: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.last: SessionCard | None = None  # the session that was written last
        self.sought = asyncio.Event()  # set when `last` is known

    def on_mount(self) -> None:
        """Look for the last session, behind the first picture."""
        self.call_after_refresh(self._show_last)

    @work(exit_on_error=False)
    async def _show_last(self) -> None:
        try:
            cards = await asyncio.to_thread(SessionStore().cards)
        except TinyGPTError:
            cards = []  # the list of sessions says why
        self.last = next((card for card in cards if not card.problem and card.heading), None)
        self.sought.set()
        if self.last is not None:
            self.refresh()
            self.screen.refresh_bindings()

    @property
    def cards(self) -> list[Card]:
        cards = list(CARDS)
        if self.last is not None:
            words = f"“{shown(shortened(self.last.heading, 60))}”"
            cards.insert(1, Card("go_on", "generate.go_on", "ctrl+g", "Continue", words))
        return cards

    def render(self) -> Text:
        """Draw the heading and the cards, in two lines each if there is room."""
        width, cards = self.content_size.width, self.cards
        style = {name: self.get_component_rich_style(f"welcome--{name}") for name in ("key", "title", "words")}
        lines = [Text(shortened(HEADING, width), style["title"]), Text()]
        for card in cards:
            line = Text(shown_key(self.app, card.binding, card.key).ljust(KEY_ROOM), style["key"])
            words = shortened(card.words, width - KEY_ROOM)
            if self._rows > 1:
                lines += [line.append(card.title, style["title"]), Text(" " * KEY_ROOM + words, style["words"])]
                lines += [Text()] * (self._rows - 2)
            elif width >= WIDE:
                room = width - KEY_ROOM - TITLE_ROOM
                line.append(card.title.ljust(TITLE_ROOM), style["title"])
                lines.append(line.append(shortened(card.words, room), style["words"]))
            else:
                lines.append(line.append(card.title, style["title"]))
        return Text("\n", no_wrap=True, overflow="crop").join(lines)

    @property
    def _rows(self) -> int:
        """How many lines a card takes: three with a space below it, if the height allows, else two or one."""
        return min(3, max(1, (self.content_size.height - 2) // len(self.cards)))

    def on_click(self, event: events.Click) -> None:
        place = (event.get_content_offset_capture(self).y - 2) // self._rows
        if 0 <= place < len(self.cards):
            event.stop()
            self.post_message(self.Chosen(self.cards[place].action))


def opening_for(name: str, origin: str) -> str:
    """Return the prompt that is filled in for a model; empty for the user's own.

    >>> opening_for("shakespeare-small", "shipped")
    'ROMEO:'
    """
    return OPENINGS.get(name, OPENING) if origin == "shipped" else ""
