"""Walks for the tests of the Inspect tab: of a real tiny net, with numbers that are the same on every machine."""

from __future__ import annotations

import math
import struct
from functools import cache

import msgspec
from makers import VARIANTS, random_model

from tinygpt_tui.events.generation import GenerationEvent
from tinygpt_tui.events.tracing import Guess, LensRow, Picture, Traced, TraceStep
from tinygpt_tui.insight.trace import TraceJob
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.tokenizers.char import CharTokenizer

NETS = VARIANTS | {"wide": GPTSettings(vocab_size=13, block_size=32, n_layer=4, n_head=4, n_embd=64)}
LETTERS = "\n abcdefghijk"


@cache
def walk(name: str, text: str, job: int) -> tuple[GenerationEvent, ...]:
    """All events of a walk through a net of the tests' table."""
    events = TraceJob(random_model(NETS[name]), CharTokenizer(LETTERS), text, job=job)
    return tuple(_still(event) if isinstance(event, Traced) else event for event in events)


def _still(event: Traced) -> Traced:
    return Traced(event.job, tuple(map(_step, event.steps)), tuple(map(_lens, event.lens)))


def _step(step: TraceStep) -> TraceStep:
    pictures = tuple(_picture(step, number, picture) for number, picture in enumerate(step.pictures))
    return msgspec.structs.replace(
        step, pictures=pictures, least=-1.0, most=1.0, mean=0.0, spread=0.5, source="net.py:12", code="x = f(x)"
    )


def _picture(step: TraceStep, head: int, picture: Picture) -> Picture:
    numbers: list[float] = []
    for row in range(picture.rows):
        waves = [math.sin(1 + 0.7 * column + row + head + step.number) for column in range(picture.columns)]
        if step.kind == "weights":
            seen = [abs(wave) if column <= row else 0.0 for column, wave in enumerate(waves)]
            waves = [weight / sum(seen) for weight in seen]
        numbers += waves
    return msgspec.structs.replace(picture, values=struct.pack(f"<{len(numbers)}e", *numbers))


def _lens(row: LensRow) -> LensRow:
    guesses = tuple(
        tuple(Guess(LETTERS[(2 + place + rank + row.step) % 13], 0.5 / 2**rank) for rank in range(8))
        for place in range(len(row.guesses))
    )
    return msgspec.structs.replace(row, guesses=guesses)
