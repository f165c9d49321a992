"""The session that the Generate tab writes in: every way that text can come in and be walked, none that loses any."""

from __future__ import annotations

import pytest

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import SessionError, StorageError
from tinygpt_tui.events.generation import GenerationStarted
from tinygpt_tui.sessions import tree
from tinygpt_tui.sessions.document import Session
from tinygpt_tui.sessions.store import SessionStore
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.generate.session_editor import SessionKeeper

ONE = ModelCard(name="one", path="/models/one", origin="yours")
TWO = ModelCard(name="two", path="/models/two", origin="yours")
SAMPLING = SamplingSettings(temperature=0.5)


@pytest.fixture
def keeper() -> SessionKeeper:
    return SessionKeeper()


def write(keeper: SessionKeeper, text: str, seed: int = 7) -> None:
    """Have a generation go on and end."""
    keeper.started(GenerationStarted(0, 1, 8, seed, step=500, validation_loss=1.6))
    for letter in text:
        keeper.append(letter, 1)
    keeper.ended("length")


def save(keeper: SessionKeeper, now: float = 0.0) -> None:
    """Do all the work of saving that is due."""
    while (work := keeper.save_soon(now)) is not None:
        assert work() is None


def texts(keeper: SessionKeeper) -> list[str]:
    return [keeper.full_text(id) for id in keeper.session.branches]


def test_a_prompt_and_what_follows_it(keeper: SessionKeeper) -> None:
    assert keeper.current is None
    assert keeper.full_text() == ""
    branch = keeper.begin("The", ONE, SAMPLING)
    assert keeper.writing == branch
    write(keeper, " king")
    assert keeper.writing is None
    assert keeper.full_text() == "The king"
    current = keeper.current
    assert current is not None
    assert (current.model, current.model_path, current.sampling) == ("one", "/models/one", SAMPLING)
    assert (current.seed, current.tokens, current.prompt_end, current.reason) == (7, 5, 3, "length")


def test_the_same_prompt_again_is_another_branch_of_it(keeper: SessionKeeper) -> None:
    first = keeper.begin("The", ONE, SAMPLING)
    write(keeper, " king")
    second = keeper.begin("The", TWO, SAMPLING)
    write(keeper, "me")
    third = keeper.begin("Then", ONE, SAMPLING)
    assert texts(keeper) == ["The king", "Theme", "Then"]
    assert [keeper.session.branches[id].parent for id in (first, second, third)] == [None, first, None]


def test_a_prompt_that_nothing_came_of_is_used_again(keeper: SessionKeeper) -> None:
    first = keeper.begin("The", ONE, SAMPLING)
    keeper.ended("failed")
    assert keeper.begin("The", TWO, SAMPLING) == first
    write(keeper, "me")
    assert texts(keeper) == ["Theme"]
    current = keeper.current
    assert current is not None
    assert (current.model, current.reason) == ("two", "length")


def test_going_on_and_forking_leave_everything_before_as_it_was(keeper: SessionKeeper) -> None:
    keeper.begin("The", ONE, SAMPLING)
    write(keeper, " king")
    keeper.go_on(TWO, SAMPLING)
    write(keeper, " is")
    keeper.fork(4, "queen", ONE, SAMPLING)
    write(keeper, " was")
    assert texts(keeper) == ["The king", "The king is", "The queen was"]
    assert [branch.prompt_end for branch in keeper.session.branches.values()] == [3, 3, 3]


def test_a_new_beginning_ends_what_was_being_written(keeper: SessionKeeper) -> None:
    first = keeper.begin("The", ONE, SAMPLING)
    keeper.append(" ki", 3)
    keeper.begin("Then", ONE, SAMPLING)
    assert keeper.full_text(first) == "The ki"
    assert keeper.session.branches[first].reason == "stopped"


def test_streaming_touches_the_text_only_when_somebody_looks(
    keeper: SessionKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined: list[int] = []
    before = tree.append

    def counted(session: Session, branch: int, text: str, tokens: int = 0) -> Session:
        joined.append(len(text))
        return before(session, branch, text, tokens)

    monkeypatch.setattr(tree, "append", counted)
    keeper.begin("The", ONE, SAMPLING)
    versions = {keeper.version}
    for _ in range(3000):
        keeper.append("x" * 33, 33)
        versions.add(keeper.version)
        if keeper.save_soon(0.0) is not None:  # the beginning
            joined.clear()
    assert joined == []
    assert len(versions) == 3001
    assert keeper.full_text().count("x") == 99_000
    assert len(joined) == 1


def test_what_streams_while_somebody_edits_the_tree_is_not_lost(keeper: SessionKeeper) -> None:
    first = keeper.begin("The", ONE, SAMPLING)
    write(keeper, " king")
    second = keeper.begin("Then", ONE, SAMPLING)
    keeper.append(" we", 3)
    keeper.choose(first)
    keeper.rename_branch(second, "later")
    keeper.append(" go", 3)
    keeper.keep(first, True)
    assert keeper.drop_unkept() == 0  # the one is kept, the other is being written
    with pytest.raises(SessionError, match="being written"):
        keeper.delete_branch(second)
    keeper.ended("length")
    assert texts(keeper) == ["The king", "Then we go"]
    assert keeper.current is not None
    assert keeper.current.id == first
    assert keeper.delete_branch(second) == 1
    assert keeper.can_undo
    assert keeper.undo() == 1
    assert not keeper.can_undo
    assert keeper.undo() == 0
    assert keeper.session.branches[second].name == "later"


def test_it_is_on_the_disk_soon_and_comes_back(keeper: SessionKeeper) -> None:
    keeper.begin("The", ONE, SAMPLING)
    write(keeper, " king")
    save(keeper)
    assert keeper.save_soon(1000.0) is None
    assert keeper.close() is None
    again = SessionKeeper()
    again.open(again.load(keeper.session.id))
    assert again.session == keeper.session
    assert again.save_soon(1000.0) is None


def test_what_is_left_is_written_before_it_is_let_go(keeper: SessionKeeper) -> None:
    keeper.begin("The", ONE, SAMPLING)
    write(keeper, " king")
    left = keeper.session
    keeper.new()
    assert keeper.full_text() == ""
    save(keeper)
    assert keeper.store.load(left.id).branches == left.branches
    opened = SessionStore().open(left.id)
    assert opened.notice == ""
    assert keeper.store.open(left.id).notice  # now it is another window's
    SessionStore.release(opened.lock)


def test_going_back_before_it_was_written_finds_what_was_there(keeper: SessionKeeper) -> None:
    keeper.begin("The", ONE, SAMPLING)
    keeper.append(" ki", 3)
    left = keeper.session.id
    keeper.new()
    keeper.begin("Other", ONE, SAMPLING)
    keeper.open(keeper.load(left))
    assert keeper.full_text() == "The ki"
    keeper.go_on(ONE, SAMPLING)
    write(keeper, "ng")
    save(keeper)
    assert {card.heading for card in keeper.store.cards()} == {"The ki", "Other"}
    assert keeper.store.load(left) == keeper.session


def test_a_session_that_could_not_be_written_stays_until_it_can(
    keeper: SessionKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(session: Session) -> int:
        raise StorageError("the disk is full", "free some space")

    keeper.begin("The", ONE, SAMPLING)
    write(keeper, " king")
    left = keeper.session
    with monkeypatch.context() as patched:
        patched.setattr(keeper.store, "save", full)
        keeper.new()
        work = keeper.save_soon(0.0)
        assert work is not None
        assert isinstance(work(), StorageError)
        assert keeper.load(left.id).session.branches == left.branches
    save(keeper, 1000.0)
    assert SessionStore().load(left.id).branches == left.branches


def test_a_copy_is_a_session_of_its_own(keeper: SessionKeeper) -> None:
    keeper.begin("The", ONE, SAMPLING)
    write(keeper, " king")
    save(keeper)
    other = SessionKeeper()
    opened = other.load(keeper.session.id)
    assert opened.notice
    other.open(opened)
    assert len(other.store.cards()) == 1  # looking at it makes no file
    other.go_on(ONE, SAMPLING)
    write(other, " lives")
    save(other)
    keeper.go_on(ONE, SAMPLING)
    write(keeper, " is dead")
    save(keeper, 1000.0)
    kept, copied = SessionStore().load(keeper.session.id), SessionStore().load(other.session.id)
    assert (kept, copied) == (keeper.session, other.session)
    assert copied.heading == "The king (copy)"


def test_deleting_the_open_session_opens_a_new_one(keeper: SessionKeeper) -> None:
    keeper.begin("The", ONE, SAMPLING)
    with pytest.raises(SessionError, match="being written"):
        keeper.delete_session(keeper.session.id)
    write(keeper, " king")
    deleted = keeper.session
    keeper.delete_session(deleted.id)()
    assert keeper.full_text() == ""
    assert keeper.store.cards() == []
    assert keeper.save_soon(1000.0) is None
    keeper.store.restore(deleted.id)
    keeper.open(keeper.load(deleted.id))
    assert keeper.full_text() == "The king"


def test_deleting_what_cannot_be_written_keeps_it(keeper: SessionKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(session: Session) -> int:
        raise StorageError("the disk is full", "free some space")

    keeper.begin("The", ONE, SAMPLING)
    write(keeper, " king")
    deleted = keeper.session.id
    monkeypatch.setattr(keeper.store, "save", full)
    work = keeper.delete_session(deleted)
    with pytest.raises(StorageError):
        work()
    keeper.open(keeper.load(deleted))
    assert keeper.full_text() == "The king"


def test_a_title_is_kept_and_choosing_changes_no_date(keeper: SessionKeeper) -> None:
    first = keeper.begin("The", ONE, SAMPLING)
    write(keeper, " king")
    keeper.begin("Then", ONE, SAMPLING)
    keeper.ended("length")
    keeper.rename(" Kings\n")
    changed = keeper.session.changed_at
    keeper.choose(first)
    save(keeper)
    loaded = keeper.store.load(keeper.session.id)
    assert (loaded.title, loaded.changed_at, loaded.current) == ("Kings", changed, first)


def test_closing_writes_what_streams(keeper: SessionKeeper) -> None:
    keeper.begin("The", ONE, SAMPLING)
    keeper.append(" king", 5)
    assert keeper.close() is None
    opened = SessionStore().open(keeper.session.id)
    assert opened.notice == ""
    assert opened.session == keeper.session
    assert opened.session.branches[0].reason == "stopped"
