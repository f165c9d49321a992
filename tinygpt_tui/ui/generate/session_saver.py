"""Saves the session in the background."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual import work
from textual.widget import Widget

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.ui.generate.session_editor import SessionEditor
from tinygpt_tui.ui.generate.status_line import StatusLine
from tinygpt_tui.ui.shared.failed import Failed

SAVE_EVERY_S = 0.5  # how often the session is checked for changes to save; see sessions/autosave.py


class SessionSaver(Widget):
    """Invisible: saves when the editor says that it is due; the status line shows what could not be saved."""

    DEFAULT_CSS = "SessionSaver { display: none; }"

    def __init__(self, editor: SessionEditor, status: StatusLine) -> None:
        super().__init__()
        self._editor, self._status = editor, status

    def on_mount(self) -> None:
        self.set_interval(SAVE_EVERY_S, self._save_if_due)

    def _save_if_due(self) -> None:
        self._status.show_unsaved(self._editor.error)
        save = self._editor.save_soon(time.monotonic())
        if save is not None:
            self._save(save)

    @work(thread=True, group="session", exit_on_error=False)
    def _save(self, save: Callable[[], TinyGPTError | None]) -> None:
        error = save()
        if error is not None:
            self.post_message(Failed(error))
