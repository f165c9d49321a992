"""How many tokens a model has learned to see, where its positions are computed: beyond them its loss rises."""

from __future__ import annotations

import math

import numpy as np

from tinygpt_tui.foreign.losses import row_losses
from tinygpt_tui.foreign.opening import Inspection, with_answers
from tinygpt_tui.foreign.readings import LONGEST_WINDOW, Build, Fitting, affordable, first_rows, window_is_assumed

STEP = 8  # tokens
STRIDE = 32  # from where one window of the text begins to the next
FEWEST_ROWS = 8
CLEAR, MATTERS = 4.0, 0.05  # standard errors, nats


def with_window(inspection: Inspection, build: Build, chosen: Fitting) -> Inspection:
    """Return it with the window that the loss shows, where one was assumed and the loss rises within it."""
    ids = np.array(chosen.tokenizer.encode(chosen.text.text), dtype=np.int64)
    longest = min(inspection.settings.context_length, LONGEST_WINDOW)
    rows = [ids[at : at + longest + 1] for at in range(0, len(ids) - longest, STRIDE)]
    rows = [row for row in first_rows(rows, affordable(inspection)) if len(row) == longest + 1]
    if not window_is_assumed(inspection) or len(rows) < FEWEST_ROWS:
        return inspection
    losses = row_losses(build(inspection), inspection.settings, rows).reshape(len(rows), longest)
    for size in range(STEP, longest, STEP):
        before, after = losses[:, size - size // 4 : size], losses[:, size : size + size // 4]
        rise = float(after.mean() - before.mean())
        error = math.sqrt(before.var() / before.size + after.var() / after.size)
        if rise > max(MATTERS, CLEAR * error):
            said = f"its loss rises after {size} tokens: {before.mean():.4g}, then {after.mean():.4g}"
            return with_answers(inspection, {"block_size": size}, said)
    return inspection
