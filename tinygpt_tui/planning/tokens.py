"""How long the tokens of a text will be, and which sizes of a tokenizer suit it, before one is trained; no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tinygpt_tui.doctor.survey import MANY_CHARACTERS, OFTEN
from tinygpt_tui.settings.tokenizer import SMALLEST
from tinygpt_tui.tokenizers.byte import frequent
from tinygpt_tui.words import ratio

# Fitted to byte pairs of English: 1.4 bytes a token with 300 tokens, 1.9 with 512, 3.2 with 4,096.
GROWTH, POWER = 0.94, 0.63
SIZES = (512, 1024, 2048, 4096, 8192, 16_384, 32_768)


def bytes_per_token(size: int) -> float:
    """Return about how many bytes the tokens of a BPE of this size have on average.

    >>> round(bytes_per_token(256), 2), round(bytes_per_token(4096), 1)
    (1.0, 3.2)
    """
    return 1 + GROWTH * math.pow(math.log2(max(1.0, size / SMALLEST)), POWER)


def with_fallback(counts: Mapping[str, int], fewest: int) -> tuple[int, int]:
    """Return how many tokens a text has if its characters that occur `fewest` times are tokens and others are bytes.

    The second number is that of different tokens. `counts` are of each character.

    >>> with_fallback({"a": 10, "日": 1}, 2)
    (13, 256)
    """
    known = set(frequent(counts, fewest))
    tokens = sum(count * (1 if one in known else len(one.encode("utf-8", "ignore"))) for one, count in counts.items())
    return tokens, SMALLEST + len(known)


def suggestion(text_bytes: int, budget: float = math.inf, different: int = 0) -> str:
    """Return which tokenizers suit a text of that many bytes, and a run that reads `budget` tokens; with the reason.

    `different` is how many different characters the text has.
    """
    if different > MANY_CHARACTERS:
        return f"{different:,} different characters: characters:{OFTEN} writes those that are rarer than that as bytes"

    def occurs(size: int) -> float:
        return text_bytes / bytes_per_token(size) / size

    suited = [size for size in SIZES if min(occurs(size), budget / size) >= OFTEN]
    if not suited:
        if occurs(SIZES[0]) < OFTEN:
            return "this text is too short for byte pairs: most would hardly occur in it; characters suit it"
        return f"this run is too short for byte pairs: it reads {budget:,.0f} tokens; characters suit it"
    largest = suited[-1]
    sizes = f"bpe:{suited[0]}" + (f" to bpe:{largest}" if len(suited) > 1 else "")
    is_short = budget / largest < occurs(largest)
    times = f"is read about {ratio(budget / largest)}" if is_short else f"occurs about {ratio(occurs(largest))}"
    return (
        f"{sizes} suit this {'run' if is_short else 'text'}: with bpe:{largest} a token {times} times, and a window "
        f"spans about {bytes_per_token(largest):.1f} times as much text"
    )
