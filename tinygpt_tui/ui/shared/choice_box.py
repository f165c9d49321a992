"""A box with a few values: Space, → and ← step through them; a letter goes to the next value that starts with it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual import events
from textual.widget import Widget

from tinygpt_tui.ui.shared.binding import bind_hidden
from tinygpt_tui.ui.shared.message import Message


class ChoiceBox(Widget, can_focus=True):
    """One line, one value; much lighter than a Select, which has a list of its own."""

    DEFAULT_CSS = """
    ChoiceBox {
        height: 1;
        width: 1fr;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        &:focus { text-style: bold reverse; }
    }
    """
    BINDINGS = [
        bind_hidden("space,right", "go(1)", "Next", "choice.next", "The next value"),
        bind_hidden("left", "go(-1)", "Previous", "choice.previous", "The previous value"),
    ]

    class Changed(Message):
        """The user chose another value."""

        box: ChoiceBox
        value: str

        @property
        def control(self) -> ChoiceBox:
            return self.box

    def __init__(self, choices: Sequence[str], value: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._choices, self._value = list(choices), value

    @property
    def value(self) -> str:
        return self._value

    @value.setter
    def value(self, value: str) -> None:
        if value != self._value:
            self._value = value
            self.refresh()
            self.post_message(self.Changed(self, value))

    def render(self) -> Text:
        """Draw the value between two marks, which show that there are others."""
        return Text(f"‹ {self._value.replace('_', ' ')} ›", no_wrap=True)

    def action_go(self, by: int) -> None:
        """Select the next or the previous value; wraps around."""
        self.value = self._choices[(self._place + by) % len(self._choices)]

    def on_key(self, event: events.Key) -> None:
        """Select the next value that starts with the typed letter."""
        letter = event.character
        if letter is None or not letter.isalnum():
            return
        after = self._choices[self._place + 1 :] + self._choices[: self._place + 1]
        found = next((choice for choice in after if choice.startswith(letter.lower())), None)
        if found is not None:
            event.stop()
            self.value = found

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.focus()
        self.action_go(1)

    @property
    def _place(self) -> int:
        return self._choices.index(self._value) if self._value in self._choices else -1
