"""How often a run is evaluated, and on how much of the validation split; no torch.

What the settings leave open follows from a budget: evaluations may cost a share of the run, but a curve needs points,
and each point must mean something. The final evaluation reads the whole split at any cost; interim evaluations share
what is left of the budget.
"""

from __future__ import annotations

import math

from tinygpt_tui.settings.training import TrainingSettings

EVALUATION_SHARE = 0.03  # of the run; samples, and a slower forward pass, may cost up to a fifth more
FORWARD_COST = 1 / 4  # of a training step, per token
FEWEST, MOST = 8, 25  # interim evaluations
LEAST_TOKENS, USUAL_TOKENS = 4096, 8192  # read by each of them
NEARLY_ALL = 0.75  # of the split: from here on an interim evaluation reads all of it
# Limit of the final one: a tenth of it already gives the mean to a hundredth of a nat, and a split of 30 million tokens
# takes longer to read than many runs take to train.
MOST_JUDGED = 1 << 19


def judged_tokens(settings: TrainingSettings, validation_tokens: int) -> int:
    """Return how many tokens the final evaluation reads: all, or about this many."""
    return min(validation_tokens, max(MOST_JUDGED, settings.evaluation_tokens))


def evaluation_tokens(settings: TrainingSettings, validation_tokens: int) -> int:
    """Return how many tokens an interim evaluation reads; 0: as many as the final one.

    It depends on the settings alone, never on a clock: a resumed run measures the same tokens as before.
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
    """Return the number of steps between evaluations of `tokens` tokens each (0: all)."""
    if settings.evaluate_every:
        return settings.evaluate_every
    each = tokens or judged_tokens(settings, validation_tokens)
    count = min(max(_affordable(settings, validation_tokens) / each, FEWEST), MOST)
    return max(1, math.ceil(settings.steps / count))


def _affordable(settings: TrainingSettings, validation_tokens: int) -> float:
    """Return how many tokens all interim evaluations may read together; negative if none are left."""
    trained = settings.steps * settings.batch_size * settings.architecture.training_length
    return EVALUATION_SHARE * trained / FORWARD_COST - judged_tokens(settings, validation_tokens)
