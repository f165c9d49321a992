"""F1: what has the focus, and every key that works now, in groups; typing filters them."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Input, Markdown, Static

from tinygpt_tui.ui.shared.binding import bind_hidden
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.shell.keys import KeyRow, groups_of, keys_of


class HelpScreen(Dialog[None]):
    """Shows a text and the keys; what is typed filters the keys."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    DEFAULT_CSS = """
    HelpScreen {
        & > DialogBox { width: 96%; max-width: 216; height: auto; max-height: 96%; padding: 0 1; }
        & #help-body, & VerticalScroll { height: auto; }
        & VerticalScroll { scrollbar-gutter: stable; scrollbar-size-vertical: 1; }
        & Markdown { padding: 0; margin: 0; background: $surface; height: auto; }
        & Markdown > *:first-child { margin-top: 0; }
        & #help-keys { width: 1fr; height: auto; }
        &.-narrow #help-body { layout: vertical; }
        &.-narrow #help-keys { width: 100%; }
        &.-narrow > DialogBox { max-width: 84; }
        &.-wide #help-words { width: 50; margin: 0 2 0 0; }
        &.-filtered #help-words, &.-wordless #help-words { display: none; }
    }
    """
    BINDINGS = [
        bind_hidden("f1,question_mark", "cancel", "Help", "help.toggle", "Close the help"),
        bind_hidden("enter", "cancel", "Close", "help.close", "Close the help"),
        bind_hidden("up", "scroll(-1)", "Up", "help.up", "One line up"),
        bind_hidden("down", "scroll(1)", "Down", "help.down", "One line down"),
        bind_hidden("pageup", "scroll(-10)", "Page up", "help.page_up", "Ten lines up"),
        bind_hidden("pagedown", "scroll(10)", "Page down", "help.page_down", "Ten lines down"),
    ]

    def __init__(self, words: str, keys: list[KeyRow]) -> None:
        super().__init__("help", "type to filter  ↑↓: scroll  esc: close")
        self.words, self.keys = words, keys

    @classmethod
    def about(cls, screen: Screen[object]) -> HelpScreen:
        """Make the help for what has the focus on `screen`."""
        node: DOMNode | None = screen.focused or screen
        while node is not None and not getattr(node, "HELP", None):
            node = node.parent
        return cls(str(getattr(node, "HELP", "")), keys_of(screen))

    def compose_body(self) -> ComposeResult:
        yield Input(placeholder="filter the keys", compact=True, id="help-filter")
        with VerticalScroll(can_focus=False), Horizontal(id="help-body"):
            yield Markdown(self.words.strip(), id="help-words")
            yield Static(id="help-keys")

    def on_mount(self) -> None:
        self.set_class(not self.words, "-wordless")
        self.query_one("#help-filter").focus()
        self._draw()

    @on(Input.Changed)
    def _filter(self, message: Input.Changed) -> None:
        if message.value == "?":
            self.dismiss(None)
            return
        self.set_class(bool(message.value), "-filtered")
        self._draw()

    @on(Input.Submitted)
    def _done(self) -> None:
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def _draw(self) -> None:
        words = self.query_one("#help-filter", Input).value.casefold().split()
        rows = [row for row in self.keys if all(word in row.searched for word in words)]
        shown = self.query_one("#help-keys", Static)
        groups = [_group(title, of_group) for title, of_group in groups_of(rows)]
        shown.update(Group(*groups) if groups else "No key matches.")


def _group(title: str, rows: Iterable[KeyRow]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold", max_width=16)
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    for row in rows:
        table.add_row(row.keys, row.title, row.tooltip)
    return Group(Text(title, "bold underline"), table, "")
