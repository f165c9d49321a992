"""What can be done with a session: each is a function from a session to a new one.

Where a branch goes, what the user kept stays: it is hung on the nearest branch that is left, with the text that it
read there now its own. Offsets into full texts mean the same before and after, so that a deletion can be undone after
other things have happened.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from msgspec.structs import replace

from tinygpt_tui.sessions.document import Branch, Session, children, full_text

NAME_LENGTH = 200


class Removed(msgspec.Struct, frozen=True):
    """What a deletion took: the `gone` branches, those it `moved` as they had been, and the current one of then."""

    gone: tuple[Branch, ...]
    moved: tuple[Branch, ...]
    current: int | None


def add_root(session: Session, prompt: str, **about: Any) -> Session:
    """Begin with a prompt; the new branch is the current one. `about`: the other fields of Branch."""
    return _add(session, Branch(id=session.next_id, text=prompt, prompt_end=len(prompt), **about))


def fork(session: Session, branch: int, at: int, alternative: str = "", **about: Any) -> Session:
    """Leave `branch` at offset `at` of its full text, with `alternative` there; the new branch is the current one.

    It hangs on the branch whose own text it leaves, which may be an ancestor of `branch`.
    """
    parent = session.branches[branch]
    prompt_end = min(at, parent.prompt_end)
    assert 0 <= at <= parent.end, "a fork lies inside the text"
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
    """Add generated text; costs the length of the branch, so that many small pieces are best joined before."""
    before = session.branches[branch]
    return change(session, branch, text=before.text + text, tokens=before.tokens + tokens)


def change(session: Session, branch: int, **fields: Any) -> Session:
    """Change some fields of a branch."""
    changed = replace(session.branches[branch], **fields)
    return replace(session, branches={**session.branches, branch: changed})


def rename(session: Session, branch: int, name: str) -> Session:
    """Give a branch a name, on one line; an empty one takes it away."""
    return change(session, branch, name=one_line(name))


def keep(session: Session, branch: int, kept: bool) -> Session:
    """Mark a branch as worth keeping, or not."""
    return change(session, branch, kept=kept)


def going_with(session: Session, branch: int) -> set[int]:
    """Return the branches that deleting `branch` takes: itself and what hangs on it, but for kept ones and theirs."""
    below, gone, waiting = children(session), set[int](), [branch]
    while waiting:
        taken = waiting.pop()
        gone.add(taken)
        waiting.extend(child.id for child in below.get(taken, ()) if not child.kept)
    return gone


def unkept(session: Session, spare: Collection[int] = ()) -> set[int]:
    """Return the branches that `drop_unkept` takes."""
    return {branch.id for branch in session.branches.values() if not branch.kept and branch.id not in spare}


def delete(session: Session, branch: int) -> tuple[Session, Removed]:
    """Take a branch away with what hangs on it (`going_with`)."""
    return _remove(session, going_with(session, branch))


def drop_unkept(session: Session, spare: Collection[int] = ()) -> tuple[Session, Removed]:
    """Take away all branches that are not kept, but for those in `spare`."""
    return _remove(session, unkept(session, spare))


def undo(session: Session, removed: Removed) -> Session:
    """Bring back what the last deletion took, whatever has happened to the other branches since.

    Deletions are undone in the order opposite to theirs.
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
    """Make a branch the current one."""
    assert branch in session.branches, "only a branch that is there can be chosen"
    return replace(session, current=branch)


def one_line(name: str) -> str:
    """Return a name as it can be kept: one line, no spaces around it, not too long."""
    return " ".join(name[: 4 * NAME_LENGTH].split())[:NAME_LENGTH]


def _add(session: Session, branch: Branch) -> Session:
    branches = {**session.branches, branch.id: branch}
    return replace(session, branches=branches, next_id=branch.id + 1, current=branch.id)


def _remove(session: Session, gone: set[int]) -> tuple[Session, Removed]:
    before = session.branches
    moved = tuple(branch for branch in before.values() if branch.id not in gone and branch.parent in gone)
    left = {id: branch for id, branch in before.items() if id not in gone}
    left.update({branch.id: _rehung(session, branch, gone) for branch in moved})
    removed = Removed(tuple(before[id] for id in sorted(gone)), moved, session.current)
    current = session.current
    while current in gone:
        current = before[current].parent
    if current is None:
        current = next(iter(left), None)
    return replace(session, branches=left, current=current), removed


def _rehung(session: Session, branch: Branch, gone: set[int]) -> Branch:
    """Return `branch` hung on its nearest ancestor that stays, its text what it reads from there on."""
    parent, fork_at = branch.parent, branch.fork_at
    while parent is not None and parent in gone:
        fork_at = min(fork_at, session.branches[parent].fork_at)
        parent = session.branches[parent].parent
    given = {"fork_at": fork_at, "chosen": branch.fork_at + branch.chosen - fork_at}
    return replace(branch, parent=parent, **given, text=full_text(session, branch.id)[fork_at:])
