"""The session that the Generate tab writes in: one place for its text, its branches and its file.

All calls are fast and for the app's thread, except `load`, `close` and the functions that `save_soon` and
`delete_session` return: those use the disk and are for a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import SessionError, TinyGPTError
from tinygpt_tui.events.generation import GenerationStarted
from tinygpt_tui.sessions import tree
from tinygpt_tui.sessions.autosave import AutoSave, Save
from tinygpt_tui.sessions.document import Branch, Session, full_text, moment
from tinygpt_tui.sessions.store import Opened, SessionStore
from tinygpt_tui.settings.sampling import SamplingChange, SamplingSettings

STILL_WRITING = "this text is still being written"
STOP_FIRST = "stop it first (Esc in the Generate tab)"


class SessionEditor:
    """Holds a session; all changes go through here.

    `version` rises with every change, for views to compare. `writing` is the branch that receives text.
    """

    def __init__(self, store: SessionStore | None = None) -> None:
        self.store = store or SessionStore()
        self.version = 0
        self.writing: int | None = None
        self._session = self.store.new()
        self._saver = AutoSave(self.store)
        self._left: list[tuple[Session, AutoSave]] = []  # other sessions, until they are on the disk
        self._removed: list[tree.Removed] = []
        self._pieces: list[str] = []  # of the branch being written; joined when the session is read
        self._tokens = 0

    # Reading

    @property
    def session(self) -> Session:
        """The session as it is now."""
        if self._pieces and self.writing is not None:
            text, self._pieces = "".join(self._pieces), []
            self._session = tree.append(self._session, self.writing, text, self._tokens)
            self._tokens = 0
        return self._session

    @property
    def current(self) -> Branch | None:
        session = self.session
        return None if session.current is None else session.branches[session.current]

    def full_text(self, branch: int | None = None) -> str:
        """Return a branch's text; without a number the current one's."""
        wanted = self.session.current if branch is None else branch
        return "" if wanted is None else full_text(self.session, wanted)

    @property
    def can_undo(self) -> bool:
        return bool(self._removed)

    # Writing

    def begin(self, prompt: str, model: ModelCard, sampling: SamplingSettings, *, untrained: bool = False) -> int:
        """Start a text with a prompt; return its branch, which is the current one from now on.

        The same prompt again is another branch of the text that starts with it. A text being written ends.
        """
        self.ended("stopped")
        session = self.session
        for root in session.branches.values():
            if root.parent is None and root.prompt_end == len(prompt) and root.text.startswith(prompt):
                return self._write_at(root, len(prompt), "", self._about(model, sampling, untrained))
        return self._set_writing(tree.add_root(session, prompt, **self._about(model, sampling, untrained)))

    def go_on(self, model: ModelCard, sampling: SamplingSettings, *, untrained: bool = False) -> int:
        """Continue at the current branch's end; return the branch that receives the text."""
        self.ended("stopped")
        current = self._needed()
        return self._write_at(current, current.end, "", self._about(model, sampling, untrained))

    def fork(
        self, at: int, alternative: str, model: ModelCard, sampling: SamplingSettings, *, untrained: bool = False
    ) -> int:
        """Fork the current branch at offset `at`, with other text there; return the new branch."""
        self.ended("stopped")
        return self._write_at(self._needed(), at, alternative, self._about(model, sampling, untrained))

    def started(self, event: GenerationStarted) -> None:
        """Record the seed, and the training step of the weights."""
        if self.writing is not None:
            stamp = {"step": event.step, "validation_loss": event.validation_loss, "in_training": event.in_training}
            self._change(tree.change(self.session, self.writing, seed=event.seed, **stamp))

    def settings_changed(self, change: SamplingChange) -> None:
        """Record that the next tokens of the branch being written are drawn with other settings."""
        if self.writing is not None:
            changes = (*self.session.branches[self.writing].changes, change)
            self._change(tree.change(self.session, self.writing, turned=True, changes=changes))

    def append(self, text: str, tokens: int) -> None:
        """Add generated text of this many tokens to the branch being written; fast, whatever its length."""
        if text or tokens:
            assert self.writing is not None, "text arrives between a start and its end"
            self._pieces.append(text)
            self._tokens += tokens
            self.version += 1
            self._saver.streamed()

    def ended(self, reason: str, seed: int | None = None) -> None:
        """End the branch being written, if there is one."""
        if self.writing is None:
            return
        session = self.session
        seed = session.branches[self.writing].seed if seed is None else seed
        writing, self.writing = self.writing, None
        self._change(tree.change(session, writing, reason=reason, seed=seed))

    # Branches

    def choose(self, branch: int) -> None:
        if branch != self.session.current:
            self._change(tree.choose(self.session, branch), touches=False)

    def rename_branch(self, branch: int, name: str) -> None:
        """Give a branch a name, or none."""
        self._change(tree.rename(self.session, branch, name))

    def set_starred(self, branch: int, starred: bool) -> None:
        """Star a branch, or remove its star."""
        self._change(tree.mark(self.session, branch, starred))

    def delete_branch(self, branch: int) -> int:
        """Delete a branch and the branches below it, except starred ones; return how many.

        Raises SessionError if one of them is being written.
        """
        if self.writing in tree.going_with(self.session, branch):
            raise SessionError(STILL_WRITING, STOP_FIRST)
        return self._take_away(*tree.delete(self.session, branch))

    def drop_unkept(self) -> int:
        """Delete all branches without a star, except one being written; return how many."""
        return self._take_away(*tree.drop_unkept(self.session, self.spared))

    @property
    def spared(self) -> tuple[int, ...]:
        """The branches that `drop_unkept` leaves although they have no star."""
        return () if self.writing is None else (self.writing,)

    def undo(self) -> int:
        """Undo the last deletion of branches; return how many were restored."""
        if not self._removed:
            return 0
        removed = self._removed.pop()
        self._change(tree.undo(self.session, removed))
        return len(removed.gone)

    # Sessions

    def rename(self, title: str) -> None:
        """Give the session a title, or none."""
        self._change(replace(self.session, title=tree.one_line(title)))

    def load(self, id: str) -> Opened:
        """Read a session, for `open`; for a thread. Raises what SessionStore.open does."""
        for session, _ in [(self._session, self._saver), *self._left]:
            if session.id == id:
                return Opened(session)  # it is open, and may be newer than on disk
        return self.store.open(id)

    def open(self, opened: Opened) -> None:
        """Switch to another session; a text being written ends. `save_soon` saves the old session."""
        if opened.session.id == self._session.id:
            return
        self.ended("stopped")
        self._left.append((self.session, self._saver))
        back = next((entry for entry in self._left if entry[0].id == opened.session.id), None)
        if back is not None:
            self._left.remove(back)
        self._session, self._saver = back or (opened.session, AutoSave(self.store, opened.lock))
        self._removed = []
        self.version += 1

    def new(self) -> None:
        """Switch to a new, empty session."""
        self.open(Opened(self.store.new()))

    def delete_session(self, id: str) -> Callable[[], None]:
        """Return a function for a thread that moves a session to the trash; it raises what SessionStore.delete does.

        If the session is open, a new one is opened. Raises SessionError if it is being written.
        """
        if id == self._session.id:
            if self.writing is not None:
                raise SessionError(STILL_WRITING, STOP_FIRST)
            self.new()
        ours = next((entry for entry in self._left if entry[0].id == id), None)
        if ours is None:
            return lambda: self.store.delete(id)
        self._left.remove(ours)
        return lambda: self._delete_ours(*ours)

    # The disk

    def save_soon(self, now: float) -> Save | None:
        """Return a function for a thread that saves, if that is due; fast, for frequent calls.

        The function returns an error to show, or None. `now`: a monotonic clock, in seconds.
        """
        if self._saver.due(now):
            return self._saver.start_save(self.session, now)
        for entry in list(self._left):
            session, saver = entry
            if saver.due(now):
                return saver.start_save(session, now)
            if saver.settled:
                saver.release()
                self._left.remove(entry)
        return None

    @property
    def error(self) -> TinyGPTError | None:
        """Why some text could not be saved; None while nothing fails."""
        return next((saver.error for _, saver in self._all() if saver.error is not None and saver.dirty), None)

    def save_all(self, now: float) -> Callable[[], TinyGPTError | None]:
        """Return a function for a thread that saves everything; it returns why some text was not saved."""
        unsaved = [(saver, saver.start_save(session, now)) for session, saver in self._all() if saver.dirty]

        def write() -> TinyGPTError | None:
            for _, save in unsaved:
                save()
            return next((saver.error for saver, _ in unsaved if saver.error is not None), None)

        return write

    def close(self) -> TinyGPTError | None:
        """Save what is not on disk yet and release it; return an error to show. For the end."""
        self.ended("stopped")
        error = None
        for session, saver in self._all():
            error = saver.write_now(session) or error
            saver.release()
        return error

    def _delete_ours(self, session: Session, saver: AutoSave) -> None:
        error = saver.write_now(session)
        if error is not None:
            self._left.append((session, saver))
            raise error
        saver.release()
        self.store.delete(session.id)

    # Parts

    def _all(self) -> list[tuple[Session, AutoSave]]:
        return [*self._left, (self.session, self._saver)]

    def _write_at(self, branch: Branch, at: int, alternative: str, about: dict[str, Any]) -> int:
        if not branch.tokens and not alternative and at == branch.end:
            # No text was written there (the engine failed, or was stopped): reuse the empty branch.
            again = tree.change(self.session, branch.id, **about, seed=None, reason="", turned=False, changes=())
            return self._set_writing(tree.choose(again, branch.id))
        return self._set_writing(tree.fork(self.session, branch.id, at, alternative, **about))

    def _set_writing(self, session: Session) -> int:
        assert session.current is not None
        self._change(session)
        self.writing = session.current
        return session.current

    def _about(self, model: ModelCard, sampling: SamplingSettings, untrained: bool) -> dict[str, Any]:
        made = moment(self.store.clock())
        unknown = {"step": None, "validation_loss": None, "in_training": False}  # until the engine reports them
        used = {"model": model.name, "model_path": model.path, "untrained": untrained}
        return {**used, "sampling": sampling, "created_at": made, **unknown}

    def _needed(self) -> Branch:
        current = self.current
        assert current is not None, "there must be a text to continue"
        return current

    def _take_away(self, session: Session, removed: tree.Removed) -> int:
        if removed.gone:
            self._removed.append(removed)
            self._change(session)
        return len(removed.gone)

    def _change(self, session: Session, touches: bool = True) -> None:
        self._session = replace(session, changed_at=moment(self.store.clock())) if touches else session
        self.version += 1
        self._saver.changed()
