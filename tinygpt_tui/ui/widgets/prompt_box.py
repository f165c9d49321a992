"""The prompt box: Enter asks, a newline has its own keys, Up and Down walk through older prompts."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

from tinygpt_tui.ui.prompt_history import PromptHistory

NEWLINE_KEYS = ("ctrl+j", "shift+enter", "alt+enter")


class PromptBox(TextArea):
    """Grows from one line to six; the pane around it may be smaller."""

    HELP: ClassVar[str | None] = (
        "The prompt: the text from which the model goes on. It may be empty.\n\n"
        "Enter generates; Ctrl+J (or Shift+Enter, Alt+Enter where the terminal sends them) begins a new line; "
        "pasted lines stay lines. Up on the first line and Down on the last walk through older prompts."
    )
    DEFAULT_CSS = """
    PromptBox {
        /* Under a dialog the panes beside it learn late of a terminal that shrank; no width at all ends the app. */
        min-width: 6;
        height: auto;
        min-height: 3;
        max-height: 8;
        padding: 0 1;
        scrollbar-size-vertical: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            ",".join(NEWLINE_KEYS), "newline", "New line", id="prompt.newline", show=False, tooltip="Begin a new line"
        ),
    ]

    class Submitted(Message):
        """Enter was pressed."""

        def __init__(self, prompt: str) -> None:
            super().__init__()
            self.prompt = prompt

    def __init__(self, history: PromptHistory, *, id: str | None = None) -> None:
        super().__init__(
            id=id,
            soft_wrap=True,
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder="Write a beginning…",
        )
        self.border_title = "prompt"
        self._history = history

    async def on_key(self, event: events.Key) -> None:
        """Take Enter before the text area makes a line of it, and newlines before the next key is typed.

        A key's binding runs only after the keys that came in the same breath: pasted without brackets, or over a slow
        line, a newline would land behind the text that follows it.
        """
        if event.key == "enter":
            self.post_message(self.Submitted(self.text))
        elif event.key in NEWLINE_KEYS:
            self.action_newline()
        else:
            return
        event.prevent_default()
        event.stop()

    def action_newline(self) -> None:
        """Begin a new line."""
        self.insert("\n")
        self.scroll_cursor_visible()

    def action_cursor_up(self, select: bool = False) -> None:
        """Move up; from the first line to the prompt before."""
        if not select and self.navigator.is_first_wrapped_line(self.cursor_location):
            self._show(self._history.older(self.text))
        else:
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Move down; from the last line to the prompt after."""
        if not select and self.navigator.is_last_wrapped_line(self.cursor_location):
            self._show(self._history.newer(self.text))
        else:
            super().action_cursor_down(select)

    def action_cursor_page_up(self) -> None:
        """Leave the key to the screen, which scrolls the output: this box is never a page high."""
        raise SkipAction

    def action_cursor_page_down(self) -> None:
        """Leave the key to the screen."""
        raise SkipAction

    def _show(self, prompt: str | None) -> None:
        if prompt is not None and prompt != self.text:
            self.text = prompt
            self.move_cursor(self.document.end)
