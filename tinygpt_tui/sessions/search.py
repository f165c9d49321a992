"""Full-text search in all sessions: newest first, within a time, and bounded in what is read."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.sessions.document import Session
from tinygpt_tui.sessions.store import SessionCard, SessionStore
from tinygpt_tui.tokenizers.dialogues import MARKS

LONGEST_S = 2.0  # for a search; what was found until then is shown
LARGEST = 64 << 20  # bytes of a session that is searched
AROUND = 30  # characters of an excerpt on each side


class Place(NamedTuple):
    """Where words are in a session: the character `at` of the full text of `branch`, and the text around it."""

    card: SessionCard
    branch: int
    at: int
    excerpt: str


def search(
    store: SessionStore,
    words: str,
    *,
    most: int = 50,
    cards: Collection[SessionCard] | None = None,
    seconds: float = LONGEST_S,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Place]:
    """Yield the first place of `words`, which follow each other, in each session; `cards` are all sessions if known.

    Upper and lower case are the same, and so are a space and a new line. For a thread; a session that cannot be read is
    left out. Raises StorageError.
    """
    pattern = pattern_of(words)
    if pattern is None:
        return
    plain = [word.encode() for word in words.lower().split() if word.isascii() and word.isalnum()]
    end, found = time.monotonic() + seconds, 0
    for card in store.cards() if cards is None else cards:
        if found == most or stopped() or time.monotonic() > end:
            return
        if card.problem or card.size_bytes > LARGEST:
            continue
        try:
            session = store.load_if(card.id, lambda content: _may_have(content, plain))
        except TinyGPTError:
            continue
        place = None if session is None else place_in(session, pattern, card)
        if place is not None:
            found += 1
            yield place


def pattern_of(words: str) -> re.Pattern[str] | None:
    """Return what finds `words`; None if there is none."""
    parts = [re.escape(word) for word in words.split()]
    return re.compile(r"\s+".join(parts), re.IGNORECASE) if parts else None


def place_in(session: Session, pattern: re.Pattern[str], card: SessionCard) -> Place | None:
    """Return the newest place in a session; each branch is searched in what it adds to its parent."""
    for branch in reversed(session.branches.values()):
        match = pattern.search(branch.text)
        if match is not None:
            start, end = max(0, match.start() - AROUND), match.end() + AROUND
            around = " ".join(MARKS.sub(" ", branch.text[start:end]).split())
            excerpt = f"{'…' if start else ''}{around}{'…' if end < len(branch.text) else ''}"
            return Place(card, branch.id, branch.fork_at + match.start(), excerpt)
    return None


def _may_have(content: bytes, words: list[bytes]) -> bool:
    """Whether a file can have the words; fast, so that only few files are decoded."""
    content = content.lower()
    return all(word in content for word in words)
