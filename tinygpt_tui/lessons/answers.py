"""The right answers, computed from the facts and from the models themselves, by the names that lessons use."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from tinygpt_tui.lessons.checks import between, rate_pair
from tinygpt_tui.lessons.facts import Facts, Inspected, Looked, Model, Trained
from tinygpt_tui.runs.ghosts import GHOSTS

NUMBER = re.compile(r"[-+]?\d[\d.,'\u202f\u00a0 ]*")
HEAD = re.compile(r"(\d+)\D+(\d+)")


def number(facts: Facts, *, value: float) -> float:
    """A number that is the same for everyone."""
    return value


def vocabulary(facts: Facts, *, model: str) -> float | None:
    """How many tokens a model knows."""
    return _of(facts, model, lambda one: one.vocabulary)


def window(facts: Facts, *, model: str) -> float | None:
    """How many tokens a model sees."""
    return _of(facts, model, lambda one: one.window)


def guessing_bits(facts: Facts, *, model: str) -> float | None:
    """The surprise in bits where a model knows nothing."""
    return _of(facts, model, lambda one: math.log2(one.vocabulary))


def loss_bits(facts: Facts, *, model: str) -> float | None:
    """A model's validation loss in bits per token."""
    return _of(facts, model, lambda one: None if one.loss is None else one.loss / math.log(2))


def loss_gap(facts: Facts, *, worse: str, better: str) -> float | None:
    """How many nats one model's validation loss is above another's."""
    high, low = (_of(facts, name, lambda one: one.loss) for name in (worse, better))
    return None if high is None or low is None else high - low


def floor_gap(facts: Facts, *, model: str, order: int) -> float | None:
    """How many nats a model's validation loss is below that of counting runs of `order` letters."""
    return _of(facts, model, lambda one: one.floors[order] - one.loss if one.loss and order in one.floors else None)


def part(facts: Facts, *, model: str, name: str) -> float | None:
    """How many parameters a part of a model has."""
    return _of(facts, model, lambda one: one.parts.get(name))


def times_larger(facts: Facts, *, larger: str, smaller: str) -> float | None:
    """How many times as many parameters one model has as another."""
    many, few = (_of(facts, name, lambda one: one.parameters) for name in (larger, smaller))
    return None if not many or not few else many / few


def published(facts: Facts, *, result: str, level: str) -> float | None:
    """A published loss, as the chart shows it."""
    return dict(GHOSTS[result].overlay.levels).get(level) if result in GHOSTS else None


def letter_bits(facts: Facts) -> float | None:
    """The surprise of the character that the microscope is on, in bits."""
    seen = [one for one in facts.seen if isinstance(one, Looked)]
    return seen[-1].bits if seen else None


def guessed_percent(facts: Facts, *, low: float, high: float) -> float | None:
    """How often the best guess was right, among the characters at which it was this likely, in percent."""
    seen = between(facts, low, high)
    return 100 * sum(one.rank == 1 for one in seen) / len(seen) if seen else None


def tokens_inspected(facts: Facts) -> float | None:
    """How many tokens the text in Inspect has."""
    seen = _inspected(facts)
    return seen[-1].tokens if seen else None


def settled_after(facts: Facts, *, model: str) -> float | None:
    """After which block the best guess for the selected token is the final one; 0 is before block 1."""
    seen = [one for one in _inspected(facts, model) if one.guesses]
    if not seen:
        return None
    guesses = seen[-1].guesses
    other = [at for at, guess in enumerate(guesses) if guess != guesses[-1]]
    return min(other[-1] + 1, len(guesses) - 1) if other else 0


def run_vocabulary(facts: Facts, *, own_text: bool = True) -> float | None:
    """How many tokens the newest run on a text of the user's own knows."""
    return _newest(facts, lambda one: one.vocabulary if one.own_text or not own_text else None)


def first_loss(facts: Facts, *, corpus: str = "", fine_tuned: bool = False) -> float | None:
    """The loss of the newest such run before its first step."""
    return _newest(
        facts,
        lambda one: one.first_loss if corpus in ("", one.corpus) and bool(one.start) == fine_tuned else None,
    )


def overfitting_step(facts: Facts) -> float | None:
    """The step since which the newest run that overfits does so."""
    return _newest(facts, lambda one: one.overfits_from)


def better_rate_loss(facts: Facts, *, factor: float) -> float | None:
    """The loss of the better of two runs that differ in their learning rate."""
    pair = rate_pair(facts, factor)
    return None if pair is None else min(one.best_loss for one in pair if one.best_loss is not None)


def head_looks_back(facts: Facts, *, model: str, within: float = 0.005) -> list[tuple[int, int]]:
    """The heads (layer, head) in which the selected token looks most at the token before it, in the pass shown."""
    seen = [one for one in _inspected(facts, model) if one.back and not one.untrained]
    if not seen:
        return []
    most = max(weight for *_, weight in seen[-1].back)
    return [(layer, head) for layer, head, weight in seen[-1].back if weight >= most - within]


NUMBERS: dict[str, Callable[..., float | None]] = {
    value.__name__: value
    for value in (
        number,
        vocabulary,
        window,
        guessing_bits,
        loss_bits,
        loss_gap,
        floor_gap,
        part,
        times_larger,
        published,
        letter_bits,
        guessed_percent,
        tokens_inspected,
        settled_after,
        run_vocabulary,
        first_loss,
        overfitting_step,
        better_rate_loss,
    )
}
HEADS: dict[str, Callable[..., list[tuple[int, int]]]] = {"head_looks_back": head_looks_back}


def typed_numbers(text: str) -> list[float]:
    """Return what the first number in a typed text may mean: "1,437" is one number in English, another in German.

    >>> typed_numbers("about 1,328,192"), typed_numbers("1,437"), typed_numbers("2,07 bits"), typed_numbers("x")
    ([1328192.0], [1437.0, 1.437], [2.07], [])
    """
    found = NUMBER.search(text)
    if found is None:
        return []
    digits = re.sub(r"['\s]", "", found[0]).rstrip(".,")
    readings = []
    if re.fullmatch(r"[-+]?\d{1,3}([.,]\d{3})+", digits):
        readings.append(float(re.sub("[.,]", "", digits)))
    if re.fullmatch(r"[-+]?\d+([.,]\d+)?", digits):
        readings.append(float(digits.replace(",", ".")))
    return readings


def typed_head(text: str) -> tuple[int, int] | None:
    """Return the layer and head in what was typed: `2.3`, `layer 2 head 3`; None if there are not two numbers."""
    found = HEAD.search(text)
    return None if found is None else (int(found[1]), int(found[2]))


def _of(facts: Facts, name: str, value: Callable[[Model], float | None]) -> float | None:
    model = facts.models.get(name)
    return None if model is None else value(model)


def _inspected(facts: Facts, model: str = "") -> list[Inspected]:
    return [one for one in facts.seen if isinstance(one, Inspected) and (not model or one.model == model)]


def _newest(facts: Facts, value: Callable[[Trained], float | None]) -> float | None:
    found = [measured for one in facts.trained if (measured := value(one)) is not None]
    return found[-1] if found else None
