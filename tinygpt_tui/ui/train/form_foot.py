"""The bottom of the form, which never scrolls away: warning, hint, what the run would take, and Start."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

FIRST_HINT = "corpus: the text to learn from; alt+o opens any text file"
HINTS = {
    "corpus": FIRST_HINT,
    "name": "name: what the model will be called, here and on the disk",
    "start-from": "start from: random weights, or a trained model; its architecture is kept",
    "preset": "preset: proven settings; each can be changed below",
    "start": "Start: training continues when you leave the app, and the app finds it again",
}


class FormFoot(Vertical):
    """Shows what it is given; the button's press bubbles to the form."""

    DEFAULT_CSS = """
    FormFoot {
        height: auto; padding: 0 2; dock: bottom;
        & #form-warning { height: auto; max-height: 2; display: none; }
        & #form-hint { height: 2; }
        & #form-go { height: 1; }
        & #start { min-width: 12; }
        & #form-summary { width: 1fr; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """

    def compose(self) -> ComposeResult:
        yield Static("", id="form-warning", markup=False)
        yield Static(FIRST_HINT, id="form-hint", markup=False)
        with Horizontal(id="form-go"):
            yield Static("", id="form-summary", markup=False)
            yield Button("Start ^g", id="start", variant="success", compact=True, tooltip="Start the run (ctrl+g)")

    def show_hint(self, hint: str) -> None:
        """Explain what has the focus."""
        self.query_one("#form-hint", Static).update(hint)

    def show_summary(self, summary: str, *, can_start: bool) -> None:
        """Show what the run would take, or why it cannot start."""
        self.query_one("#form-summary", Static).update(summary)
        self.query_one("#start", Button).disabled = not can_start

    def show_warnings(self, warnings: Sequence[str]) -> None:
        more = f" (and {len(warnings) - 1} more: ^y)" if len(warnings) > 1 else ""
        line = self.query_one("#form-warning", Static)
        line.display = bool(warnings)
        line.update(f"! {warnings[0]}{more}" if warnings else "")
