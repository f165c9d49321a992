"""Download a corpus of the catalogue, checked before it is saved, or a file at an address: with progress, bounded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec

from tinygpt_tui import paths
from tinygpt_tui.corpora.catalog import CorpusEntry
from tinygpt_tui.errors import DownloadError
from tinygpt_tui.files import whole_file
from tinygpt_tui.words import size

TIMEOUT_S = 20.0
ITSELF = "fetch it yourself and name the file"
MOST_REDIRECTS = 5
LARGEST = 20 << 30  # bytes from an address


class Downloaded(msgspec.Struct, frozen=True):
    """`done` of `total` bytes have arrived; `path` is set with the last one, when the file is complete and checked."""

    done: int
    total: int
    path: str | None = None


def download(entry: CorpusEntry) -> Iterator[Downloaded]:
    """Download `entry` into the data folder; stop iterating to cancel, and nothing is left behind.

    Raises DownloadError if it does not arrive whole, is too large, or differs from the catalogue; StorageError.
    """
    row = entry.row
    if not row.url:
        raise DownloadError(f"{entry.name} has no address to fetch it from", "name a text file of your own")
    target: Path = paths.data_folder() / row.file
    digest = hashlib.sha256()
    done, total, largest = 0, row.bytes, row.bytes or LARGEST
    try:
        with (
            whole_file(target) as file,
            httpx.Client(follow_redirects=True, max_redirects=MOST_REDIRECTS, timeout=TIMEOUT_S) as client,
            # As it is: what is unpacked on the way could be of any size.
            client.stream("GET", row.url, headers={"Accept-Encoding": "identity"}) as answer,
        ):
            answer.raise_for_status()
            total = total or int(answer.headers.get("Content-Length") or 0)
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise DownloadError(f"{row.url} comes packed, although that was not requested", ITSELF)
            for chunk in answer.iter_raw(1 << 16):
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
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise DownloadError(
            f"{row.url} could not be fetched: {error or type(error).__name__}",
            f"check the address and the connection, or {ITSELF}",
        ) from error
    yield Downloaded(done, done, str(target))
