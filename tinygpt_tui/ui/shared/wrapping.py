"""Word wrap by offsets, and visible replacements for control characters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len

from tinygpt_tui.tokenizers.dialogues import END_OF_TURN, FIRST_ROLE, MOST_ROLES

TAB_STOPS = 4
REPLACEMENT = 0xFFFD
BREAKS = "\n" + END_OF_TURN  # each ends a line
PERSON, MODEL = "❯ ", "◆ "  # before a turn of a conversation
FIRST_MARK, LAST_MARK = chr(FIRST_ROLE), chr(FIRST_ROLE + MOST_ROLES - 1)  # of roles: drawn as MODEL unless given
_EXPANDED = re.compile(f"[\t{FIRST_MARK}-{LAST_MARK}]")  # what is drawn as several characters


class Line(NamedTuple):
    """One line of the screen: the characters from `start` to `end`, without the newline."""

    start: int
    end: int


def with_roles(roles: Mapping[str, str]) -> Mapping[int, int | str]:
    """Return the pictures of all characters, with those of the marks of `roles`."""
    return _PICTURES | {ord(mark): picture for mark, picture in roles.items()} if roles else _PICTURES


def wrap(text: str, start: int, width: int, pictures: Mapping[int, int | str] | None = None) -> list[Line]:
    """Return the screen lines of `text` from offset `start`, which begins one, at `width` cells.

    Breaks are after spaces and wide characters; a longer word is broken at the edge; spaces at a line's end hang
    over it. Only the last line can change when text is added, so that a text that grew needs only that one again.
    """
    width = max(1, width)
    lines: list[Line] = []
    while True:
        newline = next_break(text, start)
        end = len(text) if newline < 0 else newline
        paragraph = text[start:end] if end - start <= width else None
        if paragraph is not None and paragraph.isascii() and "\t" not in paragraph:
            lines.append(Line(start, end))
        else:
            _wrap_paragraph(text, start, end, width, lines, pictures or _PICTURES)
        if newline < 0:
            return lines
        start = newline + 1


def next_break(text: str, start: int) -> int:
    """Return where the line that begins at `start` is ended by a character; -1 if by none."""
    newline, turn = text.find("\n", start), text.find(END_OF_TURN, start)
    return max(newline, turn) if newline < 0 or turn < 0 else min(newline, turn)


def shown(text: str, pictures: Mapping[int, int | str] | None = None) -> str:
    """Return a screen line as it is drawn: tabs as spaces, marks of roles and control characters as their pictures.

    Every character but tabs and marks becomes one character, so that offsets stay what they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return expand_tabs(text.translate(pictures or _PICTURES))


def expand_tabs(text: str) -> str:
    """Return `text` with each tab as the spaces up to the next stop, counted in cells."""
    first, *rest = text.split("\t")
    for part in rest:
        first += " " * (TAB_STOPS - cell_len(first) % TAB_STOPS) + part
    return first


def shown_index(text: str, index: int, pictures: Mapping[int, int | str] | None = None) -> int:
    """Return where in `shown(text)` the character `text[index]` begins."""
    return len(shown(text[:index], pictures)) if _EXPANDED.search(text) else index


def source_index(text: str, index: int, pictures: Mapping[int, int | str] | None = None) -> int:
    """Return which character of `text` is at `shown(text)[index]`."""
    if not _EXPANDED.search(text):
        return min(index, len(text))
    return next((i for i in range(len(text)) if len(shown(text[: i + 1], pictures)) > index), len(text))


def _wrap_paragraph(
    text: str, start: int, end: int, width: int, lines: list[Line], pictures: Mapping[int, int | str]
) -> None:
    x, break_at, i = 0, start, start
    while i < end:
        character = text[i]
        if character == "\t":
            cells = TAB_STOPS - x % TAB_STOPS
        elif FIRST_MARK <= character <= LAST_MARK:
            cells = min(width, cell_len(str(pictures[ord(character)])))
        else:
            cells = _cells(character)
        is_space = character in " \t"
        if x + cells > width and i > start and not is_space:
            cut = break_at if break_at > start else i
            lines.append(Line(start, cut))
            start = break_at = i = cut
            x = 0
            continue
        x += cells
        i += 1
        if is_space or cells == 2:
            break_at = i
    lines.append(Line(start, end))


@lru_cache(maxsize=4096)
def _cells(character: str) -> int:
    return cell_len(character.translate(_PICTURES))


def _pictures() -> dict[int, int | str]:
    pictures: dict[int, int | str] = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}
    pictures[0x7F] = 0x2421
    # C1 controls, marks that turn the direction of writing, line separators, halves of surrogate pairs: a terminal
    # would obey the former and cannot be sent the latter.
    for first, last in ((0x80, 0x9F), (0x200E, 0x200F), (0x2028, 0x202E), (0x2066, 0x2069), (0xD800, 0xDFFF)):
        pictures.update(dict.fromkeys(range(first, last + 1), REPLACEMENT))
    pictures.update(dict.fromkeys(range(FIRST_ROLE, FIRST_ROLE + MOST_ROLES), MODEL))
    return pictures


_PICTURES = _pictures()
