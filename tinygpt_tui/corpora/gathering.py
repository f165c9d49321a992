"""Gathers the documents of files, folders and globs in one text, written once and found again while nothing changes.

A run trains on that file: it stays as it is when the sources change. BOUNDARY ends each document in it.
"""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import io
import os
import re
import sys
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.corpora.conversations import FEWEST_SPEECHES, cast, listed, scenes, speeches
from tinygpt_tui.corpora.corpus import BETWEEN
from tinygpt_tui.corpora.formats import Choices, Seen, documents_in, is_plain
from tinygpt_tui.corpora.personal import Kind, found_in, without
from tinygpt_tui.corpora.read import GATHERED
from tinygpt_tui.errors import CorpusError, NotFoundError, UsageError, storage_error
from tinygpt_tui.files import is_file, is_folder, whole_file, write_bytes
from tinygpt_tui.reading import Damage, open_file, read_json
from tinygpt_tui.tokenizers.documents import BOUNDARY
from tinygpt_tui.words import printable, shortened

FORMAT = 2
STDIN = "-"
MOST_FILES = 100_000
LONG_LINE = 20_000  # characters: more is hardly a paragraph
MOST_FIELDS = 12  # that are named
PERSONAL: tuple[Kind, ...] = ("addresses", "keys")
REMOVED = {"addresses": "e-mail address", "keys": "secret key", "copies": "copy"}
SHOWN = 3  # names of files that are left out, for each reason
_GLOB = re.compile(r"[*?\[]")


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """What was gathered, in the file at `path`, and what was understood."""

    path: str
    name: str
    files: int
    documents: int
    only: str = ""  # the file, if it is one
    records: int = 0
    bad_records: int = 0
    field: str = ""
    fields: list[str] = []  # all that were found
    left_out: dict[str, list[str]] = {}
    empty: int = 0
    duplicates: int = 0
    addresses: int = 0
    removed: dict[str, int] = {}  # what was left out as requested, and how often
    longest_line: int = 0
    notes: list[str] = []
    roles: list[str] = []  # of the turns, if the documents are conversations
    replies: list[str] = []  # the roles that are learned
    turns: int = 0
    learned_turns: int = 0
    without_reply: int = 0
    no_conversation: int = 0

    def words(self) -> list[str]:
        """Return what was understood, line by line."""
        where = f"`{self.only}`" if self.only else _count(self.files, "file")
        lines = [f"{_count(self.documents, 'document')} in {where}"]
        if self.roles:
            lines = [f"{_count(self.documents, 'conversation')} in {where}, roles {listed(self.roles)}"]
            lines += [
                f"the replies of {listed(self.replies)} are learned: {self.learned_turns:,} of {self.turns:,} turns"
            ]
        if self.records:
            others = ", ".join(f"`{name}`" for name in self.fields if name not in self.field.split(", "))
            field = f", field `{self.field}`" + (f" (also: {others})" if others else "")
            records = f"{_count(self.records, 'record')}{f' of {where}' if self.only else ''}{field}"
            lines = [records] if self.only else [*lines, records]
        for reason, names in self.left_out.items():
            shown = ", ".join(printable_name(name) for name in names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
            lines.append(f"{_count(len(names), 'file')} left out, {reason}: {shown}")
        if self.bad_records:
            lines.append(f"{_count(self.bad_records, 'line')} left out: not JSON")
        if self.no_conversation:
            lines.append(f"{_count(self.no_conversation, 'record')} left out: not a conversation")
        if self.without_reply:
            lines.append(f"{_count(self.without_reply, 'conversation')} left out: no reply in it")
        if self.empty:
            lines.append(f"{_count(self.empty, 'document')} left out: empty")
        lines += [f"{_count(count, REMOVED[kind])} left out" for kind, count in self.removed.items() if count]
        if self.duplicates:
            lines.append(f"{_count(self.duplicates, 'document')} more than once in it, word for word")
        if self.addresses:
            lines.append(f"{_count(self.addresses, 'e-mail address')} in it: a model may write them")
        if self.longest_line > LONG_LINE:
            lines.append(f"the longest line has {self.longest_line:,} characters: data, or a program made smaller")
        return [*lines, *self.notes[:SHOWN]]


def _count(count: int, what: str) -> str:
    several = f"{what[:-1]}ies" if what.endswith("py") else f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{count:,} {what if count == 1 else several}"


def printable_name(name: str) -> str:
    """Return a file's name as a note shows it."""
    return shortened(printable(PurePosixPath(name).name, lines=False), 40)


def is_gathered(source: str) -> bool:
    """Whether a corpus of that name is gathered from its sources: all but one plain text file."""
    path = paths.typed_path(source)
    return not is_plain(path.name) if is_file(path) else sources_exist(source)


def sources_exist(source: str) -> bool:
    """Whether a file, a folder or a glob names something."""
    path = paths.typed_path(source)
    return source == STDIN or is_file(path) or is_folder(path) or bool(_GLOB.search(source) and _matches(source))


def gathering(sources: Iterable[str], choices: Choices) -> Generator[float, None, Gathered]:
    """Yield the share that is read; return what was gathered, from an earlier time if nothing has changed.

    Raises CorpusError where there is no text, NotFoundError for a source that is not there, StorageError.
    """
    sources = list(sources)
    typed = sys.stdin.buffer.read() if STDIN in sources else b""
    files = [(path, path.stat()) for path in files_of(sources)]
    name = gathered_name(sources)
    if made := [path.name for path, _ in files if path.suffix == GATHERED]:
        raise UsageError(
            f"{made[0]} was gathered already",
            "use it alone, without --field, --documents, --turns, --replies and --leave-out; or choose its sources",
        )
    what = [FORMAT, choices, hashlib.sha256(typed).hexdigest()]
    stamps = [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in files]
    key = hashlib.sha256(msgspec.json.encode([what, stamps])).hexdigest()[:10]
    place = gathered_folder() / f"{name}-{key}{GATHERED}"
    about = place.with_suffix(".json")
    try:
        known = read_json(about, Gathered)
        if is_file(place):
            return known
    except (OSError, Damage):
        pass
    gathered = yield from _written(place, name, files, typed, choices)
    write_bytes(about, msgspec.json.encode(gathered))
    return gathered


def files_of(sources: Iterable[str]) -> list[Path]:
    """Return the files that are meant, those of a folder sorted, without hidden ones. Raises NotFoundError."""
    found: dict[Path, None] = {}
    for source in sources:
        path = paths.typed_path(source)
        if source == STDIN:
            continue
        if is_file(path):
            here = [path]
        elif is_folder(path):
            here = list(_walk(path))
        else:
            here = [one for match in _matches(source) for one in ([match] if is_file(match) else _walk(match))]
            if not here:
                raise NotFoundError(f"there is no file and no folder {source!r}", "check the path")
        found |= dict.fromkeys(one.absolute() for one in here)
        if len(found) > MOST_FILES:
            raise CorpusError(f"{source} has more than {MOST_FILES:,} files", "choose a part of them")
    return list(found)


def _matches(source: str) -> list[Path]:
    """Return the files and folders that match a glob; `**` is any number of folders."""
    return [Path(match) for match in sorted(glob.glob(str(paths.typed_path(source)), recursive=True))[:MOST_FILES]]  # noqa: PTH207


def gathered_folder() -> Path:
    """Return where gathered texts are stored."""
    return paths.data_folder() / "gathered"


def _walk(folder: Path) -> Iterator[Path]:
    count = 0
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and Path(root) / name != gathered_folder()
        )
        for name in sorted(names):
            path = Path(root) / name
            if not name.startswith(".") and is_file(path):
                count += 1
                if count > MOST_FILES:
                    return
                yield path


def gathered_name(sources: list[str]) -> str:
    """Return what a text that is gathered from `sources` is called."""
    first = next((source for source in sources if source != STDIN), "")
    path = paths.typed_path(first)
    stem = (
        path.resolve().name.partition(".")[0] if first and not _GLOB.search(path.name) else path.parent.resolve().name
    )
    return re.sub(r"[^\w.-]+", "-", stem).strip("-._")[:40] or "text"


def _written(
    place: Path, name: str, files: list[tuple[Path, os.stat_result]], typed: bytes, choices: Choices
) -> Generator[float, None, Gathered]:
    seen, counts = Seen(), _Counts()
    seen.dialogues.replies = choices.replies
    names: list[str] = []
    if choices.turns == "play":
        names = yield from _cast(files, typed, choices)
        seen.dialogues.replies = choices.replies or names
    total, done = sum(stat.st_size for _, stat in files) or 1, 0
    with whole_file(place) as out:
        for source in _sources(files, typed):
            before = counts.documents
            for document, read in _documents_of(source, choices, seen):
                for one in _scenes(document, names, seen) if names else [document]:
                    out.write(counts.taken(one, choices))
                yield min(1.0, (done + read) / total)
            counts.files += source.content is None and counts.documents > before
            done += source.size
            yield min(1.0, done / total)
        if seen.dialogues.names:
            seen.dialogues.check()
        if not counts.documents:
            raise _nothing(name, seen, len(files))
    if 0 < seen.dialogues.conversations < counts.documents:
        plain = yield from _written(place, name, files, typed, dataclasses.replace(choices, turns="none"))
        note = "conversations and other texts together: the turns are read as plain text"
        return msgspec.structs.replace(plain, notes=[note, *plain.notes])
    return Gathered(
        path=str(place),
        name=name,
        files=counts.files or 1,
        documents=counts.documents,
        only=files[0][0].name if len(files) == 1 else "",
        records=seen.records,
        bad_records=seen.bad_records,
        field=", ".join(sorted(seen.used)),
        fields=[name for name, _ in seen.fields.most_common(MOST_FIELDS)],
        left_out=seen.left_out,
        empty=counts.empty,
        duplicates=counts.documents - len(counts.hashes),
        addresses=counts.addresses,
        removed=counts.removed,
        longest_line=counts.longest_line,
        notes=seen.notes,
        roles=seen.dialogues.names,
        replies=list(seen.dialogues.learned_roles) if seen.dialogues.names else [],
        turns=seen.dialogues.turns,
        learned_turns=seen.dialogues.learned,
        without_reply=seen.dialogues.without_reply,
        no_conversation=seen.dialogues.no_conversation,
    )


class _Source(NamedTuple):
    """A file and its size; its content if it is not on the disk."""

    path: Path
    size: int
    content: bytes | None = None


def _sources(files: list[tuple[Path, os.stat_result]], typed: bytes) -> list[_Source]:
    """Return what is read: the text that was `typed` first."""
    return [
        *([_Source(Path("stdin.txt"), 0, typed)] if typed else []),
        *(_Source(path, stat.st_size) for path, stat in files),
    ]


def _documents_of(source: _Source, choices: Choices, seen: Seen) -> Iterator[tuple[str, int]]:
    """Yield the documents of a source, and how many of its bytes on the disk are read."""
    path, size, content = source
    try:
        with open_file(path) if content is None else io.BytesIO(content) as file:
            for document in _documents(
                documents_in(path.name, file, size or len(content or b""), choices, seen), choices
            ):
                yield document, 0 if file.closed or content else file.tell()
    except OSError as error:
        seen.leave_out(path.name, storage_error(error, path).message)


def _cast(
    files: list[tuple[Path, os.stat_result]], typed: bytes, choices: Choices
) -> Generator[float, None, list[str]]:
    """Return the roles in plays. Raises CorpusError if there are none."""
    found: list[str] = []
    for source in _sources(files, typed):
        for document, _ in _documents_of(source, choices, Seen()):
            found += [turn.role for turn in speeches(document)]
            yield 0.0
    if not (names := cast(found)):
        raise CorpusError(
            f"no name begins {FEWEST_SPEECHES} lines or more", "a play has lines like `ROMEO:`; leave out --turns play"
        )
    return names


def _scenes(document: str, names: list[str], seen: Seen) -> Iterator[str]:
    for turns in scenes(speeches(document), names):
        yield seen.dialogues.text_of(turns)


def _documents(found: Iterator[str], choices: Choices) -> Iterator[str]:
    for document in found:
        text = document.replace("\r\n", "\n").replace("\r", "\n").replace(BOUNDARY, " ")
        yield from text.split("\n") if choices.documents == "lines" else [text.strip("\n")]


class _Counts:
    def __init__(self) -> None:
        self.files = self.documents = self.empty = self.addresses = self.longest_line = 0
        self.hashes: set[int] = set()
        self.removed = dict.fromkeys(REMOVED, 0)

    def taken(self, document: str, choices: Choices) -> bytes:
        """Count a document; return what is written of it."""
        for kind in PERSONAL:
            if kind in choices.leave_out:
                document, count = without(document, kind)
                self.removed[kind] += count
        if not document or document.isspace():
            self.empty += choices.documents != "lines"
            return b""
        content = document.encode("utf-8", "ignore")
        key = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
        if "copies" in choices.leave_out and key in self.hashes:
            self.removed["copies"] += 1
            return b""
        self.documents += 1
        self.hashes.add(key)
        self.addresses += sum(1 for _ in found_in(document, "addresses"))
        self.longest_line = max(self.longest_line, max(map(len, document.split("\n"))))
        return content + (BETWEEN if choices.documents == "none" else BOUNDARY).encode()


def _nothing(name: str, seen: Seen, files: int) -> CorpusError:
    """Return the error where there is no document at all, with the reasons."""
    if not files:
        return CorpusError(f"{name} has no files in it", "choose a folder with texts in it")
    if files == 1 and len(seen.left_out) == 1:
        ((reason, names),) = seen.left_out.items()
        return CorpusError(
            f"{printable_name(names[0])}: {reason}", "get it again, or choose another file or another --field"
        )
    why = "; ".join(f"{printable_name(names[0])}: {reason}" for reason, names in seen.left_out.items())
    return CorpusError(
        f"{name} has no text in it" + (f": {why}" if why else ""),
        "choose other files (.txt, .md, .jsonl …) or another --field",
    )
