"""What can be drawn of a run: its losses in several units, with baselines, and everything else that is measured.

One place for the app, the terminal and the exported picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.style import StyleType

from tinygpt_tui.charts.chart import LossChart
from tinygpt_tui.charts.data import BLUE, GREY, ORANGE, Level, Series
from tinygpt_tui.corpora.floors import Floor
from tinygpt_tui.runs.ghosts import Overlay
from tinygpt_tui.runs.history import RunHistory

Floats = NDArray[np.float64]
# Between these widths a chart puts names in a column at its right, which is too small for long ones.
NAMES_BESIDE, ROOM_FOR_LONG_NAMES = 72, 124
STYLES: dict[str, StyleType] = {"train": BLUE, "validation": ORANGE, "level": GREY, "ghost": GREY}


@dataclass(frozen=True)
class Aspect:
    """One picture of a run. `unit` turns nats per character into what is shown; `measured` is a field of Step instead.

    `per_token`: it differs from another one only where tokens are longer than characters. `of_answers`: it is there
    only where the text is of pairs.
    """

    title: str
    label: str
    unit: Callable[[Floats], Floats] | None = None
    measured: str | None = None
    per_token: bool = False
    of_answers: bool = False

    def is_in(self, history: RunHistory) -> bool:
        """Whether a run has something of its own to show here."""
        return history.has_answers if self.of_answers else not self.per_token or history.characters_per_token != 1.0


ASPECTS: dict[str, Aspect] = {
    "loss": Aspect("loss", "loss, nats per character", unit=lambda nats: nats),
    "token": Aspect("loss per token", "loss, nats per token", unit=lambda nats: nats, per_token=True),
    "bits": Aspect("bits per character", "bits per character", unit=lambda nats: nats / math.log(2)),
    "perplexity": Aspect(
        "perplexity",
        "perplexity, as if choosing among N characters",
        unit=lambda nats: np.exp(np.minimum(nats, 100.0)),
    ),
    "right": Aspect("right answers", "right answers, of 100", of_answers=True),
    "gap": Aspect("generalisation gap", "gap, validation over train"),
    "rate": Aspect("learning rate", "rate", measured="learning_rate"),
    "norm": Aspect("gradient norm", "norm, before clipping", measured="gradient_norm"),
    "speed": Aspect("tokens/s", "tokens/s", measured="tokens_per_s"),
}


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a run's losses are compared to: baselines of its corpus, its true entropy, other runs and published ones.

    All are nats per character.
    """

    floors: Sequence[Floor] = ()
    entropy: float | None = None
    vocab_size: int = 0
    overlays: Sequence[Overlay] = ()


def chart_of(
    history: RunHistory,
    beside: Comparison,
    aspect: Aspect = ASPECTS["loss"],
    styles: Mapping[str, StyleType] = STYLES,
    width: int = ROOM_FOR_LONG_NAMES,
) -> LossChart:
    """Return an aspect of a run as a chart; how it is smoothed, zoomed and titled is the caller's.

    `styles` has one for "train", "validation", "level" and "ghost"; the names must fit into `width` cells.
    """
    label = aspect.label
    if aspect.measured:
        series = [Series(label.split(",")[0], *history.measured(aspect.measured), styles["train"])]
        return LossChart(series, y_label=label)
    if aspect.of_answers:
        found, right = history.right_answers
        answered = Series("right answers", found, 100 * right, styles["validation"], "points")
        return LossChart([answered], [Level("all", 100.0, styles["level"])], y_label=label, empty=NO_ANSWERS)
    if aspect.unit is None:
        gaps = Series("gap", *history.gaps, styles["validation"], "points")
        return LossChart([gaps], [Level("no gap", 0.0, styles["level"])], y_label=label, empty=NO_GAP)
    if not len(history.losses[0]):
        # The loss of the untrained model alone is not a curve.
        return LossChart(y_label=label)
    scale, plain = history.characters_per_token, aspect.unit
    unit = (lambda nats: plain(nats * scale)) if aspect.per_token else plain
    steps, losses = history.losses
    evaluated, validation = history.validation_losses
    series = [
        Series("train", steps, unit(losses), styles["train"]),
        Series("validation", evaluated, unit(validation), styles["validation"], "points"),
        *_ghosts(history, beside.overlays, unit, styles["ghost"]),
    ]
    best, brief = history.best, NAMES_BESIDE <= width < ROOM_FOR_LONG_NAMES
    return LossChart(
        series,
        [
            *_guessing(beside.vocab_size, scale, unit, styles["level"], brief=brief),
            *_levels(beside, unit, styles["level"], end=_end(history), brief=brief),
            *_teacher(history, unit, styles["level"]),
        ],
        best=(float(best[0]), _one(unit, best[1])) if best else None,
        y_label=label,
    )


NO_ANSWERS = "the text has no answers: a task has (--corpus task:reverse)"
NO_GAP = "the gap is known at the second evaluation"


def _ghosts(
    history: RunHistory, overlays: Sequence[Overlay], unit: Callable[[Floats], Floats], style: StyleType
) -> list[Series]:
    """The curves of other runs, up to the end of this one: longer ones would only squeeze it."""
    end = _end(history)
    ghosts = []
    for overlay in overlays:
        steps, losses = np.asarray(overlay.steps, np.float64), np.asarray(overlay.losses, np.float64)
        inside = int(np.searchsorted(steps, end, "right"))
        if inside < len(steps) and inside:
            # It is cut between two points.
            losses = np.append(losses[:inside], np.interp(end, steps, losses))
            steps = np.append(steps[:inside], float(end))
        else:
            steps, losses = steps[:inside], losses[:inside]
        if len(steps):
            ghosts.append(Series(overlay.name, steps, unit(losses), style, "ghost"))
    return ghosts


def _guessing(
    size: int, characters_per_token: float, unit: Callable[[Floats], Floats], style: StyleType, *, brief: bool
) -> list[Level]:
    """The loss of a model that knows nothing: all `size` tokens are equally likely."""
    if size <= 1:
        return []
    name = "guessing" if brief else f"guessing, ln {size}"
    if characters_per_token != 1.0 and not brief:
        name += f" / {characters_per_token:.2f}"
    return [Level(name, _one(unit, math.log(size) / characters_per_token), style)]


def _levels(
    beside: Comparison, unit: Callable[[Floats], Floats], style: StyleType, *, end: int, brief: bool
) -> list[Level]:
    levels = [Level(floor.name, _one(unit, floor.loss), style) for floor in beside.floors if floor.order]
    if beside.entropy is not None:
        levels.append(Level("entropy" if brief else "entropy of the grammar", _one(unit, beside.entropy), style))
    for overlay in beside.overlays:
        levels += [Level(name, _one(unit, loss), style) for name, loss in overlay.levels]
        if len(overlay.steps) and overlay.steps[0] > end:  # its curve begins beyond this run
            levels.append(Level(overlay.name, _one(unit, float(min(overlay.losses))), style))
    return levels


def _teacher(history: RunHistory, unit: Callable[[Floats], Floats], style: StyleType) -> list[Level]:
    """The loss of the model whose probabilities the run learns: what it aims at, and so always seen."""
    known = history.teacher
    return [] if known is None else [Level("teacher", _one(unit, known.validation_loss), style, always=True)]


def _end(history: RunHistory) -> int:
    return max(history.steps, history.step)


def _one(unit: Callable[[Floats], Floats], nats: float) -> float:
    return float(unit(np.array([nats]))[0])
