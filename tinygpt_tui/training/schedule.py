"""The learning rate over a run: warm-up, then decay; a run that was extended warms up again."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from tinygpt_tui.settings.training import Extension, TrainingSettings


def rate_share(step: float, settings: TrainingSettings, extensions: Sequence[Extension] = ()) -> float:
    """Return the share (0, 1] of the peak rate at `step` (from 0); between two steps if a plan has changed.

    Linear warm-up over `warmup_share` of the steps, then the decay that the settings name, to `final_rate` at the end.

    The rate of a run that is extended may have decayed to almost zero. So it rises again, over `warmup_share` of the
    steps that are left, to where it would be had the run been this long from the start, and decays from there.
    (Re-warming and decaying again: Ibrahim et al. 2024.)
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
