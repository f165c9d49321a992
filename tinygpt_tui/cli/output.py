"""Data goes to stdout, messages go to stderr; here is decided whether anything is drawn.

In plain mode, for screen readers and terminals that can only print, each fact is a line: nothing is drawn, coloured or
written over.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.words import printable

# A model's text may hold control characters, which would command the terminal; each is shown as a symbol.
_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {0x7F: 0x2421}
_PICTURES |= dict.fromkeys([*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD)


def choose_plain() -> None:
    """Choose plain mode for the rest of this process, by the sign that other libraries know, too."""
    os.environ["TERM"] = "dumb"


def is_plain() -> bool:
    """Whether plain mode was chosen, or the terminal can only print."""
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def can_draw(*streams: TextIO) -> bool:
    """Whether all `streams` are terminals on which charts and bars may be drawn."""
    return not is_plain() and all(stream.isatty() for stream in streams)


def write(text: str) -> None:
    """Write a text to stdout with control characters escaped, also if stdout is a file."""
    write_data(printable(text))


def write_data(text: str) -> None:
    """Write a text unchanged (a model's text, JSON) to stdout and flush.

    On a terminal control characters are shown as symbols.
    """
    sys.stdout.write(text.translate(_PICTURES) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def notify(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)


def print_error(error: TinyGPTError) -> None:
    notify(f"tinygpt-tui: {error.message}")
    if error.hint:
        notify(f"  {error.hint}")


def table(rows: Sequence[tuple[str, ...]], head: tuple[str, ...], right: frozenset[int] = frozenset()) -> str:
    """Return `rows` under `head` as aligned columns; the columns in `right` are right-aligned.

    Each cell is one line: line breaks in it are escaped. In plain mode each row is a line that names its columns.
    """
    rows = [tuple(printable(cell, lines=False) for cell in row) for row in rows]
    if is_plain():
        return "".join(f"{_spoken(row, head)}\n" for row in rows)
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = []
    for row in [head, *rows]:
        cells = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def _spoken(row: tuple[str, ...], head: tuple[str, ...]) -> str:
    """Return a row as words: `diary: state finished, step 500/500`; empty cells are left out."""
    facts = [f"{title.lower()} {cell}".strip() for title, cell in zip(head[1:], row[1:], strict=True) if cell]
    return f"{row[0]}: {', '.join(facts)}"
