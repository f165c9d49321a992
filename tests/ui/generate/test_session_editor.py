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
from tinygpt_tui.ui.generate.session_editor import SessionEditor

ONE = ModelCard(name="one", path="/models/one", origin="yours")
TWO = ModelCard(name="two", path="/models/two", origin="yours")
SAMPLING = SamplingSettings(temperature=0.5)


@pytest.fixture
def editor() -> SessionEditor:
    return SessionEditor()


def write(editor: SessionEditor, text: str, seed: int = 7) -> None:
    """Have a generation go on and end."""
    editor.started(GenerationStarted(0, 1, 8, seed, step=500, validation_loss=1.6))
    for letter in text:
        editor.append(letter, 1)
    editor.ended("length")


def save(editor: SessionEditor, now: float = 0.0) -> None:
    """Do all the work of saving that is due."""
    while (work := editor.save_soon(now)) is not None:
        assert work() is None


def texts(editor: SessionEditor) -> list[str]:
    return [editor.full_text(id) for id in editor.session.branches]


def test_a_prompt_and_what_follows_it(editor: SessionEditor) -> None:
    assert editor.current is None
    assert editor.full_text() == ""
    branch = editor.begin("The", ONE, SAMPLING)
    assert editor.writing == branch
    write(editor, " king")
    assert editor.writing is None
    assert editor.full_text() == "The king"
    current = editor.current
    assert current is not None
    assert (current.model, current.model_path, current.sampling) == ("one", "/models/one", SAMPLING)
    assert (current.seed, current.tokens, current.prompt_end, current.reason) == (7, 5, 3, "length")


def test_the_same_prompt_again_is_another_branch_of_it(editor: SessionEditor) -> None:
    first = editor.begin("The", ONE, SAMPLING)
    write(editor, " king")
    second = editor.begin("The", TWO, SAMPLING)
    write(editor, "me")
    third = editor.begin("Then", ONE, SAMPLING)
    assert texts(editor) == ["The king", "Theme", "Then"]
    assert [editor.session.branches[id].parent for id in (first, second, third)] == [None, first, None]


def test_a_prompt_that_nothing_came_of_is_used_again(editor: SessionEditor) -> None:
    first = editor.begin("The", ONE, SAMPLING)
    editor.ended("failed")
    assert editor.begin("The", TWO, SAMPLING) == first
    write(editor, "me")
    assert texts(editor) == ["Theme"]
    current = editor.current
    assert current is not None
    assert (current.model, current.reason) == ("two", "length")


def test_going_on_and_forking_leave_everything_before_as_it_was(editor: SessionEditor) -> None:
    editor.begin("The", ONE, SAMPLING)
    write(editor, " king")
    editor.go_on(TWO, SAMPLING)
    write(editor, " is")
    editor.fork(4, "queen", ONE, SAMPLING)
    write(editor, " was")
    assert texts(editor) == ["The king", "The king is", "The queen was"]
    assert [branch.prompt_end for branch in editor.session.branches.values()] == [3, 3, 3]


def test_a_new_beginning_ends_what_was_being_written(editor: SessionEditor) -> None:
    first = editor.begin("The", ONE, SAMPLING)
    editor.append(" ki", 3)
    editor.begin("Then", ONE, SAMPLING)
    assert editor.full_text(first) == "The ki"
    assert editor.session.branches[first].reason == "stopped"


def test_streaming_touches_the_text_only_when_somebody_looks(
    editor: SessionEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined: list[int] = []
    before = tree.append

    def counted(session: Session, branch: int, text: str, tokens: int = 0) -> Session:
        joined.append(len(text))
        return before(session, branch, text, tokens)

    monkeypatch.setattr(tree, "append", counted)
    editor.begin("The", ONE, SAMPLING)
    versions = {editor.version}
    for _ in range(3000):
        editor.append("x" * 33, 33)
        versions.add(editor.version)
        if editor.save_soon(0.0) is not None:  # the beginning
            joined.clear()
    assert joined == []
    assert len(versions) == 3001
    assert editor.full_text().count("x") == 99_000
    assert len(joined) == 1


def test_what_streams_while_somebody_edits_the_tree_is_not_lost(editor: SessionEditor) -> None:
    first = editor.begin("The", ONE, SAMPLING)
    write(editor, " king")
    second = editor.begin("Then", ONE, SAMPLING)
    editor.append(" we", 3)
    editor.choose(first)
    editor.rename_branch(second, "later")
    editor.append(" go", 3)
    editor.set_starred(first, True)
    assert editor.drop_unkept() == 0  # the one is kept, the other is being written
    with pytest.raises(SessionError, match="being written"):
        editor.delete_branch(second)
    editor.ended("length")
    assert texts(editor) == ["The king", "Then we go"]
    assert editor.current is not None
    assert editor.current.id == first
    assert editor.delete_branch(second) == 1
    assert editor.can_undo
    assert editor.undo() == 1
    assert not editor.can_undo
    assert editor.undo() == 0
    assert editor.session.branches[second].name == "later"


def test_it_is_on_the_disk_soon_and_comes_back(editor: SessionEditor) -> None:
    editor.begin("The", ONE, SAMPLING)
    write(editor, " king")
    save(editor)
    assert editor.save_soon(1000.0) is None
    assert editor.close() is None
    again = SessionEditor()
    again.open(again.load(editor.session.id))
    assert again.session == editor.session
    assert again.save_soon(1000.0) is None


def test_what_is_left_is_written_before_it_is_let_go(editor: SessionEditor) -> None:
    editor.begin("The", ONE, SAMPLING)
    write(editor, " king")
    left = editor.session
    editor.new()
    assert editor.full_text() == ""
    save(editor)
    assert editor.store.load(left.id).branches == left.branches
    opened = SessionStore().open(left.id)
    assert opened.notice == ""
    assert editor.store.open(left.id).notice  # now it is another window's
    SessionStore.release(opened.lock)


def test_going_back_before_it_was_written_finds_what_was_there(editor: SessionEditor) -> None:
    editor.begin("The", ONE, SAMPLING)
    editor.append(" ki", 3)
    left = editor.session.id
    editor.new()
    editor.begin("Other", ONE, SAMPLING)
    editor.open(editor.load(left))
    assert editor.full_text() == "The ki"
    editor.go_on(ONE, SAMPLING)
    write(editor, "ng")
    save(editor)
    assert {card.heading for card in editor.store.cards()} == {"The ki", "Other"}
    assert editor.store.load(left) == editor.session


def test_a_session_that_could_not_be_written_stays_until_it_can(
    editor: SessionEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(session: Session) -> int:
        raise StorageError("the disk is full", "free some space")

    editor.begin("The", ONE, SAMPLING)
    write(editor, " king")
    left = editor.session
    with monkeypatch.context() as patched:
        patched.setattr(editor.store, "save", full)
        editor.new()
        work = editor.save_soon(0.0)
        assert work is not None
        assert isinstance(work(), StorageError)
        assert editor.load(left.id).session.branches == left.branches
    save(editor, 1000.0)
    assert SessionStore().load(left.id).branches == left.branches


def test_a_copy_is_a_session_of_its_own(editor: SessionEditor) -> None:
    editor.begin("The", ONE, SAMPLING)
    write(editor, " king")
    save(editor)
    other = SessionEditor()
    opened = other.load(editor.session.id)
    assert opened.notice
    other.open(opened)
    assert len(other.store.cards()) == 1  # looking at it makes no file
    other.go_on(ONE, SAMPLING)
    write(other, " lives")
    save(other)
    editor.go_on(ONE, SAMPLING)
    write(editor, " is dead")
    save(editor, 1000.0)
    kept, copied = SessionStore().load(editor.session.id), SessionStore().load(other.session.id)
    assert (kept, copied) == (editor.session, other.session)
    assert copied.heading == "The king (copy)"


def test_deleting_the_open_session_opens_a_new_one(editor: SessionEditor) -> None:
    editor.begin("The", ONE, SAMPLING)
    with pytest.raises(SessionError, match="being written"):
        editor.delete_session(editor.session.id)
    write(editor, " king")
    deleted = editor.session
    editor.delete_session(deleted.id)()
    assert editor.full_text() == ""
    assert editor.store.cards() == []
    assert editor.save_soon(1000.0) is None
    editor.store.restore(deleted.id)
    editor.open(editor.load(deleted.id))
    assert editor.full_text() == "The king"


def test_deleting_what_cannot_be_written_keeps_it(editor: SessionEditor, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(session: Session) -> int:
        raise StorageError("the disk is full", "free some space")

    editor.begin("The", ONE, SAMPLING)
    write(editor, " king")
    deleted = editor.session.id
    monkeypatch.setattr(editor.store, "save", full)
    work = editor.delete_session(deleted)
    with pytest.raises(StorageError):
        work()
    editor.open(editor.load(deleted))
    assert editor.full_text() == "The king"


def test_a_title_is_kept_and_choosing_changes_no_date(editor: SessionEditor) -> None:
    first = editor.begin("The", ONE, SAMPLING)
    write(editor, " king")
    editor.begin("Then", ONE, SAMPLING)
    editor.ended("length")
    editor.rename(" Kings\n")
    changed = editor.session.changed_at
    editor.choose(first)
    save(editor)
    loaded = editor.store.load(editor.session.id)
    assert (loaded.title, loaded.changed_at, loaded.current) == ("Kings", changed, first)


def test_closing_writes_what_streams(editor: SessionEditor) -> None:
    editor.begin("The", ONE, SAMPLING)
    editor.append(" king", 5)
    assert editor.close() is None
    opened = SessionStore().open(editor.session.id)
    assert opened.notice == ""
    assert opened.session == editor.session
    assert opened.session.branches[0].reason == "stopped"
