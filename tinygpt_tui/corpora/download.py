"""Download a corpus of the catalogue, checked before it is saved, a file at an address, or a data set of the Hub.

With progress, bounded, whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec

from tinygpt_tui import paths
from tinygpt_tui.corpora.catalog import CorpusEntry
from tinygpt_tui.corpora.formats import PARQUET
from tinygpt_tui.corpora.hub import (
    HubFile,
    check_online,
    data_set,
    files_of,
    hub_address,
    hub_headers,
    is_data_set,
    refusal,
)
from tinygpt_tui.errors import DownloadError, StorageError
from tinygpt_tui.files import whole_file, whole_folder
from tinygpt_tui.packages import require
from tinygpt_tui.reading import LARGEST_JSON, Damage, decode
from tinygpt_tui.words import size

TIMEOUT_S = 20.0
ITSELF = "fetch it yourself and name the file"
MOST_REDIRECTS = 5
LARGEST = 20 << 30  # bytes from an address
MOST_PAGES = 20  # of a list of files, a thousand on each
AT_ONCE = 1 << 16  # bytes


class Downloaded(msgspec.Struct, frozen=True):
    """`done` of `total` bytes have arrived; `path` is set with the last one, when all is complete and checked."""

    done: int
    total: int
    path: str | None = None


def download(entry: CorpusEntry) -> Iterator[Downloaded]:
    """Download `entry` into the data folder; stop iterating to cancel, and nothing is left behind.

    Raises DownloadError if it does not arrive whole, is too large, or differs from the catalogue; StorageError; of a
    data set of the Hub NotFoundError, CorpusError, MissingPackageError.
    """
    row = entry.row
    if not row.url:
        raise DownloadError(f"{entry.name} has no address to fetch it from", "name a text file of your own")
    target: Path = paths.data_folder() / row.file
    if is_data_set(row.url):
        return _data_set(row.url, target)
    return _file(entry, target)


def _file(entry: CorpusEntry, target: Path) -> Iterator[Downloaded]:
    row = entry.row
    digest = hashlib.sha256()
    done, total, largest = 0, row.bytes, row.bytes or LARGEST
    with _client(row.url) as client, whole_file(target) as file, _answer(client, row.url) as answer:
        answer.raise_for_status()
        total = total or int(answer.headers.get("Content-Length") or 0)
        for chunk in answer.iter_raw(AT_ONCE):
            done += len(chunk)
            if done > largest:
                break  # this is not the file, and it may be endless
            file.write(chunk)
            digest.update(chunk)
            yield Downloaded(done, total)
        if done > largest and not row.sha256:
            raise DownloadError(f"{row.url} has more than {size(LARGEST)}", "fetch a part of it yourself")
        if row.sha256 and (done != row.bytes or digest.hexdigest() != row.sha256):
            raise DownloadError(
                f"what came from {row.url} is not {row.title} (its checksum differs)",
                f"try again, or fetch it yourself and name the file: {row.file}",
            )
    yield Downloaded(done, done, str(target))


def _data_set(name: str, target: Path) -> Iterator[Downloaded]:
    check_online(name)
    done = 0
    with _client(name) as client:
        files = files_of(name, lambda branch: _listed(client, name, branch))
        if any(file.path.endswith(PARQUET) for file in files):
            require("pyarrow", "reading .parquet", "parquet")
        total = sum(file.size for file in files)
        if total > LARGEST:
            raise DownloadError(
                f"{name} has {size(total)}, more than {size(LARGEST)}",
                "choose another split or configuration, or fetch some of its files yourself",
            )
        with whole_folder(target, replace=True) as folder:
            if total > (free := shutil.disk_usage(folder).free):
                raise StorageError(f"{name} takes {size(total)}, {size(free)} are free", "free some space")
            for number, file in enumerate(files):
                place = folder / _file_name(number, file.path)
                with place.open("wb") as out, _answer(client, file.address, **hub_headers()) as answer:
                    _check(name, answer)
                    before = done
                    for chunk in answer.iter_raw(AT_ONCE):
                        done += len(chunk)
                        if done - before > file.size:
                            break
                        out.write(chunk)
                        yield Downloaded(done, total)
                    if done - before != file.size:
                        raise DownloadError(f"{file.path} of {name} is not as large as the Hub says", "try again")
    yield Downloaded(done, done, str(target))


def _file_name(number: int, path: str) -> str:
    """Return what a file of a data set is called here: in the order of the list, with no folders."""
    named = re.sub(r"[^\w.-]+", "-", path, flags=re.ASCII)
    return f"{number:05}-{named[-80:].lstrip('-.')}"


def _listed(client: httpx.Client, name: str, branch: str) -> list[HubFile] | None:
    """Return the files of a branch of a data set; None if it has no such branch."""
    found: list[HubFile] = []
    address = f"{hub_address()}/api/datasets/{data_set(name).repository}/tree/{branch}?recursive=true"
    for _ in range(MOST_PAGES):
        with _answer(client, address, **hub_headers()) as answer:
            if answer.headers.get("X-Error-Code") in ("RevisionNotFound", "EntryNotFound"):
                return None
            _check(name, answer)
            content = b""
            for chunk in answer.iter_raw(AT_ONCE):
                content += chunk
                if len(content) > LARGEST_JSON:
                    raise DownloadError(f"the list of the files of {name} is too long", ITSELF)
            try:
                found += decode(content, list[HubFile])
            except Damage as error:
                raise DownloadError(f"the list of the files of {name} is damaged: {error}", "try again") from error
            address = str(answer.links.get("next", {}).get("url", ""))
        if not address.startswith(f"{hub_address()}/"):  # the end, or where no token belongs
            return found
    raise DownloadError(f"{name} has more than {len(found):,} files", ITSELF)


def _check(name: str, answer: httpx.Response) -> None:
    """Raise the error for an answer of the Hub that is not what was requested."""
    refused = answer.is_error and refusal(name, answer.status_code, answer.headers.get("X-Error-Code", ""))
    if refused:
        raise refused
    answer.raise_for_status()


@contextlib.contextmanager
def _client(what: str) -> Iterator[httpx.Client]:
    """Yield a client; what goes wrong while it is used is a DownloadError."""
    try:
        with httpx.Client(follow_redirects=True, max_redirects=MOST_REDIRECTS, timeout=TIMEOUT_S) as client:
            yield client
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        where = "name" if is_data_set(what) else "address"
        raise DownloadError(
            f"{what} could not be fetched: {error or type(error).__name__}",
            f"check the {where} and the connection, or {ITSELF}",
        ) from error


@contextlib.contextmanager
def _answer(client: httpx.Client, address: str, **headers: str) -> Iterator[httpx.Response]:
    # As it is: what is unpacked on the way could be of any size.
    with client.stream("GET", address, headers={"Accept-Encoding": "identity", **headers}) as answer:
        if answer.is_success and answer.headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadError(f"{address} comes packed, although that was not requested", ITSELF)
        yield answer
