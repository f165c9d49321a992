"""Forks, deletions and their undoing: whatever is done, no text that should stay changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tinygpt_tui.errors import SessionError
from tinygpt_tui.sessions import tree
from tinygpt_tui.sessions.document import Session, check, full_text, words_of
from tinygpt_tui.sessions.walk import rows

LETTERS = st.text("abcdé😀\ud83d\ude00\n\x1b ", max_size=12)


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """Sessions as they come about: prompts, forks anywhere in a text, text written on."""
    session = Session(id="s")
    for _ in range(draw(st.integers(1, 10))):
        if not session.branches or draw(st.integers(0, 4)) == 0:
            session = tree.add_root(session, draw(LETTERS))
        else:
            branch = draw(st.sampled_from(sorted(session.branches)))
            at = draw(st.integers(0, session.branches[branch].end))
            session = tree.fork(session, branch, at, draw(LETTERS))
        assert session.current is not None
        session = tree.append(session, session.current, draw(LETTERS), 1)
        session = tree.mark(session, session.current, draw(st.booleans()))
    return session


def texts(session: Session) -> dict[int, str]:
    return {id: full_text(session, id) for id in session.branches}


def small() -> Session:
    """A root with two forks, one of which is forked again."""
    session = tree.append(tree.add_root(Session(id="s"), "The king"), 0, " is dead.")
    session = tree.append(tree.fork(session, 0, 9, "was"), 1, " here.")
    session = tree.append(tree.fork(session, 1, 13, "old"), 2, " now.")
    return tree.fork(session, 0, 17)


def test_a_fork_shares_what_lies_before_it() -> None:
    session = small()
    assert texts(session) == {
        0: "The king is dead.",
        1: "The king was here.",
        2: "The king was old now.",
        3: "The king is dead.",
    }
    assert [session.branches[id].prompt_end for id in range(4)] == [8, 8, 8, 8]
    assert session.current == 3


def test_a_fork_hangs_on_the_branch_whose_text_it_leaves() -> None:
    session = tree.fork(small(), 2, 4, "queen")
    new = session.branches[4]
    assert (new.parent, new.fork_at, new.prompt_end) == (0, 4, 4)
    assert full_text(session, 4) == "The queen"


@given(sessions(), st.data())
def test_a_fork_says_the_same_up_to_where_it_leaves(session: Session, data: st.DataObject) -> None:
    branch = data.draw(st.sampled_from(sorted(session.branches)))
    before = full_text(session, branch)
    at = data.draw(st.integers(0, len(before)))
    forked = tree.fork(session, branch, at, "X")
    assert forked.current is not None
    assert full_text(forked, forked.current) == before[:at] + "X"
    assert {id: text for id, text in texts(forked).items() if id in session.branches} == texts(session)
    check(forked)


@given(sessions(), st.data())
def test_a_deletion_takes_what_it_says_and_leaves_every_other_text(session: Session, data: st.DataObject) -> None:
    branch = data.draw(st.sampled_from(sorted(session.branches)))
    going = tree.going_with(session, branch)
    left, removed = tree.delete(session, branch)
    assert {gone.id for gone in removed.gone} == going
    assert not any(gone.kept for gone in removed.gone if gone.id != branch)
    assert texts(left) == {id: text for id, text in texts(session).items() if id not in going}
    assert left.current not in going
    assert (left.current is None) == (not left.branches)
    for id, kept in left.branches.items():  # what was given, and what the model wrote, are told apart as before
        assert (kept.prompt_end, kept.begins_at) == (session.branches[id].prompt_end, session.branches[id].begins_at)
    check(left)


@given(sessions())
def test_what_is_not_kept_goes_and_the_kept_texts_stay(session: Session) -> None:
    left, _ = tree.drop_unkept(session, spare=[0])
    assert set(left.branches) == {0} | {id for id, branch in session.branches.items() if branch.kept}
    assert texts(left) == {id: text for id, text in texts(session).items() if id in left.branches}
    check(left)


@given(sessions(), st.data())
def test_deletions_are_undone_one_after_another_though_more_was_written(session: Session, data: st.DataObject) -> None:
    wanted, trail = session, []
    for _ in range(data.draw(st.integers(1, 4))):
        if not session.branches:
            break
        before = session.current
        if data.draw(st.booleans()):
            session, removed = tree.drop_unkept(session)
        else:
            session, removed = tree.delete(session, data.draw(st.sampled_from(sorted(session.branches))))
        trail.append((removed, before))
        if session.branches:
            grown = data.draw(st.sampled_from(sorted(session.branches)))
            session, wanted = tree.append(session, grown, "more"), tree.append(wanted, grown, "more")
    for removed, before in reversed(trail):
        session = tree.undo(session, removed)
        assert session.current == before
    assert session.branches == wanted.branches
    assert list(session.branches) == sorted(session.branches)


def test_numbers_are_not_used_twice() -> None:
    session, removed = tree.delete(small(), 3)
    session = tree.fork(session, 0, 1, "o")
    assert session.current == 4
    assert set(tree.undo(session, removed).branches) == {0, 1, 2, 3, 4}


def test_names_are_one_line() -> None:
    session = tree.rename(small(), 1, "  two\nlines " + "x" * 500)
    assert session.branches[1].name.startswith("two lines xxx")
    assert len(session.branches[1].name) == tree.NAME_LENGTH
    assert tree.rename(session, 1, " ").branches[1].name == ""


def test_words_are_the_branchs_own() -> None:
    session = small()
    assert [words_of(session.branches[id]) for id in range(4)] == ["The king is dead.", "was here.", "old now.", ""]
    assert words_of(session.branches[0], 6) == "The k…"
    assert session.heading == "The king is dead."
    assert replace(session, title="Kings").heading == "Kings"


def test_the_tree_is_read_depth_first_with_lines_that_lead_to_each() -> None:
    session = tree.add_root(small(), "Another")
    drawn = [row.guides + words_of(row.branch) for row in rows(session)]
    assert drawn == ["The king is dead.", "├─ was here.", "│  └─ old now.", "└─ ", "Another"]


def test_what_only_goes_on_makes_no_stairs() -> None:
    session = tree.add_root(Session(id="s"), "a")
    for letter in "bcd":
        assert session.current is not None
        session = tree.fork(session, session.current, session.branches[session.current].end)
        assert session.current is not None
        session = tree.append(session, session.current, letter)
    session = tree.fork(tree.fork(session, 3, 4, "e"), 3, 3, "f")
    drawn = [row.guides + words_of(row.branch) for row in rows(session)]
    assert drawn == ["a", "↳ b", "↳ c", "├─ d", "│  ↳ e", "└─ f"]


@given(sessions())
def test_every_branch_has_one_row_under_its_parent(session: Session) -> None:
    order = [row.branch.id for row in rows(session)]
    assert sorted(order) == sorted(session.branches)
    for row in rows(session):
        if row.branch.parent is not None:
            assert order.index(row.branch.parent) < order.index(row.branch.id)


def test_a_chain_of_thousands_is_walked() -> None:
    session = tree.add_root(Session(id="s"), "a")
    branches = dict(session.branches)
    for id in range(1, 5000):
        branches[id] = replace(branches[0], id=id, parent=id - 1, fork_at=id, text="b")
    session = replace(session, branches=branches, next_id=5000)
    check(session)
    assert len(rows(session)) == 5000
    assert full_text(session, 4999) == "a" + "b" * 4999
    assert tree.delete(session, 1)[0].branches == {0: branches[0]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parent": 9}, "branch 9, which is not there"),
        ({"fork_at": 18}, "after the text's end, 17"),
        ({"prompt_end": 100}, "its prompt ends after its text"),
        ({"parent": 2}, "form a circle"),
    ],
)
def test_what_makes_no_tree_is_refused(changes: dict[str, int], words: str) -> None:
    with pytest.raises(SessionError, match=words):
        check(tree.change(small(), 1, **changes))


def test_a_session_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(SessionError, match="the next one would be 2"):
        check(replace(small(), next_id=2))
    with pytest.raises(SessionError, match="current branch, 7, is not there"):
        check(replace(small(), current=7))
