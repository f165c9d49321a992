"""The tree of a session as rows: depth first, with guides to draw before each."""

from __future__ import annotations

from typing import NamedTuple

from tinygpt_tui.sessions.document import Branch, Session, children

FORK, LAST_FORK, PAST, BLANK, ON = "├─ ", "└─ ", "│  ", "   ", "↳ "


class Row(NamedTuple):
    """A branch, the lines that lead to it (`│  ├─ `), and its depth."""

    branch: Branch
    guides: str
    depth: int


def rows(session: Session) -> list[Row]:
    """Return the branches in the order in which the tree is read.

    An only child that continues where its parent ended has the same depth: twenty continuations are a list, not a
    staircase.
    """
    below = children(session)
    found: list[Row] = []
    waiting = [(root, "", "", 0) for root in reversed(below.get(None, ()))]
    while waiting:
        branch, guides, beneath, depth = waiting.pop()
        found.append(Row(branch, guides, depth))
        forks = below.get(branch.id, [])
        if len(forks) == 1 and forks[0].fork_at == branch.end:
            waiting.append((forks[0], beneath + ON, beneath, depth))
            continue
        for child in reversed(forks):
            last = child is forks[-1]
            lead, past = (LAST_FORK, BLANK) if last else (FORK, PAST)
            waiting.append((child, beneath + lead, beneath + past, depth + 1))
    return found
