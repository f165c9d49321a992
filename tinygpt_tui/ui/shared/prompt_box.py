"""The prompt box: Enter submits, a newline has its own keys, Up and Down browse earlier prompts."""

from __future__ import annotations

from rich.text import Text
from textual import events, on
from textual.actions import SkipAction
from textual.markup import escape
from textual.widgets import TextArea

from tinygpt_tui.ui.shared.binding import bind_hidden
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.prompt_history import PromptHistory
from tinygpt_tui.ui.shared.wrapping import shown

PLACEHOLDER = "Type a prompt…"
UNKNOWN_SHOWN = 10
NEWLINE_KEYS = ("ctrl+j", "shift+enter", "alt+enter")


class PromptBox(TextArea):
    """Grows from one line to six; the pane around it may be smaller."""

    HELP = (
        "The prompt: the text the model continues. It can be empty.\n\n"
        "Enter generates; Ctrl+J (or Shift+Enter, Alt+Enter if your terminal sends them) starts a new line; "
        "pasted lines stay lines. ↑ on the first line and ↓ on the last one browse earlier prompts."
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
    BINDINGS = [
        bind_hidden(",".join(NEWLINE_KEYS), "newline", "New line", "prompt.newline", "Start a new line"),
    ]

    class Submitted(Message):
        """Enter was pressed."""

        prompt: str

    def __init__(self, history: PromptHistory, *, id: str | None = None) -> None:
        super().__init__(
            id=id,
            soft_wrap=True,
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder=PLACEHOLDER,
        )
        self.border_title = "prompt"
        self._history = history
        self._known: frozenset[str] | None = None
        self._opening = ""

    @property
    def is_untouched(self) -> bool:
        """Whether the user has typed nothing: it is empty, or has what `fill_in` wrote."""
        return self.text in ("", self._opening)

    def fill_in(self, opening: str) -> None:
        """Write a prompt, selected, so that typing replaces it; nothing if the user has typed one."""
        if self.is_untouched and self.text != opening:
            self._opening = opening
            self.text = opening
            self.select_all()

    def set_known(self, characters: frozenset[str] | None) -> None:
        """Strike out all characters but these, which the model knows; None: no character."""
        if characters != self._known:
            self._known = characters
            self.notify_style_update()
            self.refresh()
            self._name_unknown()

    def get_line(self, line_index: int) -> Text:
        """Return a line with the characters struck out that the model does not know."""
        line = super().get_line(line_index)
        if self._known is not None and not self._known.issuperset(line.plain):
            for at, character in enumerate(line.plain):
                if character not in self._known:
                    line.stylize("strike dim", at, at + 1)
        return line

    @on(TextArea.Changed)
    def _name_unknown(self) -> None:
        unknown = [] if self._known is None else [one for one in dict.fromkeys(self.text) if one not in self._known]
        named = " ".join(shown(one) for one in unknown[:UNKNOWN_SHOWN])
        more = "…" if len(unknown) > UNKNOWN_SHOWN else ""
        self.border_subtitle = escape(f"left out, unknown to the model: {named}{more}") if unknown else ""

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
        self.insert("\n")
        self.scroll_cursor_visible()

    def action_cursor_up(self, select: bool = False) -> None:
        """Move up; from the first line to the prompt before."""
        if not select and self.navigator.is_first_wrapped_line(self.cursor_location):
            self._set_text(self._history.older(self.text))
        else:
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Move down; from the last line to the prompt after."""
        if not select and self.navigator.is_last_wrapped_line(self.cursor_location):
            self._set_text(self._history.newer(self.text))
        else:
            super().action_cursor_down(select)

    def action_cursor_page_up(self) -> None:
        """Leave the key to the screen, which scrolls the output: this box is never a page high."""
        raise SkipAction

    def action_cursor_page_down(self) -> None:
        raise SkipAction

    def _set_text(self, prompt: str | None) -> None:
        if prompt is not None and prompt != self.text:
            self.text = prompt
            self.move_cursor(self.document.end)
