"""Operations on a session: each is a function from a session to a new one.

When a branch is deleted, branches below it that the user keeps stay: they are attached to the nearest branch that is
left, and the text that they shared becomes their own. Offsets into full texts mean the same before and after, so that a
deletion can be undone after other changes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec.structs import replace

from tinygpt_tui.sessions.document import Branch, Session, children, full_text

NAME_LENGTH = 200


class Removed(msgspec.Struct, frozen=True):
    """What a deletion removed: the `gone` branches, those it `moved` as they were, and the branch that was current."""

    gone: tuple[Branch, ...]
    moved: tuple[Branch, ...]
    current: int | None


def add_root(session: Session, prompt: str, **about: Any) -> Session:
    """Start with a prompt; the new branch is the current one. `about`: the other fields of Branch."""
    return _add(session, Branch(id=session.next_id, text=prompt, prompt_end=len(prompt), **about))


def fork(session: Session, branch: int, at: int, alternative: str = "", **about: Any) -> Session:
    """Leave `branch` at offset `at` of its full text, with `alternative` there; the new branch is the current one.

    Its parent is the branch whose own text it leaves, which may be an ancestor of `branch`.
    """
    parent = session.branches[branch]
    prompt_end = min(at, parent.prompt_end)
    assert 0 <= at <= parent.end, "a fork must be inside the text"
    while parent.parent is not None and at <= parent.fork_at:
        parent = session.branches[parent.parent]
    new = Branch(
        id=session.next_id,
        parent=parent.id,
        fork_at=at,
        text=alternative,
        chosen=len(alternative),
        prompt_end=prompt_end,
        **about,
    )
    return _add(session, new)


def append(session: Session, branch: int, text: str, tokens: int = 0) -> Session:
    """Add generated text; costs the length of the branch, so join many small pieces first."""
    before = session.branches[branch]
    return change(session, branch, text=before.text + text, tokens=before.tokens + tokens)


def change(session: Session, branch: int, **fields: Any) -> Session:
    changed = replace(session.branches[branch], **fields)
    return replace(session, branches={**session.branches, branch: changed})


def rename(session: Session, branch: int, name: str) -> Session:
    """Give a branch a name, on one line; an empty one takes it away."""
    return change(session, branch, name=one_line(name))


def mark(session: Session, branch: int, marked: bool) -> Session:
    """Mark a branch as worth keeping, or not."""
    return change(session, branch, kept=marked)


def going_with(session: Session, branch: int) -> set[int]:
    """Return the branches that deleting `branch` removes: itself and those below, except kept ones and theirs."""
    below, gone, waiting = children(session), set[int](), [branch]
    while waiting:
        taken = waiting.pop()
        gone.add(taken)
        waiting.extend(child.id for child in below.get(taken, ()) if not child.kept)
    return gone


def unkept(session: Session, spare: Collection[int] = ()) -> set[int]:
    """Return the branches that `drop_unkept` removes."""
    return {branch.id for branch in session.branches.values() if not branch.kept and branch.id not in spare}


def delete(session: Session, branch: int) -> tuple[Session, Removed]:
    """Delete a branch with those below it (`going_with`)."""
    return _remove(session, going_with(session, branch))


def drop_unkept(session: Session, spare: Collection[int] = ()) -> tuple[Session, Removed]:
    """Delete all branches that are not kept, except those in `spare`."""
    return _remove(session, unkept(session, spare))


def undo(session: Session, removed: Removed) -> Session:
    """Restore what the last deletion removed, whatever has happened to the other branches since.

    Deletions are undone in reverse order.
    """
    branches = dict(session.branches)
    for before in removed.moved:
        now = branches[before.id]
        text = full_text(session, before.id)[before.fork_at :]
        place = {"parent": before.parent, "fork_at": before.fork_at, "chosen": before.chosen}
        branches[before.id] = replace(now, **place, text=text)
    for branch in removed.gone:
        branches[branch.id] = branch
    return replace(session, branches=dict(sorted(branches.items())), current=removed.current)


def choose(session: Session, branch: int) -> Session:
    assert branch in session.branches, "only an existing branch can be chosen"
    return replace(session, current=branch)


def one_line(name: str) -> str:
    """Return a name as it is saved: one line, no spaces around it, not too long."""
    return " ".join(name[: 4 * NAME_LENGTH].split())[:NAME_LENGTH]


def _add(session: Session, branch: Branch) -> Session:
    branches = {**session.branches, branch.id: branch}
    return replace(session, branches=branches, next_id=branch.id + 1, current=branch.id)


def _remove(session: Session, gone: set[int]) -> tuple[Session, Removed]:
    before = session.branches
    moved = tuple(branch for branch in before.values() if branch.id not in gone and branch.parent in gone)
    left = {id: branch for id, branch in before.items() if id not in gone}
    left.update({branch.id: _moved_up(session, branch, gone) for branch in moved})
    removed = Removed(tuple(before[id] for id in sorted(gone)), moved, session.current)
    current = session.current
    while current in gone:
        current = before[current].parent
    if current is None:
        current = next(iter(left), None)
    return replace(session, branches=left, current=current), removed


def _moved_up(session: Session, branch: Branch, gone: set[int]) -> Branch:
    """Return `branch` attached to its nearest ancestor that stays; its text is everything from there on."""
    parent, fork_at = branch.parent, branch.fork_at
    while parent is not None and parent in gone:
        fork_at = min(fork_at, session.branches[parent].fork_at)
        parent = session.branches[parent].parent
    given = {"fork_at": fork_at, "chosen": branch.fork_at + branch.chosen - fork_at}
    return replace(branch, parent=parent, **given, text=full_text(session, branch.id)[fork_at:])
