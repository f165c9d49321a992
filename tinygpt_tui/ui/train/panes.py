"""One line that says which pane is shown if there is room for only one."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from tinygpt_tui.ui.shared.message import Message

PANES = {"chart": "Chart", "samples": "Sample", "log": "Log", "doctor": "Doctor"}


class TrainPaneBar(Horizontal):
    """The names of the panes with their keys; the one that is shown is marked by a bar and bold letters."""

    DEFAULT_CSS = "TrainPaneBar { height: 1; & > Static { width: auto; padding: 0 2 0 0; } }"

    class Chosen(Message):
        """A pane's name was clicked."""

        pane: str

    def compose(self) -> ComposeResult:
        for pane in PANES:
            yield Static("", id=f"pane-{pane}", markup=False)

    def __init__(self) -> None:
        super().__init__()
        self._chosen, self._notes = "", dict.fromkeys(PANES, "")

    @property
    def chosen(self) -> str:
        return self._chosen

    def show_note(self, pane: str, note: str) -> None:
        """Add a note to a pane's name: that there is something to see."""
        if self._notes[pane] != note:
            self._notes[pane] = note
            self.show_chosen(self._chosen)

    def show_chosen(self, chosen: str) -> None:
        self._chosen = chosen
        for number, (pane, title) in enumerate(PANES.items(), start=1):
            name = self.query_one(f"#pane-{pane}", Static)
            name.update(f"{'▌' if pane == chosen else ' '}{number} {title}{self._notes[pane]}")
            name.set_class(pane == chosen, "-chosen")

    def on_click(self, event: events.Click) -> None:
        if event.widget is not None and event.widget.id and event.widget.id.startswith("pane-"):
            event.stop()
            self.post_message(self.Chosen(event.widget.id.removeprefix("pane-")))
