"""A journal has whole lines only, whatever happened to its writer."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinygpt_tui.errors import StorageError
from tinygpt_tui.events.training import Note, Resumed, Sample, Step, TrainingEvent
from tinygpt_tui.events.wire import to_line
from tinygpt_tui.runs.journal import Journal, JournalFollower, read_journal


def steps(count: int, first: int = 1) -> list[TrainingEvent]:
    return [Step(step, 2.5, 1e-3, 0.5, 1000.0, 0.1 * step) for step in range(first, first + count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is written; its folder is not there yet."""
    return tmp_path / "run" / "events.jsonl"


def test_what_is_written_is_read(path: Path) -> None:
    journal = Journal(path)
    journal.append(steps(3))
    journal.append([Sample(3, "two\nlines\u2028 and more")])
    assert read_journal(path) == [*steps(3), Sample(3, "two\nlines\u2028 and more")]  # before it is closed
    journal.close()


def test_a_journal_goes_on(path: Path) -> None:
    for first in (1, 4):
        journal = Journal(path)
        journal.append(steps(3, first))
        journal.close()
    assert read_journal(path) == steps(6)


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_was_cut_off_is_removed(path: Path, cut: int) -> None:
    journal = Journal(path)
    journal.append(steps(3))
    journal.close()
    path.write_bytes(path.read_bytes()[:-cut])
    journal = Journal(path)
    journal.append([Resumed(3)])
    journal.close()
    assert read_journal(path) == [*steps(2), Resumed(3)]
    assert path.read_bytes().endswith(b"\n")


def test_half_a_line_alone_is_removed(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b'{"type":"St')
    Journal(path).close()
    assert path.read_bytes() == b""


def test_a_follower_hands_out_whole_lines_once(path: Path) -> None:
    follower = JournalFollower(path)
    assert follower.poll() == []
    path.parent.mkdir()
    lines = b"".join(to_line(step) for step in steps(3))
    found = []
    for end in range(len(lines) + 1):
        path.write_bytes(lines[:end])
        new = follower.poll()
        assert len(new) <= 1
        found += new
    assert found == steps(3)
    assert follower.poll() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.integers(0, 400), max_size=12))
def test_wherever_the_writer_stands_the_follower_reads_the_same(tmp_path: Path, places: list[int]) -> None:
    path = tmp_path / "journal"
    lines = b"".join(to_line(step) for step in steps(4))
    follower, found = JournalFollower(path), []
    for end in [*sorted(places), len(lines)]:
        path.write_bytes(lines[:end])
        found += follower.poll()
    assert found == steps(4)
    path.unlink()


def test_a_mended_journal_is_followed_on(path: Path) -> None:
    journal = Journal(path)
    journal.append(steps(2))
    journal.close()
    follower = JournalFollower(path)
    follower.poll()
    with path.open("ab") as file:
        file.write(b'{"type":"Step","st')
    assert follower.poll() == []
    journal = Journal(path)
    journal.append(steps(1, 3))
    journal.close()
    assert follower.poll() == steps(1, 3)


def test_a_journal_begun_anew_is_read_from_its_start(path: Path) -> None:
    journal = Journal(path)
    journal.append(steps(5))
    journal.close()
    follower = JournalFollower(path)
    assert len(follower.poll()) == 5
    path.unlink()
    assert follower.poll() == []
    journal = Journal(path)
    journal.append(steps(2))
    journal.close()
    assert follower.poll() == steps(2)


def test_lines_that_cannot_be_read_are_left_out(path: Path) -> None:
    path.parent.mkdir()
    strange = [
        b'{"type":"Tomorrow","step":1}',
        b"noise",
        b"",
        b'{"type":"Note","step":1,"text":"\xff"}',
        b'{"type":"Step"}',
    ]
    path.write_bytes(b"\n".join([*strange, to_line(Resumed(1)).strip(), *strange]) + b"\n")
    assert read_journal(path) == [Resumed(1)]


def test_a_long_journal_is_read_at_once(path: Path) -> None:
    journal = Journal(path)
    journal.append(steps(20_000))
    journal.close()
    path.write_bytes(path.read_bytes()[:-1])  # and mended from its end
    Journal(path).close()
    assert [event.step for event in read_journal(path)] == list(range(1, 20_000))


def test_refused_it_writes_none_of_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)
    journal.append(steps(1))
    real = journal._file

    class Full:
        """Takes ten bytes and then no more."""

        def __init__(self) -> None:
            self.left = 10

        def write(self, content: memoryview) -> int:
            if not self.left:
                raise OSError(errno.ENOSPC, "No space left on device")
            count = real.write(content[: self.left])
            assert count is not None
            self.left -= count
            return count

        def fileno(self) -> int:
            return real.fileno()

    monkeypatch.setattr(journal, "_file", Full())
    with pytest.raises(StorageError, match="full"):
        journal.append([Note(1, "much text")])
    assert read_journal(path) == steps(1)
    monkeypatch.setattr(journal, "_file", real)
    journal.append(steps(1, 2))
    assert path.read_bytes() == b"".join(to_line(step) for step in steps(2))
    journal.close()


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").mkdir()
    with pytest.raises(StorageError):
        Journal(tmp_path / "events.jsonl")
