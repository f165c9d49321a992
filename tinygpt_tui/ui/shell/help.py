"""F1: what has the focus, and every key that works now."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Markdown, Static

from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.shell.keys import KeyRow, keys_of


class HelpScreen(Dialog[None]):
    """Shows a text and a table of keys."""

    DEFAULT_CSS = """
    HelpScreen {
        & > DialogBox { width: 76; max-height: 92%; padding: 0; }
        & VerticalScroll { height: auto; padding: 0 1; scrollbar-gutter: stable; scrollbar-size-vertical: 1; }
        & Markdown { padding: 0; margin: 0; background: $surface; height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "cancel", "Close", id="help.close", show=False, tooltip="Close the help"),
        Binding("f1,question_mark", "cancel", "Help", id="help.toggle", show=False, tooltip="Close the help"),
    ]

    def __init__(self, words: str, keys: list[KeyRow]) -> None:
        super().__init__("help", "esc: close")
        self.words, self.keys = words, keys

    @classmethod
    def about(cls, screen: Screen[object]) -> HelpScreen:
        """Make the help for what has the focus on `screen`."""
        node: DOMNode | None = screen.focused or screen
        while node is not None and not getattr(node, "HELP", None):
            node = node.parent
        return cls(str(getattr(node, "HELP", "")), keys_of(screen))

    def compose_body(self) -> ComposeResult:
        """Yield text and keys."""
        with VerticalScroll():
            if self.words:
                yield Markdown(self.words)
            yield Static(self._table())

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, style="bold")
        table.add_column(no_wrap=True)
        table.add_column(style="dim")
        for row in self.keys:
            table.add_row(row.keys, row.title, row.tooltip)
        return table
