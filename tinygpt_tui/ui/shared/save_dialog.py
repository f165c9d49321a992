"""Asks where to save, and as what; an existing file is overwritten only when that is said twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.widgets import Input, Static

from tinygpt_tui import files, paths
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.ui.shared.dialog import Dialog

SAVES = "Enter saves {what} · Esc does not"
KINDS = {
    ".md": "Markdown: the text, its settings, the branches",
    ".json": "JSON: the whole session",
}
PLAIN = "the text alone"
OTHERS = "end the name in .md or .json for settings and branches too"


class SaveScreen(Dialog[Path]):
    """Writes a text where the user says, in the format that the name ends in; answers with the path, or None."""

    HELP: ClassVar[str | None] = (
        "Where to save the text. `~` is your home folder; Enter saves, Esc does not.\n\n"
        "A name that ends in `.md` saves Markdown: prompt and text told apart, model, settings and seed, the tree of "
        "branches, and the texts of the kept ones. `.json` saves the whole session, for programs. Any other name saves "
        "the text and nothing else."
    )
    DEFAULT_CSS = """
    SaveScreen {
        & > DialogBox { width: 60; max-width: 90%; }
        & Input { height: 1; border: none; padding: 0; margin: 1 0; }
    }
    """

    def __init__(
        self,
        name: str,
        text: str,
        exports: Mapping[str, Callable[[], bytes]] | None = None,
        kinds: Mapping[str, str] = KINDS,
        title: str = "save the text",
        others: str = OTHERS,
    ) -> None:
        """`name` is what the file will be called in the current folder, unless something else is typed.

        `exports` makes the other formats, by suffix (`sessions.export.exports_of`), which `kinds` says in words; what
        it lacks is saved as `text`.
        """
        super().__init__(title)
        self._kinds, self._others = kinds, others
        self._file_name, self._content, self._exports = name, text, dict(exports or {})
        self._confirmed: Path | None = None

    def compose_body(self) -> ComposeResult:
        """Yield the question."""
        yield Input(str(Path.cwd() / self._file_name), compact=True)
        yield Static(self._offer(self._file_name), id="save-note", classes="-hint", markup=False)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Another path needs another yes."""
        self._confirmed = None
        self._say(self._offer(message.value))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Answer, or ask once more."""
        path = paths.typed_path(message.value.strip())
        try:
            is_folder, exists = path.is_dir(), path.exists()
        except (OSError, ValueError) as error:  # a name too long, or with a zero in it
            self._say(f"this path cannot be used: {getattr(error, 'strerror', None) or error}", warning=True)
            return
        if not message.value.strip():
            self._say("a name is needed", warning=True)
        elif is_folder:
            self._say("that is a folder", warning=True)
        elif exists and self._confirmed != path:
            self._confirmed = path
            self._say("this file exists: Enter again overwrites it · Esc does not", warning=True)
        else:
            self._write(path)

    def _write(self, path: Path) -> None:
        try:
            files.write_bytes(path, self._bytes(path))
        except TinyGPTError as error:
            self._say(f"{error.message}\n{error.hint}", warning=True)
        else:
            self.dismiss(path)

    def _bytes(self, path: Path) -> bytes:
        make = self._exports.get(path.suffix.lower())
        # UTF-8 has no halves of surrogate pairs, which a prompt may hold.
        return make() if make is not None else self._content.encode("utf-8", "replace")

    def _offer(self, name: str) -> str:
        """Say what Enter will do with this name."""
        if not self._exports:
            return SAVES.format(what="the text")
        suffix = Path(name.strip()).suffix.lower()
        kind = self._kinds.get(suffix) if suffix in self._exports else None
        return SAVES.format(what=kind) if kind else f"{SAVES.format(what=PLAIN)}\n{self._others}"

    def _say(self, text: str, warning: bool = False) -> None:
        note = self.query_one("#save-note", Static)
        note.update(text)
        note.set_class(warning, "-warning")
