"""Download a corpus of the catalogue: with progress, and checked before it is saved."""

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

TIMEOUT_S = 20.0


class Downloaded(msgspec.Struct, frozen=True):
    """`done` of `total` bytes have arrived; `path` is set with the last one, when the file is complete and checked."""

    done: int
    total: int
    path: str | None = None


def download(entry: CorpusEntry) -> Iterator[Downloaded]:
    """Download `entry` into the data folder; stop iterating to cancel, and nothing is left behind.

    Raises DownloadError if it does not arrive, or differs from the catalogue; StorageError.
    """
    row = entry.row
    if not row.url:
        raise DownloadError(f"{entry.name} has no address to fetch it from", "name a text file of your own")
    target: Path = paths.data_folder() / row.file
    digest = hashlib.sha256()
    done = 0
    try:
        with (
            whole_file(target) as file,
            httpx.stream("GET", row.url, follow_redirects=True, timeout=TIMEOUT_S) as answer,
        ):
            answer.raise_for_status()
            for chunk in answer.iter_bytes(1 << 16):
                done += len(chunk)
                if done > row.bytes:
                    break  # this is not the file, and it may be endless
                file.write(chunk)
                digest.update(chunk)
                yield Downloaded(done, row.bytes)
            if done != row.bytes or digest.hexdigest() != row.sha256:
                raise DownloadError(
                    f"what came from {row.url} is not {row.title} (its checksum differs)",
                    f"try again, or fetch it yourself and name the file: {row.file}",
                )
    except httpx.HTTPError as error:
        raise DownloadError(
            f"{row.url} could not be fetched: {error or type(error).__name__}",
            "check the connection and try again, or fetch it yourself and name the file",
        ) from error
    yield Downloaded(done, row.bytes, str(target))
