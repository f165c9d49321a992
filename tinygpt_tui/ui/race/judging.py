"""What the models of a race think of each other's texts: their surprise, in bits a character. No Textual here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tinygpt_tui.events.generation import Explained
from tinygpt_tui.events.requests import Explain
from tinygpt_tui.runs.facts import reached
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.ui.race.lanes import Contender, Lane
from tinygpt_tui.words import right_words

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Engine


class Judgement(NamedTuple):
    """How surprised the model of pane `number` is by its own text and by the others', in bits a character."""

    number: int
    own: float
    others: float

    def __str__(self) -> str:
        return f"{self.number} own {self.own:.1f}, others {self.others:.1f}"


async def judge(engine: Engine, prompt: str, lanes: Sequence[Lane]) -> list[Judgement]:
    """Have each model read all texts; fewer than two texts, or one that cannot be read, are not judged."""
    written = {number: lane for number, lane in enumerate(lanes, 1) if lane.text and lane.asked is not None}
    judgements = []
    for number, lane in written.items():
        assert lane.asked is not None
        read = {other: await _surprise(engine, lane.asked, prompt, text.text) for other, text in written.items()}
        others = [bits for other, bits in read.items() if other != number and bits is not None]
        own = read[number]
        if own is not None and others:
            judgements.append(Judgement(number, own, sum(others) / len(others)))
    return judgements


def sentence(judgements: Sequence[Judgement]) -> str:
    """Return the judgements in a line; empty if there are none."""
    return f"surprise, bits a character: {' · '.join(map(str, judgements))}" if judgements else ""


def right_answers(lanes: Sequence[Lane]) -> str:
    """Return how often each model was right at the end of its run, where its text is of pairs; reads the disk.

    Empty if no model learned pairs.
    """
    answers = [
        f"{number} {right_words(right)}"
        for number, lane in enumerate(lanes, 1)
        if lane.asked is not None and not lane.asked.untrained
        if (right := reached(RunFolder(Path(lane.asked.model)).events).right) is not None
    ]
    return f"answers in the validation split: {' · '.join(answers)}" if answers else ""


async def _surprise(engine: Engine, model: Contender, prompt: str, text: str) -> float | None:
    """Return the mean surprise of a model at `text` after `prompt`, in bits a character; None if it knows none."""
    request = Explain(
        model=model.model,
        text=prompt + text,
        start=len(prompt),
        end=len(prompt) + len(text),
        sampling=model.sampling,
        untrained=model.untrained,
    )
    bits, characters = 0.0, 0
    async for batch in engine.start(request):
        for event in batch:
            for token in event.tokens if isinstance(event, Explained) else ():
                if token.chance is not None:
                    bits -= math.log2(max(token.chance.probability, 1e-30))
                    characters += token.end - token.start
    return bits / characters if characters else None
