"""The line at the bottom of the Runs tab: renames, deletes and restores runs, and reports the result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from textual import work

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.runs import manage
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.ui.shared.failed import pass_to_screen
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.naming_line import NamingLine


class RunFilesLine(NamingLine):
    """Changes files in a thread; what was deleted here can be restored until the app ends."""

    class Changed(Message):
        """Files may have changed; `old` is a run that is at `new` now, or, without `new`, no longer there."""

        old: str = ""
        new: str = ""

    class AskingEnded(Message):
        """No name is being typed any more."""

    def __init__(self) -> None:
        super().__init__()
        self._model = Path()  # that is being renamed
        self._trashed: list[manage.TrashedModel] = []

    @property
    def can_undo(self) -> bool:
        return bool(self._trashed)

    def report(self, note: str) -> None:
        if self.is_attached:
            self.set_note(note)

    def warn(self, error: TinyGPTError) -> None:
        """Show what went wrong and what to do."""
        if self.is_attached:
            self.set_note(f"{error.message}\n{error.hint}".strip(), warning=True)

    def save_notes(self, model: Path, notes: str) -> None:
        self._do(lambda: manage.write_notes(RunFolder(model), notes), "notes saved", self.Changed())

    def rename(self, model: Path) -> None:
        """Let the user type another name, and give it to the model."""
        self._model = model
        self.ask(model.name)

    def on_naming_line_named(self, message: NamingLine.Named) -> None:
        message.stop()
        self.post_message(self.AskingEnded())
        model, name = self._model, (message.name or "").strip()
        if name and name != model.name:
            changed = self.Changed(str(model), str(model.with_name(name)))
            self._do(lambda: manage.rename(model, name), f"{model.name} renamed to {name}", changed)

    def delete(self, model: Path) -> None:
        self._do(
            lambda: self._trashed.append(manage.move_to_trash(model)),
            f"{model.name} moved to the trash · z to undo",
            self.Changed(str(model)),
        )

    def undo(self) -> None:
        """Restore the model that was deleted last."""
        if not self._trashed:
            self.report("nothing was deleted here since the app started")
            return
        trashed = self._trashed[-1]

        def restore() -> None:
            manage.restore(trashed)
            self._trashed.remove(trashed)

        self._do(restore, f"{trashed.model.name} restored", self.Changed(new=str(trashed.model)))

    @work(thread=True, group="disk", exit_on_error=False)
    def _do(self, work: Callable[[], object], note: str, changed: Changed) -> None:
        try:
            work()
        except TinyGPTError as error:
            self.app.call_from_thread(self.warn, error)
            self.post_message(self.Changed())
        else:
            self.app.call_from_thread(self.report, note)
            self.post_message(changed)

    on_worker_state_changed = pass_to_screen
