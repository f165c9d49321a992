"""One line with the names of the views and the model."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from tinygpt_tui.ui.shared.message import Message

VIEWS = {"walk": "Walk", "attention": "Attention", "guesses": "Guesses", "parameters": "Parameters", "map": "Map"}


class InspectBar(Horizontal):
    """The names of the views with their keys, the shown one marked by more than its colour; at the right the model."""

    DEFAULT_CSS = """
    InspectBar {
        height: 1;
        & > Static { width: auto; padding: 0 2 0 0; }
        & > #inspect-model { width: 1fr; padding: 0 1; text-align: right; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """

    class Chosen(Message):
        """A view's name was clicked."""

        view: str

    class ModelWanted(Message):
        """The model's name was clicked."""

    def compose(self) -> ComposeResult:
        for view in VIEWS:
            yield Static("", id=f"view-{view}", markup=False)
        yield Static("", id="inspect-model", markup=False)

    def show_view(self, chosen: str, model: str) -> None:
        """Mark the shown view, and write the model's name."""
        for number, (view, title) in enumerate(VIEWS.items(), start=1):
            name = self.query_one(f"#view-{view}", Static)
            name.update(f"{'▌' if view == chosen else ' '}{number} {title}")
            name.set_class(view == chosen, "-chosen")
        self.query_one("#inspect-model", Static).update(model)

    def on_click(self, event: events.Click) -> None:
        if event.widget is None or not event.widget.id:
            return
        event.stop()
        if event.widget.id.startswith("view-"):
            self.post_message(self.Chosen(event.widget.id.removeprefix("view-")))
        else:
            self.post_message(self.ModelWanted())
