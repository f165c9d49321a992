"""The new model's name: suggested until the user types one."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from tinygpt_tui import paths
from tinygpt_tui.runs.index import free_name
from tinygpt_tui.ui.train.draft import name_problem


class TrainNameRow(Horizontal):
    """A box for the name, and beside it why it is invalid."""

    DEFAULT_CSS = """
    TrainNameRow {
        height: 1;
        & > .-title { width: 19; height: 1; }
        & > Input { width: 40; }
        & > .-note { width: 1fr; height: 1; padding: 0 0 0 2; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """
    HELP = """## Name

What the model will be called, in the Generate tab and on the disk. Letters, digits, spaces, dots, _ and -.
"""

    class Changed(Message):
        """The user typed."""

    def __init__(self) -> None:
        super().__init__()
        self._typed = False
        self.problem = ""

    def compose(self) -> ComposeResult:
        yield Static("name", classes="-title")
        yield Input(compact=True, id="name", select_on_focus=True)
        yield Static("", classes="-note", markup=False)

    @property
    def text(self) -> str:
        return self.query_one(Input).value.strip()

    def suggest(self, name: str) -> None:
        """Put in a free name like `name`, unless the user has typed one that is still free."""
        if not self._typed or name_problem(self.text):
            self._typed = False
            with self.prevent(Input.Changed):
                self.query_one(Input).value = free_name(_valid_name(name))
        self.check()

    def check(self) -> bool:
        """Check the name, show why it is invalid, and return whether it is valid."""
        self.problem = name_problem(self.text)
        self.set_class(bool(self.problem), "-invalid")
        self.query_one(".-note", Static).update(f"✗ {self.problem}" if self.problem else "")
        return not self.problem

    def on_input_changed(self, message: Input.Changed) -> None:
        """Check what was typed."""
        message.stop()
        self._typed = bool(self.text)
        self.check()
        self.post_message(self.Changed())


def _valid_name(name: str) -> str:
    """Return the part of a file's name that is valid as a model's."""
    valid = "".join(sign if sign.isalnum() or sign in " ._-" else "-" for sign in paths.composed(name))
    return valid.lstrip(" ._-")[:56].rstrip(" .") or "model"
