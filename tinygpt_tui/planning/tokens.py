"""How long the tokens of a text will be, and which sizes of a tokenizer suit it, before one is trained; no torch."""

from __future__ import annotations

import math

from tinygpt_tui.settings.tokenizer import SMALLEST
from tinygpt_tui.words import ratio

# Fitted to byte pairs of English: 1.4 bytes a token with 300 tokens, 1.9 with 512, 3.2 with 4,096.
GROWTH, POWER = 0.94, 0.63
# A token that occurs less often than this in the whole text is hardly learned.
OFTEN = 100
SIZES = (512, 1024, 2048, 4096, 8192, 16_384, 32_768)


def bytes_per_token(size: int) -> float:
    """Return about how many bytes the tokens of a BPE of this size have on average.

    >>> round(bytes_per_token(256), 2), round(bytes_per_token(4096), 1)
    (1.0, 3.2)
    """
    return 1 + GROWTH * math.pow(math.log2(max(1.0, size / SMALLEST)), POWER)


def suggestion(text_bytes: int) -> str:
    """Return which tokenizers suit a text of that many bytes, with the reason."""
    suited = [size for size in SIZES if text_bytes / bytes_per_token(size) / size >= OFTEN]
    if not suited:
        return "this text is too short for byte pairs: most would hardly occur in it; characters suit it"
    sizes = f"bpe:{suited[0]}" + (f" to bpe:{suited[-1]}" if len(suited) > 1 else "")
    seen, longer = text_bytes / bytes_per_token(suited[-1]) / suited[-1], bytes_per_token(suited[-1])
    return (
        f"{sizes} suit this text: with bpe:{suited[-1]} a token occurs about {ratio(seen)} times, and a window spans "
        f"about {longer:.1f} times as much text"
    )
