"""Draws the next token: filters, then one random number for each token, whatever the settings and the model are."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.generation import filters
from tinygpt_tui.generation.filters import Logits
from tinygpt_tui.generation.token_mask import TokenMask
from tinygpt_tui.generation.top_filters import LARGE, LargeChoice, narrowed, narrows, pick, pick_rows
from tinygpt_tui.settings.sampling import SamplingSettings

SEED_LIMIT = 1 << 32  # a seed that we choose is short enough to be typed again


def choose_seed() -> int:
    """Return a seed where nobody chose one."""
    return secrets.randbelow(SEED_LIMIT)


class Sampler:
    """Draws for one text, with random numbers of its own, never the global ones: the same seed draws the same.

    Each token uses exactly one random number, so that two models with the same seed meet the same ones.
    """

    def __init__(self, settings: SamplingSettings, mask: TokenMask | None = None) -> None:
        """`mask` is what `settings.banned` and `settings.allowed` come to for a tokenizer."""
        self._settings = settings
        self.seed = choose_seed() if settings.seed is None else settings.seed
        self._random = np.random.default_rng(self.seed).random
        self._greedy = settings.temperature == 0
        self._degrees = max(settings.temperature, filters.COLDEST)
        self._narrows = narrows(settings)
        self._past = _Past(settings, mask, 1) if _looks_back(settings, mask) else None
        self._large: LargeChoice | None = None

    def begin(self, ids: Sequence[int]) -> None:
        """Say what stands in the text already; only the repetition penalty looks at it."""
        if self._past is not None:
            self._past.begin([ids])

    def draw(self, logits: NDArray[np.float32]) -> int:
        """Return one id, drawn from `logits` (V,) as the settings say.

        Raises CheckpointError where they are no numbers, UsageError where no token is left.
        """
        share = self._random()
        raw: NDArray[np.float32] | Logits = logits if self._past is None else self._past.look_back(logits)
        likeliest = raw.argmax()  # the first NaN, where there is one
        top = raw.item(likeliest)
        if not -np.inf < top < np.inf:
            raise _no_choice(top)
        if self._greedy:
            id = int(likeliest)
        else:
            # The likeliest at 0: then a temperature near 0 sends the others far down, and nothing to infinity.
            left = np.subtract(raw, top, dtype=np.float64)
            left /= self._degrees
            if len(left) > LARGE:
                self._large = self._large or LargeChoice(self._settings, len(left))
                id = self._large.choose(left, share)
            else:
                weights = np.exp(left, out=left)
                id = pick(narrowed(weights, self._settings) if self._narrows else weights, share)
        if self._past is not None:
            self._past.add([id])
        return id


class RowsSampler:
    """Draws for several texts at once: text i of seed s gets exactly what a Sampler with seed s + i would draw."""

    def __init__(self, settings: SamplingSettings, texts: int, mask: TokenMask | None = None) -> None:
        """`mask` as for a Sampler; where no seed was chosen, `seeds` begin with one of ours."""
        self._settings = settings
        first = choose_seed() if settings.seed is None else settings.seed
        self.seeds = [first + i for i in range(texts)]
        self._randoms = [np.random.default_rng(seed).random for seed in self.seeds]
        self._degrees = max(settings.temperature, filters.COLDEST)
        self._narrows = narrows(settings)
        self._past = _Past(settings, mask, texts) if _looks_back(settings, mask) else None
        self._large: LargeChoice | None = None

    def begin(self, texts: Sequence[Sequence[int]]) -> None:
        """Say what stands in each text already; only the repetition penalty looks at it."""
        if self._past is not None:
            self._past.begin(texts)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these texts alone, by their places now, in order: the others have ended."""
        self.seeds = [self.seeds[row] for row in rows]
        self._randoms = [self._randoms[row] for row in rows]
        if self._past is not None:
            self._past.keep(rows)

    def draw_rows(self, logits: NDArray[np.float32]) -> list[int]:
        """Return one id for each row of `logits` (B, V), B texts. Raises what Sampler.draw raises."""
        shares = np.array([random() for random in self._randoms])
        raw: NDArray[np.float32] | Logits = logits if self._past is None else self._past.look_back(logits)
        likeliest = raw.argmax(axis=-1)
        tops = raw[np.arange(len(raw)), likeliest]
        if not np.isfinite(tops).all():
            raise _no_choice(float(tops[~np.isfinite(tops)][0]))
        ids: list[int] = likeliest.tolist()
        if self._settings.temperature != 0:
            left = np.subtract(raw, tops[:, None], dtype=np.float64)
            left /= self._degrees
            ids = self._choose(left, shares)
        if self._past is not None:
            self._past.add(ids)
        return ids

    def _choose(self, left: Logits, shares: NDArray[np.float64]) -> list[int]:
        size = left.shape[-1]
        if size > LARGE:
            choice = self._large = self._large or LargeChoice(self._settings, size)
            return [choice.choose(row, share) for row, share in zip(left, shares.tolist(), strict=True)]
        weights = np.exp(left, out=left)
        return pick_rows(narrowed(weights, self._settings) if self._narrows else weights, shares)


class _Past:
    """What stands in some texts, and so bars what comes next, or makes it less likely."""

    def __init__(self, settings: SamplingSettings, mask: TokenMask | None, texts: int) -> None:
        self._penalty, self._mask = settings.repetition_penalty, mask
        self._began: Sequence[Sequence[int]] = [()] * texts
        self._seen: NDArray[np.bool_] | None = None  # (B, V), made when V is known
        self._ids: NDArray[np.intp] | None = None  # of what was seen
        self._waiting = [b""] * texts  # the bytes of an unfinished character, for each

    def begin(self, texts: Sequence[Sequence[int]]) -> None:
        self._began, self._seen = texts, None
        self._waiting = [b""] * len(texts)

    def keep(self, rows: Sequence[int]) -> None:
        self._began = [self._began[row] for row in rows]
        self._seen, self._ids = None if self._seen is None else self._seen[list(rows)], None
        self._waiting = [self._waiting[row] for row in rows]

    def look_back(self, logits: NDArray[np.float32]) -> Logits:
        """Return what is left of `logits`, (V,) of one text or (B, V)."""
        left = logits.astype(np.float64)
        if self._mask is not None:
            masks = [self._mask.mask(waiting) for waiting in self._waiting]
            left = filters.bar(left, np.stack(masks) if left.ndim > 1 else masks[0])
        if self._penalty != 1:
            ids = self._seen_ids(left.shape[-1])
            if left.ndim == 1:
                return filters.repetition_penalty(left, ids, self._penalty)
            # The rows one behind the other are one long row.
            left = filters.repetition_penalty(left.ravel(), ids, self._penalty).reshape(left.shape)
        return left

    def add(self, ids: Sequence[int]) -> None:
        if self._seen is not None:
            for row, id in enumerate(ids):
                if not self._seen[row, id]:
                    self._seen[row, id] = True
                    self._ids = None
        if self._mask is not None:
            after = self._mask.after
            self._waiting = [after(waiting, id) for waiting, id in zip(self._waiting, ids, strict=True)]

    def _seen_ids(self, size: int) -> NDArray[np.intp]:
        """Return the places of what was seen, in all rows as one: found again only where something new was seen."""
        if self._seen is None:
            self._seen, self._ids = np.zeros((len(self._began), size), dtype=np.bool_), None
            for row, ids in enumerate(self._began):
                self._seen[row, list(ids)] = True
        if self._ids is None:
            self._ids = np.flatnonzero(self._seen)
        return self._ids


def _looks_back(settings: SamplingSettings, mask: TokenMask | None) -> bool:
    return mask is not None or settings.repetition_penalty != 1


def _no_choice(top: float) -> CheckpointError | UsageError:
    if top == -np.inf:
        return UsageError("no token is left to choose from", "ban fewer characters, or allow more")
    return CheckpointError(
        f"the model answers with {top} instead of numbers", "its weights are damaged, or its training ran away"
    )
