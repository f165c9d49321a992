"""The documents in a file of any known format: texts, web pages, books, records, tables, and archives of them.

Files are strangers': what is unpacked is bounded, JSON goes through the one decoder, and nothing is ever run.
"""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import posixpath
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import IO, Any, ClassVar, Literal
from urllib.parse import unquote

from tinygpt_tui.corpora.conversations import Dialogues, Turns, conversation_in
from tinygpt_tui.corpora.encodings import AUTO, HEAD, check_beginning, decode
from tinygpt_tui.corpora.parquet import parquet_records
from tinygpt_tui.errors import CorpusError, MissingPackageError, UsageError
from tinygpt_tui.reading import LARGEST_JSON, Damage
from tinygpt_tui.reading import decode as decode_json

PARQUET = ".parquet"
PACKED = frozenset({".gz", ".xz", ".zip", ".epub"})
RECORDS = frozenset({".jsonl", ".ndjson", ".json", ".csv", ".tsv", PARQUET})
PAGES = frozenset({".html", ".htm", ".xhtml"})
TEXTS = frozenset({".txt", ".md", ".rst", ".text", ".markdown", ".org", ".tex"})
LARGEST_RECORDS = 256 << 20  # bytes of a .json, which is decoded as a whole
LARGEST_PAGE = 16 << 20
LARGEST_TEXT = 1 << 30  # of one file among several; one alone may be as large as the memory
LARGEST_LINE = 4 << 20
# What is unpacked may be this many times as large as the file, or this large: a zip bomb is more.
LARGEST_RATIO, ALWAYS_UNPACKED = 200, 64 << 20
MOST_MEMBERS = 100_000  # of an archive
PEEKED = 100  # records that tell which field is the text
# Where several fields hold text, the usual names come first.
USUAL = ("text", "content", "body", "story", "document", "message", "messages", "completion", "response", "article")
CONTENTS = ("content", "value", "text")  # of the messages of a dialogue
UNREADABLE = (
    *(OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError),
    *(Damage, csv.Error),
)

Documents = Literal["auto", "lines", "none"]
LeftOut = Literal["addresses", "keys", "copies"]


@dataclass(frozen=True)
class Choices:
    """What the user can choose: encoding, field of the records (empty: the most likely one), what a document is.

    Conversations become turns; `turns` play: those of a play, too; none: they are texts. `replies` are the roles that
    are learned (none: assistant, in a play all).
    `leave_out`: e-mail addresses, secret keys, and documents that were there already, word for word.
    """

    encoding: str = AUTO
    field: str = ""
    documents: Documents = "auto"
    turns: Turns = "auto"
    replies: tuple[str, ...] = ()
    leave_out: tuple[LeftOut, ...] = ()

    def or_else(self, documents: Documents) -> Choices:
        """Return them with these documents if none were chosen."""
        return replace(self, documents=documents) if self.documents == "auto" else self


AS_IT_IS = Choices()


@dataclass
class Seen:
    """What was seen in the files so far."""

    records: int = 0
    bad_records: int = 0
    fields: Counter[str] = field(default_factory=Counter)  # all that were found
    used: Counter[str] = field(default_factory=Counter)  # those that were taken as the text
    left_out: dict[str, list[str]] = field(default_factory=dict)  # reason: names of files
    notes: list[str] = field(default_factory=list)
    dialogues: Dialogues = field(default_factory=Dialogues)

    def leave_out(self, name: str, reason: str) -> None:
        """Note a file that is not used."""
        self.left_out.setdefault(reason, []).append(name)


def is_plain(name: str) -> bool:
    """Whether a file of that name is one text, which is read as it is."""
    return PurePosixPath(name).suffix.lower() not in PACKED | RECORDS | PAGES


def documents_in(name: str, file: IO[bytes], size: int, choices: Choices, seen: Seen) -> Iterator[str]:
    """Yield the documents in a file of `size` bytes; one that cannot be read is left out, with the reason in `seen`.

    Raises UsageError for an unknown encoding.
    """
    path = PurePosixPath(name)
    try:
        match path.suffix.lower():
            case ".gz" | ".xz" as packed:
                opened: IO[bytes] = gzip.open(file) if packed == ".gz" else lzma.open(file)  # type: ignore[assignment]  # noqa: SIM115
                unpacked = _bounded(opened, _largest_unpacked(size))
                yield from documents_in(path.stem, unpacked, size * LARGEST_RATIO, choices, seen)
            case ".zip":
                yield from _in_zip(name, file, size, choices, seen)
            case ".epub":
                yield _book(file, size)
            case ".html" | ".htm" | ".xhtml":
                yield page_text(_text(name, _whole(file, LARGEST_PAGE), choices, seen))
            case suffix if suffix in RECORDS:
                yield from _texts_of(name, _records(name, file, suffix, choices, seen), choices, seen)
            case _:
                yield _text(name, _whole(file, LARGEST_TEXT), choices, seen)
    except UsageError:
        raise
    except MissingPackageError as error:
        seen.leave_out(name, f"{error.message}; {error.hint}")
    except CorpusError as error:
        seen.leave_out(name, error.reason)
    except UNREADABLE as error:
        seen.leave_out(name, f"cannot be read ({str(error)[:80] or type(error).__name__})")
    except (RecursionError, AssertionError, ValueError, KeyError):  # from the standard library's parsers
        seen.leave_out(name, "is damaged")


def _text(name: str, content: bytes, choices: Choices, seen: Seen) -> str:
    check_beginning(content[:HEAD], name, choices.encoding)
    text, notes, _ = decode(content, PurePosixPath(name).name, choices.encoding)
    seen.notes += notes
    return text


def _whole(file: IO[bytes], largest: int) -> bytes:
    content = file.read(largest + 1)
    if len(content) > largest:
        raise CorpusError(f"larger than {largest >> 20} MB")
    return content


class _Bounded(io.RawIOBase):
    """Reads another file, and no more than some bytes of it."""

    def __init__(self, file: IO[bytes], largest: int) -> None:
        self._file, self._left = file, largest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(len(buffer))
        self._left -= len(content)
        if self._left < 0:
            raise _too_large()
        buffer[: len(content)] = content
        return len(content)


def _bounded(file: IO[bytes], largest: int) -> IO[bytes]:
    return io.BufferedReader(_Bounded(file, largest))


def _largest_unpacked(size: int) -> int:
    """Return how many bytes a packed file of `size` may become."""
    return max(ALWAYS_UNPACKED, LARGEST_RATIO * size)


def _too_large() -> CorpusError:
    return CorpusError("unpacked it would be very large: unpack it yourself if it is what it says")


def _in_zip(name: str, file: IO[bytes], size: int, choices: Choices, seen: Seen) -> Iterator[str]:
    left = _largest_unpacked(size)
    with zipfile.ZipFile(file) as archive:
        members = sorted(archive.infolist(), key=lambda member: member.filename)
        for member in members[:MOST_MEMBERS]:
            inside = PurePosixPath(member.filename)
            if member.is_dir() or any(part.startswith((".", "__MACOSX")) for part in inside.parts):
                continue
            shown = f"{name}/{member.filename}"
            if inside.suffix.lower() == ".zip":
                seen.leave_out(shown, "an archive in an archive")
                continue
            left -= member.file_size
            if left < 0:
                raise _too_large()
            try:
                with archive.open(member) as opened:
                    part = _bounded(opened, member.file_size)
                    yield from documents_in(shown, part, member.file_size, choices, seen)
            except UNREADABLE as error:
                seen.leave_out(shown, f"cannot be read ({str(error)[:80] or type(error).__name__})")


def _book(file: IO[bytes], size: int) -> str:
    """Return the text of an EPUB, its chapters in their order."""
    left = _largest_unpacked(size)
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        chapters = _spine(archive, names) or sorted(n for n in names if PurePosixPath(n).suffix.lower() in PAGES)
        texts = []
        for chapter in chapters[:MOST_MEMBERS]:
            content = _member(archive, chapter, left)
            left -= len(content)
            texts.append(page_text(content.decode("utf-8", "replace")))
    return "\n\n".join(text for text in texts if text)


def _spine(archive: zipfile.ZipFile, names: list[str]) -> list[str]:
    """Return the chapters in the order in which an EPUB names them; regular expressions read no entities."""
    package = next((name for name in names if name.lower().endswith(".opf")), None)
    if package is None:
        return []
    content = _member(archive, package, LARGEST_JSON).decode("utf-8", "replace")
    places = {}
    for item in re.findall(r"<(?:\w+:)?item\s[^>]*>", content):
        id, place = (re.search(rf"\b{name}\s*=\s*[\"']([^\"']*)", item) for name in ("id", "href"))
        if id and place:
            places[id[1]] = posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(place[1])))
    order = re.findall(r"<(?:\w+:)?itemref\s[^>]*\bidref\s*=\s*[\"']([^\"']*)", content)
    known = set(names)
    return [places[id] for id in order if places.get(id) in known]


def _member(archive: zipfile.ZipFile, name: str, largest: int) -> bytes:
    with archive.open(name) as opened:
        return _whole(opened, min(largest, LARGEST_PAGE))


class _Page(HTMLParser):
    """Collects what a reader of a page sees."""

    SILENT: ClassVar[frozenset[str]] = frozenset({"script", "style", "head", "template", "noscript", "svg"})
    BLOCKS: ClassVar[frozenset[str]] = frozenset(
        {"p", "div", "br", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "table", "section", "article"}
        | {"header", "footer", "blockquote", "pre", "hr", "dt", "dd"}
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = self._preformatted = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._silent += tag in self.SILENT
        self._preformatted += tag == "pre"
        if tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in self.SILENT))
        self._preformatted = max(0, self._preformatted - (tag == "pre"))
        if tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        if not self._preformatted:
            data = re.sub(r"\s+", " ", data)
            data = data.lstrip() if not self.parts or self.parts[-1].endswith("\n") else data
        self.parts.append(data)


def page_text(page: str) -> str:
    """Return the text that a reader of an HTML page sees: no tags, scripts or styles."""
    parser = _Page()
    parser.feed(page)
    parser.close()
    lines = [line.rstrip(" ") for line in "".join(parser.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _records(name: str, file: IO[bytes], suffix: str, choices: Choices, seen: Seen) -> Iterator[Any]:
    """Yield the records of a file: objects, or plain texts."""
    if suffix == PARQUET:
        yield from parquet_records(file)
    elif suffix == ".json":
        yield from _records_of(decode_json(_whole(file, LARGEST_RECORDS)))
    elif suffix in (".csv", ".tsv"):
        csv.field_size_limit(LARGEST_JSON)
        lines = io.StringIO(_text(name, _whole(file, LARGEST_TEXT), choices, seen), newline="")
        for row in csv.DictReader(lines, delimiter="\t" if suffix == ".tsv" else ","):
            yield {str(key): value for key, value in row.items() if key is not None}
    else:
        while line := file.readline(LARGEST_LINE):
            if line.strip():
                try:
                    yield decode_json(line)
                except Damage:
                    seen.bad_records += 1


def _records_of(content: Any) -> list[Any]:
    """Return the list of records in a JSON file: the file's own, or the longest one in an object."""
    if isinstance(content, list):
        return content
    lists = [value for value in content.values() if isinstance(value, list)] if isinstance(content, dict) else []
    records = [found for found in lists if found and isinstance(found[0], dict)]
    return max(records, key=len) if records else [content]


def _texts_of(name: str, records: Iterator[Any], choices: Choices, seen: Seen) -> Iterator[str]:
    """Yield the text of each record. Raises CorpusError where no record has the field, or none has text."""
    first = list(islice(records, PEEKED))
    by_turns = choices.turns == "auto" and choices.documents == "auto"
    if by_turns and any(conversation_in(record, choices.field) for record in first):
        yield from _conversations(chain(first, records), choices, seen.dialogues)
        return
    lengths: Counter[str] = Counter()
    for record in first:
        for path, value in _fields(record):
            lengths[path] += len(text_in(value))
    found = {path for path, length in lengths.items() if length}
    seen.fields.update(sorted(found))
    used = choices.field or min(found, key=lambda path: (_rank(path), -lengths[path], path), default="")
    if choices.field and choices.field not in lengths and first:
        raise CorpusError(f"no field {choices.field!r}; it has {', '.join(sorted(found)) or 'none'}")
    if not found:
        raise CorpusError("no field with text" if first else "no records")
    seen.used[used] += 1
    for record in chain(first, records):
        seen.records += 1
        yield text_in(dict(_fields(record)).get(used, ""))


def _conversations(records: Iterable[Any], choices: Choices, dialogues: Dialogues) -> Iterator[str]:
    for record in records:
        turns = conversation_in(record, choices.field)
        if turns is None:
            dialogues.no_conversation += 1
        elif text := dialogues.text_of(turns):
            yield text


def _rank(path: str) -> int:
    return USUAL.index(path) if path in USUAL else len(USUAL)


def _fields(record: Any) -> Iterator[tuple[str, Any]]:
    """Yield a record's fields, those of an object in it as `outer.inner`; a plain text is the field `text`."""
    if isinstance(record, str):
        yield "text", record
    elif isinstance(record, dict):
        for key, value in record.items():
            if isinstance(value, dict):
                yield from ((f"{key}.{inner}", deep) for inner, deep in value.items())
            else:
                yield str(key), value


def text_in(value: Any) -> str:
    """Return the text of a field: a list of texts, or of the messages of a dialogue, is one below the other."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    parts = [
        next((one[key] for key in CONTENTS if isinstance(one.get(key), str)), "") if isinstance(one, dict) else one
        for one in value
    ]
    return "\n".join(part for part in parts if isinstance(part, str) and part)
