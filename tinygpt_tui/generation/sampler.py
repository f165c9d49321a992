"""Draws the next token: filters, then one random number."""

from __future__ import annotations

import secrets

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.generation import filters
from tinygpt_tui.settings.sampling import SamplingSettings

SEED_LIMIT = 1 << 32  # a seed that we choose is short enough to be typed again


class Sampler:
    """Has its own random numbers, never the global ones: the same seed draws the same tokens."""

    def __init__(self, settings: SamplingSettings) -> None:
        self._settings = settings
        self.seed = secrets.randbelow(SEED_LIMIT) if settings.seed is None else settings.seed
        self._random = np.random.default_rng(self.seed)

    def draw(self, logits: NDArray[np.float32]) -> int:
        """Return one id, drawn from `logits` (V,) as the settings say.

        Exactly one random number is used for each token, so that two models with the same seed meet the same ones.
        """
        chance = self._random.random()
        settings = self._settings
        if settings.temperature == 0:
            return int(np.argmax(logits))
        left = logits.astype(np.float64)
        # The likeliest at 0: then a temperature near 0 sends the others to -inf, and nothing to inf.
        with np.errstate(over="ignore"):
            left = filters.temperature(left - left.max(), settings.temperature)
        left = filters.top_p(filters.top_k(left, settings.top_k), settings.top_p)
        sums = np.cumsum(np.exp(left - left.max()))
        return int(np.searchsorted(sums, chance * sums[-1], side="right"))
