"""The line at the top: the app's name and its tabs, and the two keys that always work."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static


class TabBar(Horizontal):
    """Shows the tabs with their keys; the current one is marked by more than its colour."""

    DEFAULT_CSS = """
    TabBar {
        height: 1;
        dock: top;
        & > Static { width: auto; height: 1; }
        & > .-name { padding: 0 1; }
        & > .-end { width: 1fr; text-align: right; }
    }
    """

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, tabs: Sequence[tuple[str, str, str]], current: str, keys: tuple[str, str]) -> None:
        """`tabs` are (name, title, key), `keys` those of help and quit; keys as they are shown."""
        super().__init__()
        self._tabs, self._current, self._keys = tabs, current, keys

    def compose(self) -> ComposeResult:
        """Yield the name and the tabs."""
        yield Static("tinygpt", classes="-name", markup=False)
        for name, title, key in self._tabs:
            yield TabTitle(name, title, key, current=name == self._current)
        yield Static(
            f"[@click=app.help]{self._keys[0]}[/] help  [@click=app.quit]{self._keys[1]}[/] quit", classes="-end"
        )


class TabTitle(Static):
    """One tab's title."""

    ALLOW_SELECT = False

    def __init__(self, name: str, title: str, key: str, *, current: bool) -> None:
        text = f"{title} {key}"
        super().__init__(f"▌{text} " if current else f" {text} ", markup=False, classes="-current" if current else "")
        self._chosen = name

    def on_click(self, event: events.Click) -> None:
        """Say which tab was clicked."""
        event.stop()
        self.post_message(TabBar.Chosen(self._chosen))
