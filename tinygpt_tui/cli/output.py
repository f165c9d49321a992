"""stdout is data, stderr is talk."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.words import printable

# A model's text may hold what would move a terminal's cursor or name its window; one picture each keeps its length.
_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {0x7F: 0x2421}
_PICTURES |= dict.fromkeys([*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD)


def write(text: str) -> None:
    """Write words to stdout; what came from a file cannot command a terminal, also where it gets there later."""
    write_data(printable(text))


def write_data(text: str) -> None:
    """Write a text as it is (a model's, JSON) to stdout at once, in UTF-8 whatever the locale says.

    On a terminal control characters are pictures.
    """
    sys.stdout.write(text.translate(_PICTURES) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def say(text: str) -> None:
    """Say something to whoever watches."""
    print(printable(text), file=sys.stderr, flush=True)


def say_error(error: TinyGPTError) -> None:
    """Say what went wrong, and what to do about it."""
    say(f"tinygpt-tui: {error.message}")
    if error.hint:
        say(f"  {error.hint}")


def table(rows: Sequence[tuple[str, ...]], head: tuple[str, ...], right: frozenset[int] = frozenset()) -> str:
    """Lay out `rows` under `head` in columns as wide as they need; the columns in `right` are set to the right.

    A cell is one line, whatever is in it.
    """
    rows = [tuple(printable(cell, lines=False) for cell in row) for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = []
    for row in [head, *rows]:
        cells = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"
