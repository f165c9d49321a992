"""The encoding of a text file: UTF-8 if nearly all of it decodes, else the one named, else a guess."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

import numpy as np
from charset_normalizer import CharsetMatch, from_bytes

from tinygpt_tui.errors import CorpusError, UsageError

AUTO = "auto"
# A text rarely has this share of control characters; a program, a picture or a zip always does.
LARGEST_SHARE_OF_CONTROLS = 0.01
HEAD = 65_536  # bytes that are examined for it
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # UTF-32-LE starts like UTF-16-LE
# Common encodings of text files; among all that Python has, a curly quote makes French look like MacLatin2.
LIKELY_ENCODINGS = (
    *("utf_16", "utf_32", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("iso8859_2", "cp932", "euc_jp", "gb18030", "big5", "cp949"),
)
WESTERN = "cp1252"  # by far the most common one, with latin-1 inside it
WESTERN_LEAD = 0.07  # how much worse than the best reading (charset-normalizer's measure of mess) it may be
LARGEST_MESS = 0.4  # its own 0.2 fails if a text ends with a few quotes and dashes
# Text in another encoding forms a valid UTF-8 sequence about once in ten; UTF-8 with a fault nearly always.
VALID_FOR_EACH_BAD = 4
LARGEST_BAD_SHARE = 0.01  # of a file in the encoding that the user names
LONGEST_SEQUENCE = 4
FIRST_LEAD = 0xC0  # bytes from here on start a character of several bytes
SHOWN = 48  # characters of the line that a guess shows

# Offered in a form; a flag accepts all that Python has.
COMMON = (
    *(AUTO, "utf-8", "cp1252", "cp1250", "iso8859-2", "cp1251", "koi8-r", "cp1253", "iso8859-7", "cp1254", "cp1255"),
    *("cp1256", "cp850", "mac-roman", "cp932", "euc-jp", "gb18030", "big5", "cp949", "utf-16-le", "utf-16-be"),
)

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


class Decoded(NamedTuple):
    """A text, notes about how it was read, and whether the encoding is a guess."""

    text: str
    notes: list[str]
    guessed: bool = False


def decode(content: bytes | bytearray, name: str, encoding: str = AUTO) -> Decoded:
    """Return the text of a file called `name`; line ends stay as they are.

    Raises CorpusError if it is not a text, or not in this `encoding`; UsageError if Python has no such encoding.
    """
    if encoding != AUTO:
        return _named(bytes(content), name, encoding)
    try:
        return Decoded(content.decode("utf-8-sig"), [])
    except UnicodeDecodeError:
        raw = bytes(content)
    if (nearly := _nearly_utf8(raw)) is not None:
        text, bad = nearly
        return Decoded(text, [f"{name} is UTF-8 except for {_bytes(bad)}, left out"])
    text, _, note = guess(raw, name)
    return Decoded(text, [note], guessed=True)


def guess(raw: bytes, name: str) -> tuple[str, str, str]:
    """Return the text of bytes that are not UTF-8, their most likely encoding, and a note. Raises CorpusError."""
    best = None if looks_binary(raw) and not raw.startswith(WIDE) else _most_likely(raw)
    if best is None:
        raise not_a_text(name)
    encoding = WESTERN if WESTERN in best.could_be_from_charset else best.encoding
    text = str(best)
    said = f"read as {encoding.replace('_', '-')}: {_telling_line(text)!r}; if that is wrong, set the encoding"
    return text, encoding, f"{name} is not UTF-8; {said}"


def check_encoding(encoding: str) -> str:
    """Return Python's name of a text encoding. Raises UsageError."""
    try:
        found = codecs.lookup(encoding)
        "a".encode(found.name)  # base64 and its like are codecs, too, but not of text
    except (LookupError, ValueError):
        raise UsageError(
            f"encoding: {encoding!r} is not known", "for instance utf-8, cp1252, cp1253, iso8859-2, mac-roman, utf-16"
        ) from None
    return found.name


def looks_binary(content: bytes) -> bool:
    """Whether the first bytes are rather those of a program, a picture or an archive."""
    head = content[:HEAD]
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
    return b"\0" in head or controls > len(head) * LARGEST_SHARE_OF_CONTROLS


def check_beginning(content: bytes, name: str, encoding: str = AUTO) -> None:
    """Raise CorpusError if the first bytes of a file called `name` show already that it is not a text."""
    if content.startswith(b"%PDF"):
        raise CorpusError(f"{name} is a PDF", f"extract its text first: pdftotext {name} text.txt", reason="a PDF")
    if encoding == AUTO and looks_binary(content) and not content.startswith(WIDE):
        raise not_a_text(name)


def not_a_text(name: str) -> CorpusError:
    """Return the error for a file that is no text."""
    return CorpusError(
        f"{name} is not a text file",
        "choose a plain text file (.txt, .md …), or name its encoding (utf-16-le, …)",
        reason="no text",
    )


def _named(raw: bytes, name: str, encoding: str) -> Decoded:
    found = check_encoding(encoding)
    found = "utf-8-sig" if found == "utf-8" else found
    try:
        return Decoded(raw.decode(found), [])
    except UnicodeDecodeError:
        text = raw.decode(found, "replace")
    except UnicodeError as error:  # UTF-16 without its mark
        raise CorpusError(f"{name} is not {encoding}: {error}", "name another encoding") from None
    note = note_of_bad(name, encoding, text.count("\ufffd"), len(text))
    return Decoded(raw.decode(found, "ignore"), [note])


def note_of_bad(name: str, encoding: str, bad: int, characters: int) -> str:
    """Return the note that `bad` places of a text cannot be read. Raises CorpusError where they are too many."""
    if bad > max(LONGEST_SEQUENCE, LARGEST_BAD_SHARE * characters):
        raise CorpusError(f"{name} is not {encoding}: {bad:,} places cannot be read", "name another encoding, or auto")
    places = "1 place" if bad == 1 else f"{bad:,} places"
    return f"{name} is {encoding} except for {places}, left out"


def _nearly_utf8(raw: bytes) -> tuple[str, int] | None:
    """Return the text without the bytes that are not UTF-8, and how many they are; None if it is not UTF-8."""
    if looks_binary(raw):
        return None
    text = raw.decode("utf-8", "ignore")
    clean = text.encode()
    bad = len(raw) - len(clean)
    valid = int((np.frombuffer(clean, np.uint8) >= FIRST_LEAD).sum())  # characters of more than one byte
    # `head -c` and `tail -c` cut a character: two or three of its bytes are proof where the rest is plain ASCII.
    cut = _is_cut(raw) and bad < LONGEST_SEQUENCE and (valid > 0 or bad > 1)
    if not cut and not (valid and bad * VALID_FOR_EACH_BAD <= valid):
        return None
    return text.removeprefix("\ufeff"), bad


def _is_cut(raw: bytes) -> bool:
    """Whether only the first bytes, which end a character, and the last ones, which start one, are wrong."""
    start = 0
    while start < LONGEST_SEQUENCE - 1 and start < len(raw) and 0x80 <= raw[start] < 0xC0:
        start += 1
    # A decoder that expects more leaves an unfinished character at the end alone.
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(raw[start:], final=False)
    except UnicodeDecodeError:
        return False
    return True


def _most_likely(content: bytes) -> CharsetMatch | None:
    """Return the most likely reading of bytes that are not UTF-8, or None if there is none."""
    likely = from_bytes(content, cp_isolation=list(LIKELY_ENCODINGS), threshold=LARGEST_MESS)
    readings = list(likely) or list(from_bytes(content))
    if not readings:
        return None
    limit = readings[0].chaos + WESTERN_LEAD
    western = (reading for reading in readings if WESTERN in reading.could_be_from_charset and reading.chaos <= limit)
    return next(western, readings[0])


def _telling_line(text: str) -> str:
    """Return the text around the first character that another encoding would read differently."""
    found = _NOT_ASCII.search(text)
    place = found.start() if found else 0
    start = text.rfind("\n", 0, place) + 1
    start = max(start, place - SHOWN // 2)
    return text[start : start + SHOWN].split("\n", 1)[0].strip()


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count:,} bytes"
