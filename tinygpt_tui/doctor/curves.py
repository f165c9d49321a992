"""What a run's curves say about its settings: the start, the rate, memorising."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.corpora.floors import Floor
from tinygpt_tui.doctor.trend import trend_of
from tinygpt_tui.events.training import Finding
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.settings.training import TrainingSettings

Floats = NDArray[np.float64]

INITIAL_LOW, INITIAL_HIGH = 0.9, 1.1  # of ln V
# A training loss is averaged over this many pieces of the run, of at least this many steps, before it is judged.
PIECES, LEAST_STEPS = 50, 10
JUMP_NATS, JUMP_SHARE = 0.3, 0.15
RECOVERED_NATS = 0.05
RATE_FACTOR = 3.0
STUCK_EVALUATIONS, STUCK_SHARE, STUCK_STEPS = 3, 0.03, 100
MEMORISED_SHARE = 0.8  # of the loss of counting letters: a training loss below it, with no better validation
CLIPPED_SHARE = 0.5
STILL_SHARE, STILL_FALLS = 0.1, 0.02
FIRST_DROPOUT, MORE_DROPOUT, MOST_DROPOUT = 0.1, 0.1, 0.4


def curve_findings(
    history: RunHistory, settings: TrainingSettings, floors: Sequence[Floor], start: str = ""
) -> Iterator[Finding]:
    """Yield findings from the events of a run, live or ended; `start` is the model that it started from."""
    yield from _initial_loss(history, settings, start)
    yield from _rate_too_high(history, settings)
    yield from _stuck(history, settings, floors)
    yield from _memorising(history, settings, floors)
    yield from _ended_too_soon(history, settings)


def other_rate(settings: TrainingSettings, factor: float) -> dict[str, str]:
    """Return all rates of a run times `factor`, as the user would type them; 0 still means "as the others"."""
    names = ("learning_rate", "embedding_rate", "head_rate")
    rates = {name: min(1.0, getattr(settings, name) * factor) for name in names}
    return {name: f"{rate:.2g}" for name, rate in rates.items() if rate}


def _initial_loss(history: RunHistory, settings: TrainingSettings, start: str) -> Iterator[Finding]:
    steps, losses = history.validation_losses
    if len(steps) and steps[0] == 0:
        loss = float(losses[0]) * history.characters_per_token  # guessing is among tokens
        yield _known_loss(loss, settings, start) if start else initial_loss(loss, settings)


def _known_loss(loss: float, settings: TrainingSettings, start: str) -> Finding:
    """Judge the first loss of a model that was trained before on another text."""
    guessing = math.log(max(2, settings.architecture.vocab_size))
    if loss < guessing:
        return Finding(
            0, "initial-loss", "fine", f"starting from {start} helps: a loss of {loss:.2f}, guessing has {guessing:.2f}"
        )
    return Finding(
        0,
        "initial-loss",
        "hint",
        f"starting from {start} does not help yet: a loss of {loss:.2f}, guessing has {guessing:.2f}",
        "It was trained on another kind of text. If this does not change soon, random weights may be a better start.",
    )


def initial_loss(loss: float, settings: TrainingSettings) -> Finding:
    """Judge the loss of an untrained model: it should be that of guessing."""
    guessing = math.log(max(2, settings.architecture.vocab_size))
    if loss > guessing * INITIAL_HIGH:
        return Finding(
            0,
            "initial-loss",
            "warning",
            f"the untrained model is worse than guessing: a loss of {loss:.2f} instead of {guessing:.2f}",
            "It is confident without having learned anything: its initial weights are too large, and the first steps "
            "only correct that.",
            {"start": "zero_residual"} if getattr(settings.architecture, "start", "") == "gpt2" else {},
        )
    if loss < guessing * INITIAL_LOW:
        return Finding(
            0,
            "initial-loss",
            "bad",
            f"the untrained model is better than guessing: a loss of {loss:.2f} instead of {guessing:.2f}",
            "That is not possible without training: either these weights were trained before, or the model sees "
            "the token that it should predict.",
        )
    return Finding(0, "initial-loss", "fine", f"the untrained model guesses: {loss:.3f}, ln V is {guessing:.3f}")


def _rate_too_high(history: RunHistory, settings: TrainingSettings) -> Iterator[Finding]:
    calmer = other_rate(settings, 1 / RATE_FACTOR)
    ended = history.ended
    if ended is not None and ended.cause == "diverged":
        yield Finding(
            ended.step,
            "rate",
            "bad",
            f"the loss diverged at step {ended.step:,}",
            "Each step was too large and made the loss worse, the next one even more, until it was not a number. "
            "A smaller learning rate avoids this.",
            calmer,
        )
        return
    steps, means = _pieces(*history.losses)
    if len(means) < 3:
        return
    lowest = np.minimum.accumulate(means)
    rises = means - lowest
    # The first piece is left out: while the rate warms up anything may happen.
    worst = 1 + int(np.argmax(rises[1:]))
    limit = max(JUMP_NATS, JUMP_SHARE * float(lowest[worst]))
    if rises[worst] > limit:
        step, back = int(steps[worst]), bool(means[-1] < lowest[worst] + RECOVERED_NATS)
        yield Finding(
            step,
            "rate",
            "hint" if back else "warning",
            f"the training loss jumped by {rises[worst]:.2f} nats near step {step:,}"
            + (", and recovered" if back else ""),
            "Steps that are too large jump over the minimum. A smaller learning rate avoids this.",
            calmer,
        )
    elif (worse := trend_of(history).worse) is not None:
        yield Finding(
            worse,
            "rate",
            "warning",
            f"no improvement since step {worse:,}, neither in training nor in validation",
            "The steps are too large to lower the loss further. A smaller learning rate helps, or one that decays.",
            calmer,
        )
    else:
        yield Finding(int(steps[-1]), "rate", "fine", "no jumps in the training loss")


def _stuck(history: RunHistory, settings: TrainingSettings, floors: Sequence[Floor]) -> Iterator[Finding]:
    """Yield whether the model has learned more than how frequent each letter is, by the whole curve, not its end.

    A run that was better before has another problem (it overfits, or its rate is too high), and so has one whose
    training loss is far lower: a larger rate would make either worse.
    """
    unigram = next((floor.loss for floor in floors if floor.order == 1), None)
    steps, losses = history.validation_losses
    if unigram is None or len(steps) <= STUCK_EVALUATIONS or steps[-1] < STUCK_STEPS:
        return
    limit = unigram * (1 - STUCK_SHARE)
    if losses[-1] < limit:
        yield Finding(int(steps[-1]), "stuck", "fine", "the model uses the context before a letter")
    elif (
        losses[1:].min() >= limit
        and np.all(losses[-STUCK_EVALUATIONS:] < unigram * (1 + STUCK_SHARE))
        and _train_loss(history) >= limit
    ):
        _, norms = history.measured("gradient_norm")
        recent = norms[-STUCK_STEPS:]
        clipped = settings.gradient_clip > 0 and float((recent > settings.gradient_clip).mean()) > CLIPPED_SHARE
        yield Finding(
            int(steps[-1]),
            "stuck",
            "warning",
            f"the loss is stuck at that of a unigram, which only counts letters ({unigram:.2f})",
            "The model has learned how frequent each letter is, but does not use what comes before it. "
            + (
                "Its gradients are clipped at nearly every step: a smaller learning rate helps."
                if clipped
                else "Its gradients are small: a larger learning rate helps."
            ),
            other_rate(settings, 1 / RATE_FACTOR if clipped else RATE_FACTOR),
        )


def _train_loss(history: RunHistory) -> float:
    """The mean training loss since the last evaluation but one."""
    steps, gaps = history.gaps
    return float(history.comparable_losses[1][-1] - gaps[-1]) if len(steps) else math.inf


def _memorising(history: RunHistory, settings: TrainingSettings, floors: Sequence[Floor]) -> Iterator[Finding]:
    since, text = trend_of(history).overfitting, "training falls, validation rises"
    if since is None and (since := _never_general(history, floors)) is not None:
        text = "training falls, validation never did"
    clockless = {"minutes": "0"} if settings.minutes else {}
    if since is None:
        return
    dropout: float | None = getattr(settings.architecture, "dropout", None)
    if dropout is None:
        return  # a bigram table has none
    more = min(MOST_DROPOUT, dropout + MORE_DROPOUT if dropout else FIRST_DROPOUT)
    yield Finding(
        since,
        "overfitting",
        "warning",
        f"overfitting since step {since:,}: {text}",
        f"The model memorises its training text. The best weights (step {since:,}) are saved, so only time is lost. "
        "Dropout, a smaller model or more text delay overfitting.",
        {"dropout": f"{more:g}"} if more > dropout else {"steps": str(since)} | clockless,
    )


def _never_general(history: RunHistory, floors: Sequence[Floor]) -> int | None:
    """The best step of a run that memorised from the start: validation never got better than counting letters."""
    unigram = next((floor.loss for floor in floors if floor.order == 1), None)
    steps, losses = history.comparable_losses
    if unigram is None or len(steps) <= STUCK_EVALUATIONS:
        return None
    limit = unigram * (1 - STUCK_SHARE)
    if losses[1:].min() < limit or _train_loss(history) > unigram * MEMORISED_SHARE:
        return None
    return int(steps[1 + int(np.argmin(losses[1:]))])


def _ended_too_soon(history: RunHistory, settings: TrainingSettings) -> Iterator[Finding]:
    """Yield whether the run was still improving quickly in its last tenth: more steps would have helped."""
    steps, losses = history.comparable_losses
    if history.ended is None or history.ended.reason != "finished" or len(steps) < 5:
        return
    trend = trend_of(history)
    if trend.overfitting is not None or trend.worse is not None:
        return
    before = float(np.interp(steps[-1] * (1 - STILL_SHARE), steps, losses))
    if before - losses[-1] > STILL_FALLS * before:
        yield Finding(
            int(steps[-1]),
            "short",
            "hint",
            f"the loss was still falling at the end: by {before - losses[-1]:.2f} nats in the last tenth",
            "More steps, with a learning rate that decays over all of them, reach a lower loss.",
            {"minutes": f"{settings.minutes * 2:g}"} if settings.minutes else {"steps": str(settings.steps * 2)},
        )


def _pieces(steps: Floats, losses: Floats) -> tuple[Floats, Floats]:
    """Mean losses of the pieces of a curve (N,), and the step in the middle of each."""
    size = max(LEAST_STEPS, len(steps) // PIECES)
    whole = len(steps) // size * size
    return steps[:whole].reshape(-1, size)[:, size // 2], losses[:whole].reshape(-1, size).mean(axis=1)
