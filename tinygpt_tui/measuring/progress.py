"""What a benchmark says of itself while it runs."""

from __future__ import annotations

import msgspec


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What begins now. `share` of the work is done; `left_s` is a guess from what has been timed so far."""

    words: str  # the part of the benchmark
    detail: str  # what of it
    share: float
    left_s: float | None
