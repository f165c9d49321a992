"""How the learning rate goes over a run: up, then down; and up again where it was made longer. And when is measured."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from tinygpt_tui.settings.training import Extension, TrainingSettings


def rate_share(step: float, settings: TrainingSettings, extensions: Sequence[Extension] = ()) -> float:
    """Return the share (0, 1] of the peak rate at `step` (from 0); between two steps, where a plan has changed.

    Linear warm-up over `warmup_share` of the steps, then the decay that the settings name, to `final_rate` at the end.

    A run that was made longer is not begun anew, and its rate may have come down to nothing. So it rises, over
    `warmup_share` of the steps that are left, from where it was to where it would be had the run been this long from
    the start, and falls from there. (Re-warming and decaying again: Ibrahim et al. 2024.)
    """
    if not extensions:
        return _plain(step, settings)
    last = extensions[-1]
    before = msgspec.structs.replace(settings, steps=last.steps_before)
    if step < last.at:
        return rate_share(step, before, extensions[:-1])
    rise = max(1, round(settings.warmup_share * (settings.steps - last.at)))
    if step >= last.at + rise:
        return _plain(step, settings)
    low = rate_share(min(last.at, last.steps_before - 1), before, extensions[:-1])
    done = (step - last.at + 1) / (rise + 1)
    return low + (_plain(last.at + rise, settings) - low) * done


def _plain(step: float, settings: TrainingSettings) -> float:
    warmup = max(1, round(settings.warmup_share * settings.steps))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup + 1) / max(1, settings.steps - warmup + 1)  # never quite 1: no step is wasted on rate 0
    if settings.decay == "constant":
        return 1.0
    fall = done if settings.decay == "linear" else (1 - math.cos(math.pi * done)) / 2
    return 1 - (1 - settings.final_rate) * fall


# Where the settings leave it open: evaluations cost a share of the run, but a curve needs points, and each has to mean
# something. The last one reads the whole validation split whatever it costs, those before it what is left to them.
EVALUATION_SHARE = 0.03  # samples take some more, and a forward pass up to a fifth more than is reckoned here
FORWARD_COST = 1 / 4  # of a training step, per token
FEWEST, MOST = 8, 25  # evaluations before the last one
LEAST_TOKENS, USUAL_TOKENS = 4096, 8192  # of each of them
NEARLY_ALL = 0.75  # of the split: then all of it
# The last one's bound: with a tenth of it the mean is known to a hundredth of a nat, and a split of 30 million tokens
# takes longer to read than many runs take to train.
MOST_JUDGED = 1 << 19


def judged_tokens(settings: TrainingSettings, validation_tokens: int) -> int:
    """Return how many tokens the last evaluation reads; about, where it does not read all."""
    return min(validation_tokens, max(MOST_JUDGED, settings.evaluation_tokens))


def evaluation_tokens(settings: TrainingSettings, validation_tokens: int) -> int:
    """Return how many tokens an evaluation before the last one reads; 0: as many as the last one.

    It follows from the settings alone, never from a clock: a run that goes on measures what it has measured before.
    """
    judged = judged_tokens(settings, validation_tokens)
    if settings.evaluation_tokens:
        wanted: float = settings.evaluation_tokens
        return 0 if wanted >= judged else int(wanted)
    left = _affordable(settings, validation_tokens)
    if settings.evaluate_every:
        count: float = math.ceil(settings.steps / settings.evaluate_every)
    else:
        count = min(max(left / USUAL_TOKENS, FEWEST), MOST)
    wanted = max(left / count, LEAST_TOKENS)
    return 0 if wanted >= NEARLY_ALL * judged else int(wanted)


def evaluation_spacing(settings: TrainingSettings, validation_tokens: int, tokens: int) -> int:
    """Return after how many steps an evaluation of so many `tokens` (0: all) comes."""
    if settings.evaluate_every:
        return settings.evaluate_every
    each = tokens or judged_tokens(settings, validation_tokens)
    count = min(max(_affordable(settings, validation_tokens) / each, FEWEST), MOST)
    return max(1, math.ceil(settings.steps / count))


def _affordable(settings: TrainingSettings, validation_tokens: int) -> float:
    """Return how many tokens all evaluations before the last may read together; below zero where it takes too many."""
    trained = settings.steps * settings.batch_size * settings.architecture.training_length
    return EVALUATION_SHARE * trained / FORWARD_COST - judged_tokens(settings, validation_tokens)
