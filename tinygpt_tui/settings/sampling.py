"""The settings of one generation: how to draw the next token, and when to end."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class SamplingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How tokens are drawn. The filters work in the order of the fields."""

    temperature: Annotated[
        float,
        Meta(ge=0, le=10, description="0 always takes the likeliest; 1 is the model's own opinion; more is wilder"),
    ] = 0.8
    top_k: Annotated[int, Meta(ge=0, description="draw among the k likeliest only; 0: among all")] = 0
    top_p: Annotated[
        float, Meta(gt=0, le=1, description="draw among the fewest that together have this probability; 1: among all")
    ] = 1.0
    max_new_tokens: Annotated[int, Meta(ge=0, le=1_000_000, description="stop after this many tokens")] = 500
    seed: Annotated[
        Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] | None,
        Meta(description="same seed, same text; empty: a new one each time"),
    ] = None
    stop: Annotated[str, Meta(description="end where this text appears (it is not shown); empty: never")] = ""
