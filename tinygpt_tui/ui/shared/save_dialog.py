"""Asks where to save and in which format; an existing file is overwritten only after a second Enter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from textual.app import ComposeResult
from textual.widgets import Input

from tinygpt_tui import files, paths
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.ui.shared.dialog import Dialog, NoteLine

SAVES = "Enter to save {what} · Esc to cancel"
KINDS = {
    ".md": "Markdown: the text, its settings, the branches",
    ".json": "JSON: the whole session",
}
PLAIN = "the text alone"
OTHERS = "a name ending in .md or .json also saves settings and branches"


class SaveScreen(Dialog[Path]):
    """Saves a text in the format of the file name's suffix, and reports it; dismisses with the path, or None."""

    HELP = (
        "Where to save the text. `~` is your home folder; Enter saves, Esc cancels.\n\n"
        "A name ending in `.md` saves Markdown: prompt and text marked, model, settings and seed, the branches and the "
        "texts of the starred ones. `.json` saves the whole session, for programs. Any other name saves only "
        "the text."
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
        """`name` is the suggested file name in the current folder.

        `exports` makes the other formats, by suffix (`sessions.export.exports_of`), described by `kinds`; any
        other suffix saves `text`.
        """
        super().__init__(title)
        self._kinds, self._others = kinds, others
        self._file_name, self._content, self._exports = name, text, dict(exports or {})
        self._confirmed: Path | None = None

    def compose_body(self) -> ComposeResult:
        yield Input(str(Path.cwd() / self._file_name), compact=True)
        yield NoteLine(self._offer(self._file_name), id="save-note")

    def on_input_changed(self, message: Input.Changed) -> None:
        """A changed path needs to be confirmed again."""
        self._confirmed = None
        self.show_note(self._offer(message.value))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Save, or ask again."""
        path = paths.typed_path(message.value.strip())
        try:
            is_folder, exists = path.is_dir(), path.exists()
        except (OSError, ValueError) as error:  # a name too long, or with a zero in it
            self.show_note(f"this path cannot be used: {getattr(error, 'strerror', None) or error}", warning=True)
            return
        if not message.value.strip():
            self.show_note("type a file name", warning=True)
        elif is_folder:
            self.show_note("this is a folder: add a file name", warning=True)
        elif exists and self._confirmed != path:
            self._confirmed = path
            self.show_note("this file exists: Enter again overwrites it · Esc cancels", warning=True)
        else:
            self._write(path)

    def _write(self, path: Path) -> None:
        try:
            files.write_bytes(path, self._bytes(path))
        except TinyGPTError as error:
            self.show_problem(error)
        else:
            self.app.notify(f"saved to {path}", markup=False)
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
