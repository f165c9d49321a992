"""A session: everything written in the Generate tab since the session was started, as a tree of branches.

A branch is one generation: one model, one set of sampling settings, one seed. A root starts with a prompt; every other
branch leaves its parent at a character and replaces the text from there on, or continues at the parent's end. Offsets
count the characters of a branch's full text, from the first of the root.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from tinygpt_tui.errors import SessionError
from tinygpt_tui.settings.sampling import SamplingChange, SamplingSettings
from tinygpt_tui.tokenizers.dialogues import MARKS
from tinygpt_tui.words import shortened

TITLE_LENGTH = 100

Count = Annotated[int, Meta(ge=0)]


class Branch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One generation.

    `fork_at` is where it leaves its parent's full text (a root: 0); `text` is what it adds from there on (a root: with
    the prompt). Up to `prompt_end` the full text was given by the user. The first `chosen` characters of `text` are not
    generated: they are the alternative that was chosen at the fork. `tokens` were generated, with `seed` (None until it
    is known); `reason` is why that ended, empty if no end was recorded. `step` and `validation_loss` are those of the
    weights that wrote it, if known; `in_training`: they were a live run's newest;
    `untrained`: they were those that the model's training started with. `turned`: `sampling` is how it began; the
    settings were changed while it was written, so that its seed alone does not repeat it. `changes` are how, counted in
    its own tokens (empty in sessions of older programs); with them it can be repeated.
    """

    id: Count
    parent: Count | None = None
    fork_at: Count = 0
    text: str = ""
    chosen: Count = 0
    prompt_end: Count = 0
    name: str = ""
    kept: bool = False
    model: str = ""
    model_path: str = ""
    untrained: bool = False
    step: Count | None = None
    validation_loss: float | None = None
    in_training: bool = False
    sampling: SamplingSettings = SamplingSettings()
    turned: bool = False
    changes: tuple[SamplingChange, ...] = ()
    seed: int | None = None
    tokens: Count = 0
    created_at: str = ""
    reason: str = ""

    @property
    def end(self) -> int:
        """The length of the full text, in characters."""
        return self.fork_at + len(self.text)

    @property
    def begins_at(self) -> int:
        """Where the generated text starts in the full text."""
        return max(self.prompt_end, self.fork_at + self.chosen)

    @property
    def last_sampling(self) -> SamplingSettings:
        return self.changes[-1].applied_to(self.sampling) if self.changes else self.sampling

    @property
    def stamp(self) -> str:
        """Which weights wrote it: their step, and their validation loss as last measured; empty if unknown."""
        if self.step is None:
            return ""
        newest = " (newest)" if self.in_training else ""
        loss = "" if self.validation_loss is None else f", loss {self.validation_loss:.2f}"
        return f"step {self.step:,}{newest}{loss}"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Branches by id, in the order of their creation; `current` is the one that was shown last.

    `title` is empty until the user gives one. `next_id` was never used, not even by a deleted branch. Times
    are UTC, in ISO format.
    """

    id: str
    title: str = ""
    created_at: str = ""
    changed_at: str = ""
    current: int | None = None
    next_id: Count = 0
    branches: dict[int, Branch] = {}

    @property
    def heading(self) -> str:
        """The title, or the first words of the first prompt."""
        return self.title or first_words(self)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models that wrote, each once."""
        return tuple(dict.fromkeys(branch.model for branch in self.branches.values() if branch.model))

    @property
    def characters(self) -> int:
        """How much text its branches have; shared text counts once."""
        return sum(len(branch.text) for branch in self.branches.values())


def moment(time: datetime) -> str:
    """Return a UTC time in a session's format: `2027-01-15T12:00:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def full_text(session: Session, branch: int) -> str:
    """Return all the text that a reader of this branch sees."""
    pieces = []
    at: Branch | None = session.branches[branch]
    limit = at.end if at else 0
    while at is not None:
        pieces.append(at.text[: max(0, limit - at.fork_at)])
        limit = min(limit, at.fork_at)
        at = None if at.parent is None else session.branches[at.parent]
    return "".join(reversed(pieces))


def children(session: Session) -> dict[int | None, list[Branch]]:
    """Return each branch's children by its id, in the order of the text, then of time; the roots under None."""
    found: dict[int | None, list[Branch]] = {}
    for branch in session.branches.values():
        found.setdefault(branch.parent, []).append(branch)
    for siblings in found.values():
        siblings.sort(key=lambda branch: (branch.fork_at, branch.id))
    return found


def words_of(branch: Branch, length: int = TITLE_LENGTH) -> str:
    """Return the first words of a branch's own text, on one line; empty if it has none."""
    # There may be many spaces: more is read than is shown, but not all of a long text.
    return shortened(" ".join(MARKS.sub(" ", branch.text[: 8 * length]).split()), length)


def first_words(session: Session) -> str:
    """Return the first words of the first prompt, on one line."""
    roots = (branch for branch in session.branches.values() if branch.parent is None)
    return next((words for root in roots if (words := words_of(root))), "")


def check(session: Session) -> None:
    """Raise SessionError if the branches do not form a tree of texts."""
    branches = session.branches
    for branch in branches.values():
        parent = None if branch.parent is None else branches.get(branch.parent)
        if branch.parent is not None and parent is None:
            raise SessionError(f"branch {branch.id} leaves branch {branch.parent}, which is not there")
        room = 0 if parent is None else parent.end
        if branch.fork_at > room:
            raise SessionError(f"branch {branch.id} starts at character {branch.fork_at}, after the text's end, {room}")
        if branch.begins_at > branch.end:
            raise SessionError(f"branch {branch.id}: its prompt ends after its text")
        if branch.id >= session.next_id:
            raise SessionError(f"branch {branch.id}: the next one would be {session.next_id}")
    if session.current is not None and session.current not in branches:
        raise SessionError(f"the current branch, {session.current}, is not there")
    if len(_rooted(session)) != len(branches):
        raise SessionError("some branches form a circle")


def _rooted(session: Session) -> set[int]:
    below, found = children(session), set[int]()
    waiting = list(below.get(None, ()))
    while waiting:
        branch = waiting.pop()
        found.add(branch.id)
        waiting.extend(below.get(branch.id, ()))
    return found
