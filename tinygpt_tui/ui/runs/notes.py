"""Write notes on a run; they are saved in the run's folder."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import TextArea

from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.dialog import Dialog


class RunNotesScreen(Dialog[str]):
    """Dismisses with the notes, or with None if nothing was changed."""

    HELP = "Notes on a run: what you tried and what resulted. Esc saves them; Ctrl+U discards the changes."
    DEFAULT_CSS = """
    RunNotesScreen {
        & > DialogBox { width: 72; max-width: 96%; height: 14; max-height: 90%; padding: 0; }
        & TextArea, & TextArea:focus { border: none; }
        & TextArea { height: 1fr; background: $surface; }
    }
    """
    BINDINGS = [
        bind("escape,f9", "save", "Save", "notes.keep", "Save the notes, and close", priority=True),
        bind("ctrl+u", "cancel", "Discard", "notes.cancel", "Discard the changes", priority=True),
    ]

    def __init__(self, name: str, notes: str) -> None:
        super().__init__(f"notes on {name}", "esc: save  ^u: discard")
        self._notes = notes

    def compose_body(self) -> ComposeResult:
        yield TextArea(self._notes, soft_wrap=True, show_line_numbers=False, highlight_cursor_line=False)

    def on_mount(self) -> None:
        box = self.query_one(TextArea)
        box.focus()
        box.move_cursor(box.document.end)

    def action_save(self) -> None:
        text = self.query_one(TextArea).text
        self.dismiss(text if text != self._notes else None)
