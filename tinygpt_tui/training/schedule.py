"""How the learning rate goes over a run: up, then down."""

from __future__ import annotations

import math

from tinygpt_tui.settings.training import TrainingSettings


def rate_share(step: float, settings: TrainingSettings) -> float:
    """Return the share (0, 1] of the peak rate at `step` (from 0); between two steps, where a plan has changed.

    Linear warm-up over `warmup_share` of the steps, then the decay that the settings name, to `final_rate` at the end.
    """
    warmup = max(1, round(settings.warmup_share * settings.steps))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup + 1) / max(1, settings.steps - warmup + 1)  # never quite 1: no step is wasted on rate 0
    if settings.decay == "constant":
        return 1.0
    fall = done if settings.decay == "linear" else (1 - math.cos(math.pi * done)) / 2
    return 1 - (1 - settings.final_rate) * fall
