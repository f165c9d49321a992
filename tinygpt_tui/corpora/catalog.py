"""The corpora that a name can mean: shipped ones, downloadable ones, the user's own files."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.corpora.formats import Documents
from tinygpt_tui.corpora.gathering import STDIN, gathered_name, is_gathered, sources_exist
from tinygpt_tui.corpora.hub import data_set, is_data_set
from tinygpt_tui.corpora.read import GATHERED
from tinygpt_tui.corpora.tasks import PREFIX, TASKS, task_path
from tinygpt_tui.errors import NotFoundError
from tinygpt_tui.files import is_file, is_folder
from tinygpt_tui.platforms import own_command
from tinygpt_tui.reading import check_kind, decode_toml

CATALOG = "CATALOG.toml"
FETCHED = "fetched"  # the folder of what came from addresses


class CatalogRow(msgspec.Struct, frozen=True, kw_only=True):
    """One table of `CATALOG.toml`: source, licence, size and checksum of a text.

    `entropy` is the text's true entropy, nats per character, where it was made by a grammar; `documents` is what a
    document is, if it is not the whole file.
    """

    title: str
    description: str
    file: str
    licence: str
    bytes: int = 0
    sha256: str = ""
    source: str = ""
    url: str = ""
    characters: int = 0
    entropy: float | None = None
    documents: Documents = "auto"


class CorpusEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A corpus that can be chosen by name; `path` is None until it is downloaded."""

    name: str
    row: CatalogRow
    path: str | None

    @property
    def here(self) -> bool:
        return self.path is not None

    @property
    def is_task(self) -> bool:
        return self.name in TASKS and not self.row.file

    @property
    def own(self) -> bool:
        """Whether it is a text of the user's, not one of the catalogue."""
        return not self.row.licence


def list_corpora() -> list[CorpusEntry]:
    """Return the catalogue's corpora, then the user's own `.txt` files in the data folder."""
    catalog = read_catalog()
    entries = [CorpusEntry(name=name, row=row, path=_place(row)) for name, row in catalog.items()]
    known = {row.file for row in catalog.values()}
    folder = paths.data_folder()
    own = sorted(path for path in folder.glob("*.txt") if path.name not in known and is_file(path))
    for path in own:
        size = path.stat().st_size
        row = CatalogRow(
            title=path.stem, description="your own text", file=path.name, licence="", bytes=size, sha256=""
        )
        entries.append(CorpusEntry(name=path.stem, row=row, path=str(path)))
    return entries


def find_corpus(name: str) -> CorpusEntry:
    """Return the corpus that `name` means: a catalogue name, or a file, a folder, a glob or an address.

    `task:NAME` is a toy task, which is made if it is not there yet; `hf:NAME` a data set of the Hub. A corpus
    that must be downloaded first is returned with `path` None. Raises NotFoundError, StorageError for what is neither a
    file nor a folder, UsageError for what can be no name on the Hub.
    """
    if is_data_set(name):
        return _on_hub(name)
    if is_address(name):
        return _at_address(name)
    if name.startswith(PREFIX):
        kind, path = task_path(name)
        return CorpusEntry(name=path.stem, row=_task_row(kind), path=str(path))
    entries = {entry.name: entry for entry in list_corpora()}
    if (entry := paths.find_named(entries, name)) is not None:
        return entry
    path = paths.typed_path(name)
    if is_file(path) and not is_gathered(name):
        stem = path.stem.rpartition("-")[0] if path.suffix == GATHERED else path.stem
        row = CatalogRow(
            title=stem, description=str(path), file=path.name, licence="", bytes=path.stat().st_size, sha256=""
        )
        return CorpusEntry(name=stem, row=row, path=str(path.resolve()))
    if name and sources_exist(name):
        title = gathered_name([name])
        row = CatalogRow(title=title, description=name, file="", licence="")
        return CorpusEntry(name=title, row=row, path=name if name == STDIN else str(path.absolute()))
    check_kind(path)
    raise NotFoundError(
        f"no corpus and no file is called {name!r}",
        f"corpora: {', '.join(entries)}; or a file, a folder, a glob, an address (https://…) or hf:OWNER/NAME",
    )


def is_address(name: str) -> bool:
    """Whether a corpus of that name comes from the web: a file, or a data set of the Hub."""
    return name.lower().startswith(("https://", "http://")) or is_data_set(name)


def _on_hub(name: str) -> CorpusEntry:
    """Return the corpus of a data set, whose files are in a folder of their own."""
    title = data_set(name).title
    file = f"{FETCHED}/{hashlib.sha256(name.encode()).hexdigest()[:8]}/{title}"
    row = CatalogRow(title=title, description=name, file=file, licence="", url=name)
    place = paths.data_folder() / file
    return CorpusEntry(name=title, row=row, path=str(place) if is_folder(place) else None)


def _at_address(address: str) -> CorpusEntry:
    """Return the corpus at an address: its file is kept under the address's name and hash."""
    name = PurePosixPath(unquote(urlsplit(address).path)).name
    stem, *suffixes = name.split(".")
    title = re.sub(r"[^\w-]+", "-", stem).strip("-_")[:40] or "text"
    suffix = "".join(f".{one}" for one in suffixes[-2:] if re.fullmatch(r"[A-Za-z0-9-]{1,8}", one))
    file = f"{FETCHED}/{title}-{hashlib.sha256(address.encode()).hexdigest()[:8]}{suffix}"
    row = CatalogRow(title=title, description=address, file=file, licence="", url=address)
    place = paths.data_folder() / file
    return CorpusEntry(name=title, row=row, path=str(place) if is_file(place) else None)


def list_tasks() -> list[CorpusEntry]:
    """Return the toy tasks, whose names `find_corpus` knows with PREFIX before them; their pairs are not made yet."""
    return [CorpusEntry(name=kind, row=_task_row(kind), path=None) for kind in TASKS]


def _task_row(kind: str) -> CatalogRow:
    task = TASKS[kind]
    return CatalogRow(
        title=task.title,
        description=f"{task.size:,} pairs: {task.description}",
        file="",
        licence="MIT",
        source="made by the program from a seed",
        entropy=task.floor,
    )


def require_corpus(name: str) -> tuple[CorpusEntry, Path]:
    """Return the corpus that `name` means and the path of its text, or of what it is gathered from.

    Raises NotFoundError, also for a corpus that is not downloaded yet.
    """
    entry = find_corpus(name)
    if entry.path is None:
        raise NotFoundError(f"{entry.row.title} is not downloaded yet", own_command("data", "--download", entry.name))
    return entry, Path(entry.path)


def read_catalog() -> dict[str, CatalogRow]:
    content = (paths.shipped_data() / CATALOG).read_bytes()
    return decode_toml(content, dict[str, CatalogRow])


def _place(row: CatalogRow) -> str | None:
    """Return where the text is; a file of another size is not it (half a copy, another version)."""
    for folder in (paths.shipped_data(), paths.data_folder()):
        path = folder / row.file
        if is_file(path) and path.stat().st_size == row.bytes:
            return str(path)
    return None
