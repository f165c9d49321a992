"""Asks where to save; an existing file is overwritten only when that is said twice."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tinygpt_tui import files
from tinygpt_tui.errors import TinyGPTError


class SaveScreen(ModalScreen[Path | None]):
    """Writes a text where the user says; answers with the path, or None."""

    HELP: ClassVar[str | None] = "Where to save the text. `~` is your home folder; Enter saves, Esc does not."
    DEFAULT_CSS = """
    SaveScreen {
        align: center middle;
        & > Vertical {
            width: 60; max-width: 90%; height: auto;
            border: round $border; padding: 0 1; background: $surface;
        }
        & Input { height: 1; border: none; padding: 0; margin: 1 0; }
        & #save-note { height: auto; color: $text-muted; }
        & #save-note.-warning { color: $text-warning; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="save.cancel", tooltip="Save nothing"),
    ]

    def __init__(self, name: str, text: str) -> None:
        """`name` is what the file will be called in the current folder, unless something else is typed."""
        super().__init__()
        self._file_name, self._content = name, text
        self._confirmed: Path | None = None

    def compose(self) -> ComposeResult:
        """Yield the question."""
        with Vertical() as box:
            box.border_title = "save the text"
            yield Input(str(Path.cwd() / self._file_name), select_on_focus=False, compact=True)
            yield Static("Enter saves · Esc does not", id="save-note", markup=False)

    def on_input_changed(self) -> None:
        """Another path needs another yes."""
        self._confirmed = None
        self._say("Enter saves · Esc does not")

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Answer, or ask once more."""
        path = Path(message.value.strip()).expanduser()
        if not message.value.strip():
            self._say("a name is needed", warning=True)
        elif path.is_dir():
            self._say("that is a folder", warning=True)
        elif path.exists() and self._confirmed != path:
            self._confirmed = path
            self._say("this file exists: Enter again overwrites it · Esc does not", warning=True)
        else:
            self._write(path)

    def action_cancel(self) -> None:
        """Answer nothing."""
        self.dismiss(None)

    def _write(self, path: Path) -> None:
        try:
            files.write_text(path, self._content)
        except TinyGPTError as error:
            self._say(f"{error.message}\n{error.hint}", warning=True)
        else:
            self.dismiss(path)

    def _say(self, text: str, warning: bool = False) -> None:
        note = self.query_one("#save-note", Static)
        note.update(text)
        note.set_class(warning, "-warning")
