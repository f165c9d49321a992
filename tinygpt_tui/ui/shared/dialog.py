"""The frame of every modal screen: a titled box in the middle; Esc closes it without an answer, F1 explains it."""

from __future__ import annotations

from typing import Generic, TypeVar, cast

from textual import getters
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.markup import escape
from textual.screen import ModalScreen
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.ui.shared.binding import bind, bind_hidden, bind_over
from tinygpt_tui.ui.shared.naming_line import NamingLine

Answer = TypeVar("Answer")


class NoteLine(Static):
    """A line about what the dialog is to do, or why it does not."""

    def __init__(self, note: str, *, id: str | None = None) -> None:
        super().__init__(note, classes="-hint", id=id, markup=False)

    def set_note(self, note: str, warning: bool = False) -> None:
        """Show another note, or a warning."""
        self.update(note)
        self.set_class(warning, "-warning")


class DialogBox(Vertical):
    """The box; a dialog's style sheet sets its size."""


class Dialog(ModalScreen[Answer | None], Generic[Answer]):
    """Dismisses with an answer, or with None on Esc. A dialog yields its widgets in `compose_body`."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        & > DialogBox {
            width: 64; max-width: 100%; height: auto; max-height: 100%; padding: 0 1;
            background: $surface; border: round $border;
            border-title-color: $foreground; border-subtitle-color: $quiet;
        }
        & Input { background: $panel; }
        & Input:focus { background: $primary 25%; }
        & OptionList, & OptionList:focus {
            background: $surface; border: none; padding: 0; background-tint: transparent 0%;
        }
        & .-buttons { height: 1; align-horizontal: right; }
        & Button { margin: 0 0 0 2; }
        & .-hint { height: auto; color: $text-muted; }
        & .-hint.-warning { color: $text-warning; text-style: bold; }
        & NamingLine { color: $text-muted; }
        & NamingLine.-warning { color: $text-warning; text-style: bold; }
        & NamingLine Input { background: $primary 25%; }
        & KeyBar { background: $surface; }
    }
    """
    BINDINGS = [
        bind("escape", "cancel", "Back", "dialog.cancel", "Close this without a change"),
        # The app's own keys do not reach a modal screen.
        bind_hidden("f1,question_mark", "app.help", "Help", "app.help", "Help for the focus, and all keys"),
        bind_over(
            "ctrl+p",
            "app.command_palette",
            "Find",
            "app.palette",
            "Find an action, a setting, a model, a run or a text by any word",
        ),
    ]
    box = getters.query_one(DialogBox)

    def __init__(self, heading: str, keys: str = "") -> None:
        """`heading` is written over the box, `keys` (what Enter and Esc do) under it."""
        super().__init__()
        self._heading, self._keys = heading, keys
        # Textual finds these classes only with the first layout: the dialog would jump when it appears.
        for least, name in reversed(self.HORIZONTAL_BREAKPOINTS or []):
            if self.app.size.width >= least:
                self.add_class(name)
                break

    def compose(self) -> ComposeResult:
        with DialogBox() as box:
            box.border_title, box.border_subtitle = escape(self._heading), escape(self._keys)
            yield from self.compose_body()

    def compose_body(self) -> ComposeResult:
        raise NotImplementedError

    def set_heading(self, heading: str) -> None:
        """Write another title over the box."""
        self.box.border_title = escape(heading)

    def set_keys(self, keys: str) -> None:
        """Write another line under the box."""
        self.box.border_subtitle = escape(keys)

    def show_note(self, note: str, warning: bool = False) -> None:
        """Show a note, or a warning, in the line that the dialog has for it; nothing once it is closed."""
        if self.is_attached:
            cast(NoteLine | NamingLine, self.query_one("NoteLine, NamingLine")).set_note(note, warning)

    def show_problem(self, error: TinyGPTError) -> None:
        """Show what went wrong, and what to do."""
        self.show_note(f"{error.message}\n{error.hint}".strip(), warning=True)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show why a worker of the dialog failed; the app logs what is unexpected."""
        error = event.worker.error if event.state is WorkerState.ERROR else None
        if isinstance(error, TinyGPTError):
            self.show_problem(error)
        elif error is not None:
            self.app.post_message(event)

    @property
    def answer_now(self) -> Answer | None:
        """The answer if it is closed without a choice."""
        return None

    def action_cancel(self) -> None:
        """Close the dialog without a choice."""
        self.dismiss(self.answer_now)
