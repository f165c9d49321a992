"""Search in all texts: every session, the newest place in each, bounded in time."""

from __future__ import annotations

import pytest

from tinygpt_tui.sessions import tree
from tinygpt_tui.sessions.document import Session
from tinygpt_tui.sessions.search import search
from tinygpt_tui.sessions.store import SessionStore


@pytest.fixture
def store() -> SessionStore:
    return SessionStore()


def written(store: SessionStore, prompt: str, more: str) -> Session:
    """A session on the disk with a root, and a fork that replaces its last three letters by `more`."""
    session = tree.add_root(store.new(), prompt, model="one")
    session = tree.fork(session, 0, len(prompt) - 3, more, model="one")
    store.save(session)
    return session


@pytest.mark.parametrize(
    ("words", "at"),
    [("GOOD morrow", 4), ("morrow to", 9), ("the", 0), ("ÉTÉ", 21), ('say "yes"', 25), ("x y", None), ("  ", None)],
)
def test_words_are_found_whatever_their_case_and_the_spaces_between(
    store: SessionStore, words: str, at: int | None
) -> None:
    session = written(store, 'The good\nmorrow   to été say "yes"...', " [x] z")
    found = list(search(store, words))
    assert [place.at for place in found] == ([] if at is None else [at])
    assert all(place.card.id == session.id and place.branch == 0 for place in found)


def test_a_branch_is_searched_in_what_it_adds(store: SessionStore) -> None:
    written(store, "a beginning that ends here", "there and beyond")
    (place,) = search(store, "and beyond")
    assert (place.branch, place.at) == (1, len("a beginning that ends ") + 1 + len("there "))
    assert place.excerpt == "there and beyond"


def test_a_search_is_bounded_and_can_be_stopped(store: SessionStore) -> None:
    for number in range(5):
        written(store, f"the same words {number} ...", "x")
    (store.folder / "broken.session").write_bytes(b"{}\nthe same words")
    assert len(list(search(store, "same words"))) == 5
    assert len(list(search(store, "same words", most=2))) == 2
    assert list(search(store, "same words", seconds=-1)) == []
    assert list(search(store, "same words", stopped=lambda: True)) == []
