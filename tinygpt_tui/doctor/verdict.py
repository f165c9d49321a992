"""The state of a run as one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tinygpt_tui.corpora.floors import Floor
from tinygpt_tui.doctor.trend import Trend, trend_of
from tinygpt_tui.runs.history import RunHistory

# Two losses that differ by less, in nats, are the same for this purpose.
SAME = 0.005
NEAR_ENTROPY = 1.05
COUNTING = {1: "counting {units}", 2: "a bigram", 3: "a trigram", 5: "a 5-gram"}


@dataclass(frozen=True)
class Verdict:
    """A sentence without its full stop, and whether it is good news."""

    text: str
    mood: Literal["none", "good", "bad"] = "none"


def verdict_of(
    history: RunHistory, floors: Sequence[Floor], entropy: float | None = None, units: str = "letters"
) -> Verdict:
    """Return what the curves mean, and after a run from a model what it did to the loss on that model's text.

    `units` names what is counted; without `floors` there is less to say.
    """
    found = _of_curves(history, floors, entropy, units)
    words = history.old_text_words
    return replace(found, text="; ".join(filter(None, (found.text, words and f"before and after: {words}"))))


def _of_curves(history: RunHistory, floors: Sequence[Floor], entropy: float | None, units: str) -> Verdict:
    evaluation = history.last_evaluation
    if evaluation is None or history.step == 0 or not len(history.gaps[0]):
        return Verdict("")
    trend = trend_of(history)
    loss = evaluation.validation_loss
    if trend.overfitting is not None:
        saved = f"the best weights (step {trend.overfitting:,}) are saved"
        return Verdict(
            f"overfitting since step {trend.overfitting:,}: training falls, validation rises; {saved}", "bad"
        )
    rank = _rank(loss, floors, entropy, units, live=history.ended is None)
    return Verdict(
        f"{rank.text}{_progress(history, trend, bool(rank.text))}", rank.mood if trend.worse is None else "bad"
    )


def _rank(loss: float, floors: Sequence[Floor], entropy: float | None, units: str, *, live: bool) -> Verdict:
    now = "now " if live else ""
    if entropy and loss < entropy * NEAR_ENTROPY:
        return Verdict(f"{now}within {max(0.0, loss / entropy - 1):.0%} of the entropy: no model can do better", "good")
    ladder = [floor for floor in floors if floor.order in COUNTING]
    if not ladder:
        guessing = next((floor.loss for floor in floors), None)
        if guessing is None:
            return Verdict("")
        return Verdict("has learned nothing yet: no better than guessing" if loss > guessing - SAME else "")
    names = {floor: COUNTING[floor.order].format(units=units) for floor in ladder}
    for floor in ladder:
        if abs(loss - floor.loss) <= SAME:
            return Verdict(f"{now}as good as {names[floor]}")
    beaten = [floor for floor in ladder if loss < floor.loss]
    if not beaten:
        return Verdict(f"has learned nothing yet: still worse than {names[ladder[0]]}")
    if len(beaten) == len(ladder):
        return Verdict(f"{now}better than {names[beaten[-1]]}, by {beaten[-1].loss - loss:.2f} nats", "good")
    return Verdict(f"{now}better than {names[beaten[-1]]}, not yet than {names[ladder[len(beaten)]]}")


def _progress(history: RunHistory, trend: Trend, after: bool) -> str:
    """Return how the loss develops, to follow the rank."""
    start = "; " if after else ""
    if trend.worse is not None:
        saved = f"the best weights (step {trend.worse:,}) are saved"
        return f"{start}worse since step {trend.worse:,}, but training does not fall either; {saved}"
    if trend.level is not None and (long := history.step - trend.level) > 0:
        return f"{start}level: hardly better in the last {long:,} steps"
    return ""
