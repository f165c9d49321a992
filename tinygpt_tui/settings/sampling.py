"""The settings of one generation: how to draw the next token, when to stop, and how to read the text so far."""

from __future__ import annotations

import contextlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.fields import changed, fields_of, parse_value, written

Window = Literal["auto", "exact", "reanchor", "rolling"]
Weights = Literal["fp32", "int8"]
Temperature = Annotated[
    float,
    Meta(ge=0, le=10, description="0 always takes the most likely; 1 samples as the model predicts; more is wilder"),
]
TopK = Annotated[int, Meta(ge=0, description="draw only among the k most likely; 0: among all")]
TopP = Annotated[
    float,
    Meta(
        gt=0,
        le=1,
        description="draw among the fewest that together have this probability; 1: among all",
        extra={"step": 0.05},
    ),
]
MinP = Annotated[
    float,
    Meta(
        ge=0,
        le=1,
        description="leave out what is less likely than this share of the most likely; 0: none",
        extra={"step": 0.01},
    ),
]


class SamplingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a text is continued. The filters of the next token work in the order that generation/filters.py says."""

    temperature: Temperature = 0.8
    top_k: TopK = 0
    top_p: TopP = 1.0
    min_p: MinP = 0.0
    repetition_penalty: Annotated[
        float, Meta(gt=0, le=10, description="above 1, tokens already in the text are less likely; 1: no penalty")
    ] = 1.0
    max_new_tokens: Annotated[
        int, Meta(ge=0, le=1_000_000, description="stop after this many tokens", extra={"step": 100})
    ] = 500
    seed: Annotated[
        Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] | None,
        Meta(description="same seed, same text; empty: a new one each time"),
    ] = None
    stop: Annotated[
        tuple[str, ...], Meta(description="stop where one of these texts appears (it is not shown); none: never")
    ] = ()
    stop_at_blank_line: Annotated[bool, Meta(description="stop at an empty line")] = False
    stop_at_end_of_text: Annotated[bool, Meta(description="stop where the model says that a text ends")] = True
    banned: Annotated[str, Meta(description="characters that are never written")] = ""
    allowed: Annotated[str, Meta(description="only these characters are written; empty: all")] = ""
    window: Annotated[
        Window,
        Meta(
            description="when the window is full: exact reads the last block again for each token, as nanoGPT does; "
            "reanchor keeps half and continues, many times faster, at a small loss; rolling slides, "
            "for models trained that way; auto: rolling if the model can, else exact"
        ),
    ] = "auto"
    weights: Annotated[
        Weights,
        Meta(
            description="int8: rounded weights, approximate (shakespeare: 0.0003 nats worse); faster for larger models"
        ),
    ] = "fp32"
    adapt: Annotated[
        bool,
        Meta(
            description="a copy of the model learns from the text that it reads and writes, and is forgotten; "
            "the model's file does not change",
            extra={"alone": True},
        ),
    ] = False


class SamplingChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Other settings in the middle of a text: its tokens from number `at` on, counted from 0, are drawn with these."""

    at: Annotated[int, Meta(ge=0)]
    temperature: Temperature
    top_k: TopK = 0
    top_p: TopP = 1.0
    min_p: MinP = 0.0

    @classmethod
    def to(cls, settings: SamplingSettings, at: int) -> SamplingChange:
        """Return the change to `settings`."""
        return cls(at, settings.temperature, settings.top_k, settings.top_p, settings.min_p)

    def applied_to(self, settings: SamplingSettings) -> SamplingSettings:
        """Return `settings` as they are after this change."""
        return msgspec.structs.replace(
            settings, temperature=self.temperature, top_k=self.top_k, top_p=self.top_p, min_p=self.min_p
        )


def to_lines(settings: SamplingSettings) -> str:
    """Return what differs from the defaults, one setting a line, as `from_lines` reads it."""
    default = SamplingSettings()
    values = {name: getattr(settings, name) for name in fields_of(SamplingSettings)}
    return "\n".join(f"{name} = {written(value)}" for name, value in values.items() if value != getattr(default, name))


def from_lines(lines: str) -> SamplingSettings:
    """Return the settings in such lines; one that cannot be read keeps its default."""
    settings, known = SamplingSettings(), fields_of(SamplingSettings)
    for line in lines.split("\n"):
        name, _, value = line.partition(" = ")
        with contextlib.suppress(UsageError):
            if name in known:
                settings = changed(settings, {name: parse_value(known[name], value)})
    return settings


def without_effect(settings: SamplingSettings) -> tuple[str, ...]:
    """Return the settings that change nothing beside the others: at temperature 0 nothing is drawn at random.

    >>> without_effect(SamplingSettings(temperature=0, top_k=5, seed=1))
    ('top_k', 'seed')
    """
    if settings.temperature > 0:
        return ()
    default = SamplingSettings()
    drawing = ("top_k", "top_p", "min_p", "seed")
    return tuple(name for name in drawing if getattr(settings, name) != getattr(default, name))
