"""The line at the top: the app's name and its tabs, and the two keys that always work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from tinygpt_tui.ui.shared.message import Message

FULL_FROM = 79  # columns from which everything is shown; short titles and no name below


class ShownTab(NamedTuple):
    """A tab, with its key as it is shown."""

    name: str
    title: str
    short: str
    key: str


class TabBar(Horizontal):
    """Shows the tabs with their keys; the current one is marked by more than its colour."""

    DEFAULT_CSS = """
    TabBar {
        height: 1;
        dock: top;
        & > Static { width: auto; height: 1; }
        & > .-name { padding: 0 1; }
        & > .-end { width: 1fr; text-align: right; text-wrap: nowrap; }
        &.-short > .-name { display: none; }
    }
    """

    class Chosen(Message):
        """A tab was clicked."""

        name: str

    def __init__(self, tabs: Sequence[ShownTab], current: str, keys: tuple[str, str]) -> None:
        """`keys` are those of help and quit, as they are shown."""
        super().__init__()
        self._current, self._keys = current, keys
        self._end = Static("", classes="-end")
        self._titles = [TabTitle(tab, current=tab.name == current) for tab in tabs]
        self._fit(self.app.size.width)  # before the first layout, so that the first picture is right at once

    def compose(self) -> ComposeResult:
        yield Static("tinygpt", classes="-name", markup=False)
        yield from self._titles
        yield self._end

    def on_resize(self, event: events.Resize) -> None:
        self._fit(event.size.width)

    def _fit(self, width: int) -> None:
        short = width < FULL_FROM
        self.set_class(short, "-short")
        for title in self._titles:
            title.show_title(short)
        keys = f"[@click=app.help]{self._keys[0]}[/] help"
        self._end.update(keys if short else f"{keys}  [@click=app.quit]{self._keys[1]}[/] quit")


class TabTitle(Static):
    """One tab's title."""

    ALLOW_SELECT = False

    def __init__(self, tab: ShownTab, *, current: bool) -> None:
        super().__init__(markup=False, classes="-current" if current else "")
        self._tab, self._mark = tab, "▌" if current else " "

    def show_title(self, short: bool) -> None:
        """Show the whole title, or the short one."""
        self.update(f"{self._mark}{self._tab.short if short else self._tab.title} {self._tab.key} ")

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(TabBar.Chosen(self._tab.name))
