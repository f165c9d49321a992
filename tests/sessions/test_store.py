"""Sessions on disk: what was written comes back, and nobody writes over anybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tinygpt_tui.errors import NotFoundError, SessionError, StorageError
from tinygpt_tui.sessions import store as store_module
from tinygpt_tui.sessions import tree
from tinygpt_tui.sessions.document import Session
from tinygpt_tui.sessions.encoding import FORMAT, from_bytes, to_bytes
from tinygpt_tui.sessions.store import COPY, SessionStore
from tinygpt_tui.settings.sampling import SamplingSettings


class Clock:
    """A minute passes whenever somebody looks."""

    def __init__(self) -> None:
        self.time = datetime(2027, 1, 15, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.time += timedelta(minutes=1)
        return self.time


@pytest.fixture
def store() -> SessionStore:
    return SessionStore(clock=Clock())


def written(store: SessionStore, prompt: str = "The king", model: str = "one") -> Session:
    """A session on the disk, with a fork."""
    session = tree.add_root(store.new(), prompt, model=model, sampling=SamplingSettings(stop=("\n", "x"), seed=3))
    session = tree.fork(session, 0, 2, "is", model=model)
    store.save(session)
    return session


@given(st.lists(st.text(st.characters(), max_size=40), min_size=1, max_size=5), st.text(st.characters()))
def test_any_text_comes_back(prompts: list[str], name: str) -> None:
    session = Session(id="s", title=name)
    for prompt in prompts:
        session = tree.add_root(session, prompt, name=name)
    assert from_bytes(to_bytes(session), "s") == session


@pytest.mark.parametrize(
    "text", ["\ud83d\ude00", "\ud83d" + "\ude00", "\x00\x1b[2J\r\n\u2028\ufeff", "😀" * 3, "\udcff"]
)
def test_halves_of_characters_and_control_characters_come_back(text: str) -> None:
    session = tree.fork(tree.add_root(Session(id="s"), text), 0, len(text), "next")
    assert from_bytes(to_bytes(session), "s") == session


def test_ordinary_files_are_utf_8_and_json(store: SessionStore) -> None:
    session = written(store, "é 😀")
    lines = store.path(session.id).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines][1]["text"] == "é 😀"
    assert len(lines) == 3


def test_a_session_is_loaded_as_it_was_saved(store: SessionStore) -> None:
    session = written(store)
    assert store.load(session.id) == session


def damaged(content: bytes) -> dict[str, bytes]:
    head, first, second = content.removesuffix(b"\n").split(b"\n")
    return {
        "line 1": b"no json\n" + first,
        "2 branches, but 1 follow": b"\n".join((head, first)),
        "line 3: no JSON": b"\n".join((head, first, second[:-4])),
        "line 2: Expected int, got str": content.replace(b'"fork_at":0', b'"fork_at":"zero"'),
        "unknown field": content.replace(b'"fork_at":0', b'"forked":0'),
        "after the text's end": content.replace(b'"fork_at":2', b'"fork_at":2000'),
        "the same number": content.replace(b'"id":1', b'"id":0'),
        "float <= 10": content.replace(b'"temperature":0.8', b'"temperature":80', 1),
    }


@pytest.mark.parametrize("words", sorted(damaged(b"a\nb\nc")))
def test_a_damaged_file_says_where(store: SessionStore, words: str) -> None:
    session = written(store)
    path = store.path(session.id)
    path.write_bytes(damaged(path.read_bytes())[words])
    with pytest.raises(SessionError) as caught:
        store.load(session.id)
    assert words in caught.value.message
    assert path.name in caught.value.message
    assert caught.value.hint


def test_a_newer_programs_file_is_refused_in_words(store: SessionStore) -> None:
    session = written(store)
    path = store.path(session.id)
    newer = path.read_bytes().replace(b'"format":%d' % FORMAT, b'"format":%d,"mood":"blue"' % (FORMAT + 1))
    path.write_bytes(newer)
    with pytest.raises(SessionError, match="written by a newer program"):
        store.open(session.id)
    assert [card.problem for card in store.cards()] != [""]
    assert path.read_bytes() == newer
    store.claim(session.id)  # a failed opening holds nothing


def test_the_list_has_what_changed_last_first_and_reads_heads_alone(store: SessionStore) -> None:
    assert store.cards() == []
    sessions = [written(store, prompt, model) for prompt, model in (("a.", "m"), ("b " * 9000, "n"), ("c.", "o"))]
    store.save(replace(sessions[0], title="First", changed_at="2028-01-01T00:00:00Z"))
    path = store.path(sessions[1].id)
    path.write_bytes(path.read_bytes().split(b"\n")[0] + b"\nnobody reads this")
    (store.folder / "notes.txt").write_text("no session")
    cards = store.cards()
    assert [card.id for card in cards] == [sessions[0].id, sessions[2].id, sessions[1].id]
    assert [card.heading for card in cards][:2] == ["First", "c."]
    assert cards[2].heading.startswith("b b b")
    assert cards[2].head.models == ("n",)
    assert [card.head.branches for card in cards] == [2, 2, 2]
    assert not any(card.problem for card in cards)


def test_a_long_first_line_is_read_whole(store: SessionStore) -> None:
    session = written(store)
    models = {id: replace(session.branches[0], id=id, model=f"model {id} " + "x" * 100) for id in range(300)}
    store.save(replace(session, branches=models, next_id=300))
    assert len(store.cards()[0].head.models) == 300


def test_a_damaged_one_is_listed_with_its_problem(store: SessionStore) -> None:
    store.path("broken").parent.mkdir(parents=True)
    store.path("broken").write_bytes(b"\xff\xfe")
    (card,) = store.cards()
    assert card.id == "broken"
    assert "line 1" in card.problem


def test_a_deleted_session_can_be_restored(store: SessionStore) -> None:
    session = written(store)
    store.delete(session.id)
    assert store.cards() == []
    with pytest.raises(NotFoundError):
        store.load(session.id)
    with pytest.raises(NotFoundError):
        store.delete(session.id)
    store.restore(session.id)
    assert store.load(session.id) == session
    with pytest.raises(NotFoundError):
        store.restore(session.id)


def test_the_trash_has_an_end(store: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "TRASH_HOLDS", 2)
    sessions = [written(store) for _ in range(3)]
    for number, session in enumerate(sessions):
        store.delete(session.id)
        thrown = store.trash / store.path(session.id).name
        if thrown.exists():
            os.utime(thrown, (number, number))
    store.restore(sessions[1].id)
    store.restore(sessions[2].id)
    with pytest.raises(NotFoundError):
        store.restore(sessions[0].id)


def test_a_session_gets_another_title_and_nothing_else(store: SessionStore) -> None:
    session = written(store)
    store.rename(session.id, "  My\nkings ")
    assert store.load(session.id) == replace(session, title="My kings")
    with pytest.raises(NotFoundError):
        store.rename("nobody", "x")


def test_who_comes_second_gets_a_copy(store: SessionStore) -> None:
    session = written(store)
    first = store.open(session.id)
    second = SessionStore(clock=Clock()).open(session.id)
    assert (first.session, first.notice) == (session, "")
    assert second.notice == COPY
    assert second.session.id != session.id
    assert second.session.title == "The king (copy)"
    assert second.session.branches == session.branches
    for forbidden in (lambda: store.rename(session.id, "mine"), lambda: store.delete(session.id)):
        with pytest.raises(SessionError, match="another window"):
            forbidden()
    store.release(first.lock)
    assert store.open(session.id).notice == ""


def test_another_process_is_another_window(store: SessionStore) -> None:
    session = written(store)
    code = "import sys; from tinygpt_tui.sessions.store import SessionStore as S; print(S().open(sys.argv[1]).notice)"
    ask = [sys.executable, "-c", code, session.id]
    opened = store.open(session.id)
    done = subprocess.run(ask, capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout.strip() == COPY
    store.release(opened.lock)
    done = subprocess.run(ask, capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout.strip() == ""


def test_where_nothing_can_be_written_a_copy_is_opened_and_the_problem_said(
    store: SessionStore, tmp_path: Path
) -> None:
    session = written(store)
    (store.folder / ".locks").write_text("a file where the folder should be")
    opened = store.open(session.id)
    assert opened.session.branches == session.branches
    assert "copy" in opened.notice
    with pytest.raises(StorageError):
        store.rename(session.id, "x")


def test_new_sessions_have_names_of_their_own(store: SessionStore) -> None:
    same = SessionStore(clock=lambda: datetime(2027, 1, 15, tzinfo=UTC))
    assert len({same.new().id for _ in range(50)}) == 50
    assert same.new().created_at == "2027-01-15T00:00:00Z"
    assert not store.folder.exists()
    assert msgspec.json.decode(to_bytes(same.new()).split(b"\n")[0])["branches"] == 0
