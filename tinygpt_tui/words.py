"""Numbers in words that people read: spans of time, sizes, shares."""

from __future__ import annotations

import math
import re

TRYING = "trying "  # before what `open --progress` prints, by which the app knows it

# What moves a terminal's cursor, names its window or writes the other way round: control characters except the tab and
# the new line, separators of lines, marks of direction, and halves of surrogate pairs, which no terminal can be sent.
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, lines: bool = True) -> str:
    r"""Return a text from a file as a terminal may be given it; without `lines` new lines and tabs are escapes, too.

    >>> printable("a\x1b[2J\nb")
    'a\\x1b[2J\nb'
    >>> printable("a\nb", lines=False)
    'a\\nb'
    """
    text = COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return text if lines else text.replace("\n", "\\n").replace("\t", "\\t")


def duration(seconds: float) -> str:
    """A span of time in its two largest units: `1 h 04 min`, `3 min 20 s`, `8 s`."""
    whole = max(0, round(seconds))
    if whole >= 86400:
        return f"{whole // 86400} d {whole % 86400 // 3600:02} h"
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 60} min {whole % 60:02} s" if whole >= 60 else f"{whole} s"


def size(count: float) -> str:
    """A number of bytes: `1.1 MB`."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count:.0f} bytes"


def parameters(count: int) -> str:
    """A number of parameters in three digits: `55k`, `805k`, `10.8M`, `124M`."""
    if count < 999_500:
        return f"{count / 1e3:.0f}k" if count >= 1000 else str(count)
    return f"{count / 1e6:.3g}M" if count < 999.5e6 else f"{count / 1e9:.3g}B"


def ratio(value: float) -> str:
    """A proportion with as many digits as say something: `0.02`, `1.7`, `340`."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def bar(share: float, cells: int) -> str:
    """A bar of at most `cells` cells, in eighths of a cell; any share above zero shows."""
    eighths = round(min(max(share, 0.0), 1.0) * cells * 8)
    if share > 0:
        eighths = max(eighths, 1)
    full, part = divmod(eighths, 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[part] if part else "")


def shortened(text: str, length: int) -> str:
    """At most `length` characters; `…` marks that some were left out."""
    return text if len(text) <= length else text[: length - 1] + "…"


def threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"


def steps_words(count: int) -> str:
    """What a mean of the newest steps is of: `last step`, `last 10 steps`."""
    return "last step" if count == 1 else f"last {count} steps"


def right_words(share: float) -> str:
    """Return the share of right answers in words: `98.5% right`; never 100 % if one is wrong."""
    percent = min(share * 100, 99.9) if share < 1 else 100.0
    return f"{percent:.1f}% right"


def loss_words(loss: float, tokens: int, digits: int = 4, characters_per_token: float = 1.0) -> str:
    """A validation loss, nats per character: `1.6213`; where tokens are longer, also in bits, and in nats per token.

    One measured on `tokens` tokens instead of the whole split is rounded and marked: `≈1.621`.

    >>> loss_words(1.5, 0, characters_per_token=2.0)
    '1.5000 (2.1640 bits; 3.0000 a token)'
    """
    digits, mark = (digits - 1, "≈") if tokens else (digits, "")
    if characters_per_token == 1.0:
        return f"{mark}{loss:.{digits}f}"
    bits, per_token = loss / math.log(2), loss * characters_per_token
    return f"{mark}{loss:.{digits}f} ({bits:.{digits}f} bits; {per_token:.{digits}f} a token)"


def part_words(tokens: int, of: int) -> str:
    """What of a split was read: `4,096 of 111,540 tokens`, `4,096 tokens` where the whole is not known."""
    return f"{tokens:,} of {of:,} tokens" if of else f"{tokens:,} tokens"


def in_one_line(error: BaseException, length: int = 200) -> str:
    """What an unexpected error says first, on one line: `RuntimeError: no kernel image`."""
    first = str(error).strip().split("\n\n")[0]
    return shortened(" ".join(f"{type(error).__name__}: {first}".split()), length)
