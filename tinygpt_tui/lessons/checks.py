"""What counts as done: pure functions over the facts, by the names that lessons use. Each returns whether it is so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tinygpt_tui.lessons.facts import Coloured, Facts, Inspected, Looked, Raced, RunViewed, Trained

LEAST_LOOP = 40  # characters that must repeat
SAME_RATE = 1e-9


def wrote_unknown(facts: Facts, *, model: str = "", prompt: str = "") -> bool:
    """A prompt had a character that its model does not know."""
    return any(one.unknown and _is(one.model, model) and _is(one.prompt.strip(), prompt) for one in facts.wrote)


def wrote_with(
    facts: Facts,
    *,
    model: str = "",
    least_temperature: float = 0.0,
    most_temperature: float = 100.0,
    least_top_p: float = 0.0,
    most_top_p: float = 1.0,
    tokens: int = 1,
) -> bool:
    """A trained model wrote a text with these sampling settings."""
    return any(
        not one.untrained
        and least_temperature <= one.temperature <= most_temperature
        and least_top_p <= one.top_p <= most_top_p
        and one.tokens >= tokens
        and _is(one.model, model)
        for one in facts.wrote
    )


def wrote_untrained(facts: Facts, *, model: str = "", tokens: int = 50) -> bool:
    """An untrained copy of a model wrote a text."""
    return any(one.untrained and one.tokens >= tokens and _is(one.model, model) for one in facts.wrote)


def wrote_past_window(facts: Facts, *, model: str = "", prompt: str = "") -> bool:
    """A text has grown longer than what its model sees."""
    return any(
        0 < one.window < len(one.text) and one.tokens and _is(one.model, model) and _is(one.prompt.strip(), prompt)
        for one in facts.wrote
    )


def text_loops(facts: Facts, *, model: str = "", temperature: float = 0.0) -> bool:
    """A text that a trained model wrote at most at this temperature repeats itself."""
    return any(
        not one.untrained
        and one.temperature <= temperature
        and one.tokens
        and _is(one.model, model)
        and loop_length(one.text)
        for one in facts.wrote
    )


def looked_surprised(facts: Facts, *, bits: float) -> bool:
    """The microscope was on a character of at least that much surprise."""
    return any(round(one.bits, 1) >= bits for one in _looked(facts))  # as the microscope shows it: 3.99 is 4.0


def looked_sure_and_wrong(facts: Facts, *, probability: float) -> bool:
    """The microscope was on a character although the model gave another one at least this probability."""
    return any(one.rank > 1 and one.top >= probability for one in _looked(facts))


def looked_untrained(facts: Facts, *, model: str = "", count: int = 1) -> bool:
    """The microscope was on `count` characters that an untrained copy wrote, with it in use."""
    return len({one.offset for one in _looked(facts) if one.untrained and _is(one.model, model)}) >= count


def looked_between(facts: Facts, *, low: float, high: float, count: int) -> bool:
    """The microscope was on `count` characters at which the best guess had a probability between these."""
    return len(between(facts, low, high)) >= count


def counted(facts: Facts, check: str, arguments: Mapping[str, Any]) -> str:
    """Return how much of what a check counts was done, `7/10`; empty if nothing was, or it counts nothing."""
    if check != looked_between.__name__:
        return ""
    seen = len(between(facts, arguments["low"], arguments["high"]))
    return f"{seen}/{arguments['count']}" if seen else ""


def coloured(facts: Facts, *, characters: int = 100) -> bool:
    """A text of this length was coloured by surprise."""
    return any(isinstance(one, Coloured) and not one.old and one.characters >= characters for one in facts.seen)


def inspected(facts: Facts, *, view: str, model: str = "", tokens: int = 1, trained: bool = True) -> bool:
    """A view of Inspect showed a pass over that many tokens."""
    return any(
        isinstance(one, Inspected)
        and one.view == view
        and one.tokens >= tokens
        and not (trained and one.untrained)
        and _is(one.model, model)
        for one in facts.seen
    )


def run_viewed(facts: Facts, *, run: str = "", pane: str = "chart", curves: str = "", yardsticks: bool = False) -> bool:
    """A run was shown on the Train tab."""
    return any(
        isinstance(one, RunViewed)
        and one.pane == pane
        and _is(one.run, run)
        and _is(one.curves, curves)
        and (one.yardsticks or not yardsticks)
        for one in facts.seen
    )


def compared_with(facts: Facts, *, result: str, run: str = "") -> bool:
    """A published result was drawn behind a run's curves."""
    return any(isinstance(one, RunViewed) and result in one.overlays and _is(one.run, run) for one in facts.seen)


def raced(facts: Facts, *, models: list[str]) -> bool:
    """These models ran in one race."""
    return any(isinstance(one, Raced) and set(models) <= set(one.models) for one in facts.seen)


def trained(
    facts: Facts,
    *,
    corpus: str = "",
    own_text: bool = False,
    characters: int = 0,
    fine_tuned: bool = False,
    better_than: int = 0,
    steps: int = 1,
) -> bool:
    """One of the user's runs has ended and is better than counting runs of `better_than` letters (0: anything)."""
    return any(
        _is(one.corpus, corpus)
        and (one.own_text or not own_text)
        and one.characters >= characters
        and (one.start or not fine_tuned)
        and one.steps >= steps
        and one.best_loss is not None
        and (not better_than or one.best_loss < one.floors.get(better_than, 0.0))
        for one in facts.trained
    )


def trained_below(facts: Facts, *, loss: float, seconds: float, corpus: str = "") -> bool:
    """One of the user's runs has reached a loss within `seconds` of training."""
    return any(
        one.best_loss is not None and one.best_loss < loss and one.seconds <= seconds and _is(one.corpus, corpus)
        for one in facts.trained
    )


def overfitted(facts: Facts) -> bool:
    """One of the user's runs overfits."""
    return any(one.overfits_from is not None for one in facts.trained)


def two_rates(facts: Facts, *, factor: float) -> bool:
    """Two runs on the same text differ this much in their learning rate, and in nothing else."""
    return rate_pair(facts, factor) is not None


CHECKS: dict[str, Callable[..., bool]] = {
    check.__name__: check
    for check in (
        wrote_unknown,
        wrote_with,
        wrote_untrained,
        wrote_past_window,
        text_loops,
        looked_surprised,
        looked_sure_and_wrong,
        looked_untrained,
        looked_between,
        coloured,
        inspected,
        run_viewed,
        compared_with,
        raced,
        trained,
        trained_below,
        overfitted,
        two_rates,
    )
}


def loop_length(text: str) -> int:
    """Return after how many characters the end of a text repeats, at least twice in all; 0 where it does not.

    >>> loop_length("to be " * 10), loop_length("to be or not to be, that is the question"), loop_length("a" * 50)
    (6, 0, 1)
    """
    for length in range(1, len(text) // 2 + 1):
        span = max(2 * length, LEAST_LOOP)
        if span <= len(text) and text[-span : len(text) - length] == text[-span + length :]:
            return length
    return 0


def between(facts: Facts, low: float, high: float) -> list[Looked]:
    """Return the characters that the microscope was on at which the best guess was this likely, each once.

    Probabilities are as they are shown. One at the same place of another text is another character.
    """
    looked = [(one, round(one.top, 3)) for one in _looked(facts)]
    found = {(one.offset, one.text, one.rank, top): one for one, top in looked if low <= top <= high}
    return list(found.values())


def rate_pair(facts: Facts, factor: float) -> tuple[Trained, Trained] | None:
    """Return the newest two runs that differ in their learning rate by `factor`, the slower one first."""
    for late in reversed(facts.trained):
        for early in reversed(facts.trained):
            slow, fast = sorted((early, late), key=lambda one: one.learning_rate)
            alike = (early.corpus, early.recipe, early.start) == (late.corpus, late.recipe, late.start)
            measured = slow.best_loss is not None and fast.best_loss is not None
            if alike and measured and fast.learning_rate >= slow.learning_rate * factor * (1 - SAME_RATE):
                return slow, fast
    return None


def _looked(facts: Facts) -> Iterator[Looked]:
    return (one for one in facts.seen if isinstance(one, Looked) and not one.old)


def _is(value: str, expected: str) -> bool:
    return not expected or value == expected
