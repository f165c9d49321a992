"""When a session is written, and what happens where that fails; time is scripted."""

from __future__ import annotations

import pytest

from tinygpt_tui.errors import StorageError
from tinygpt_tui.sessions import tree
from tinygpt_tui.sessions.autosave import BYTES_PER_S, LONGEST_S, RETRY_S, SOON_S, STREAMING_S, AutoSave
from tinygpt_tui.sessions.document import Session
from tinygpt_tui.sessions.store import SessionStore


class Disk(SessionStore):
    """Counts writes, and refuses them when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.full = False
        self.size: int | None = None

    def save(self, session: Session) -> int:
        if self.full:
            raise StorageError("the disk is full", "free some space")
        self.writes += 1
        size = super().save(session)
        return size if self.size is None else self.size


@pytest.fixture
def disk() -> Disk:
    return Disk()


def session_of(disk: Disk) -> Session:
    return tree.add_root(disk.new(), "The king")


def test_nothing_is_written_where_nothing_happened(disk: Disk) -> None:
    keeper = AutoSave(disk)
    assert not keeper.due(0)
    assert keeper.settled
    assert keeper.write_now(session_of(disk)) is None
    assert disk.writes == 0


def test_a_change_is_written_at_once_and_the_next_one_soon(disk: Disk) -> None:
    keeper, session = AutoSave(disk), session_of(disk)
    keeper.changed()
    assert keeper.due(100)
    assert keeper.start_save(session, 100)() is None
    assert disk.load(session.id) == session
    assert keeper.settled
    keeper.changed()
    assert not keeper.due(100 + SOON_S / 2)
    assert keeper.due(100 + SOON_S)


def test_streamed_text_waits_longer(disk: Disk) -> None:
    keeper, session = AutoSave(disk), session_of(disk)
    keeper.changed()
    keeper.start_save(session, 0)()
    keeper.streamed()
    assert not keeper.due(STREAMING_S - 0.1)
    assert keeper.due(STREAMING_S)
    keeper.changed()  # its end
    assert keeper.due(SOON_S)


@pytest.mark.parametrize(
    ("size", "wait_s"), [(1000, STREAMING_S), (1_000_000, 1_000_000 / BYTES_PER_S), (10**9, LONGEST_S)]
)
def test_a_large_file_is_written_more_rarely(disk: Disk, size: int, wait_s: float) -> None:
    keeper, session = AutoSave(disk), session_of(disk)
    disk.size = size
    keeper.changed()
    keeper.start_save(session, 0)()
    keeper.streamed()
    assert not keeper.due(wait_s - 0.1)
    assert keeper.due(wait_s)


def test_it_does_one_thing_at_a_time_and_what_comes_meanwhile_is_written_next(disk: Disk) -> None:
    keeper, session = AutoSave(disk), session_of(disk)
    keeper.changed()
    save = keeper.start_save(session, 0)
    keeper.changed()
    assert not keeper.due(1000)
    assert not keeper.settled
    save()
    assert not keeper.settled
    assert keeper.due(1000)


def test_an_older_state_never_replaces_a_newer_one(disk: Disk) -> None:
    keeper, session = AutoSave(disk), session_of(disk)
    keeper.changed()
    late = keeper.start_save(session, 0)
    newer = tree.append(session, 0, " is dead")
    keeper.streamed()
    assert keeper.write_now(newer) is None
    assert late() is None
    assert disk.load(session.id) == newer
    assert disk.writes == 1


def test_a_refused_write_is_said_once_and_tried_again(disk: Disk) -> None:
    keeper, session = AutoSave(disk), session_of(disk)
    disk.full = True
    keeper.changed()
    first = keeper.start_save(session, 0)()
    assert isinstance(first, StorageError)
    assert keeper.dirty
    assert not keeper.due(RETRY_S - 0.1)
    assert keeper.due(RETRY_S)
    assert keeper.start_save(session, RETRY_S)() is None
    disk.full = False
    assert keeper.start_save(session, 2 * RETRY_S)() is None
    assert keeper.settled
    assert disk.load(session.id) == session
    disk.full = True
    keeper.changed()
    assert keeper.start_save(session, 3 * RETRY_S)() is not None  # another trouble is said again


def test_it_holds_the_session_until_it_lets_go(disk: Disk) -> None:
    keeper, session = AutoSave(disk), session_of(disk)
    keeper.changed()
    keeper.start_save(session, 0)()
    assert disk.open(session.id).notice
    keeper.release()
    assert not disk.open(session.id).notice
