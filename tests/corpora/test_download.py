"""A corpus arrives whole and checked, or leaves nothing behind."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinygpt_tui import paths
from tinygpt_tui.corpora.catalog import FETCHED, CatalogRow, CorpusEntry, find_corpus
from tinygpt_tui.corpora.download import Downloaded, download
from tinygpt_tui.errors import DownloadError, NotFoundError, StorageError

CONTENT = bytes(range(65, 91)) * 20_000
ELSEWHERE = {"/a/my%20notes.tar.txt?x=1": "/whole", "/loop": "/loop", "/file": "file:///etc/passwd"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT whole, half, changed or longer, as the path says."""

    def do_GET(self) -> None:
        body = {
            "/whole": CONTENT,
            "/longer": CONTENT * 2,
            "/shorter": CONTENT[:-10],
            "/changed": b"x" + CONTENT[1:],
            "/broken": CONTENT[:1000],
        }.get(self.path)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/whole")
            self.end_headers()
            return
        if self.path in ELSEWHERE:
            self.send_response(302)
            self.send_header("Location", ELSEWHERE[self.path])
            self.end_headers()
            return
        if self.path == "/packed.txt":
            body = CONTENT[:100]
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        if self.path == "/packed.txt":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(CONTENT) if self.path == "/broken" else len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            return  # the client disconnected

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server's address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is on this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def entry(url: str) -> CorpusEntry:
    row = CatalogRow(
        title="Letters",
        description="",
        file="letters.txt",
        licence="",
        bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        url=url,
    )
    return CorpusEntry(name="letters", row=row, path=None)


def left_behind() -> list[str]:
    folder = paths.data_folder()
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


@pytest.mark.parametrize("way", ["whole", "moved"])
def test_it_arrives_with_progress(address: str, way: str) -> None:
    events = list(download(entry(f"{address}/{way}")))
    assert [event.done for event in events] == sorted(event.done for event in events)
    assert {event.total for event in events} == {len(CONTENT)}
    target = paths.data_folder() / "letters.txt"
    assert events[-1] == Downloaded(len(CONTENT), len(CONTENT), str(target))
    assert [event.path for event in events[:-1]] == [None] * (len(events) - 1)
    assert len(events) > 3
    assert target.read_bytes() == CONTENT
    assert left_behind() == ["letters.txt"]


@pytest.mark.parametrize("way", ["longer", "shorter", "changed", "broken", "missing"])
def test_what_is_not_it_is_refused_and_leaves_nothing(address: str, way: str) -> None:
    with pytest.raises(DownloadError) as caught:
        list(download(entry(f"{address}/{way}")))
    assert f"{address}/{way}" in caught.value.message
    assert caught.value.hint
    assert left_behind() == []


def test_a_copy_that_is_here_survives_a_failed_download(address: str) -> None:
    list(download(entry(f"{address}/whole")))
    with pytest.raises(DownloadError):
        list(download(entry(f"{address}/changed")))
    assert (paths.data_folder() / "letters.txt").read_bytes() == CONTENT


def test_whoever_stops_pulling_cancels(address: str) -> None:
    events = download(entry(f"{address}/whole"))
    assert next(events).path is None
    events.close()  # type: ignore[attr-defined]
    assert left_behind() == []


def test_a_server_that_is_not_there() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        gone = f"http://127.0.0.1:{server.server_port}/whole"
    with pytest.raises(DownloadError, match="could not be fetched"):
        list(download(entry(gone)))
    assert left_behind() == []


def test_a_row_without_an_address() -> None:
    with pytest.raises(DownloadError, match="no address") as caught:
        next(download(entry("")))
    assert caught.value.hint


def test_a_folder_that_cannot_be_made(address: str) -> None:
    folder: Path = paths.data_folder()
    folder.parent.mkdir(parents=True)
    folder.write_bytes(b"in the way")
    with pytest.raises(StorageError):
        list(download(entry(f"{address}/whole")))


def test_a_file_at_an_address(address: str) -> None:
    """It is fetched once, under its name, and is a text of the user's."""
    where = f"{address}/a/my%20notes.tar.txt?x=1"
    entry = find_corpus(where)
    assert (entry.name, entry.here, entry.own) == ("my-notes", False, True)
    last = list(download(entry))[-1]
    assert last.done == last.total == len(CONTENT)
    found = find_corpus(where)
    assert found.path == last.path
    assert Path(str(found.path)).read_bytes() == CONTENT
    assert str(found.path).endswith(".tar.txt")
    other = find_corpus(f"{address}/b/my%20notes.tar.txt")
    assert not other.here


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nothing.txt", "404"),
        ("/broken", "could not be fetched"),
        ("/loop", "redirects"),
        ("/file", "protocol"),
        ("/packed.txt", "comes packed"),
        ("/longer", "more than"),
    ],
)
def test_what_does_not_arrive_leaves_nothing(
    path: str, reason: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinygpt_tui.corpora.download.LARGEST", len(CONTENT) + 1)
    with pytest.raises(DownloadError, match=reason) as caught:
        list(download(find_corpus(address + path)))
    assert caught.value.hint
    assert not [file for file in (paths.data_folder() / FETCHED).rglob("*") if file.is_file()]


def test_an_address_that_is_stopped_leaves_nothing(address: str) -> None:
    steps = download(find_corpus(f"{address}/whole"))
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert not find_corpus(f"{address}/whole").here
    assert not [file for file in (paths.data_folder() / FETCHED).rglob("*") if file.is_file()]


@pytest.mark.parametrize("name", ["file:///etc/passwd", "ftp://here.org/a.txt", "http:/here"])
def test_other_addresses_are_no_corpora(name: str) -> None:
    with pytest.raises(NotFoundError):
        find_corpus(name)
