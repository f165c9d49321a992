"""Draws the next token: filters, then exactly one random number for each token, whatever settings and model are."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError, TinyGPTError, UsageError
from tinygpt_tui.generation import filters
from tinygpt_tui.generation.filters import Logits
from tinygpt_tui.generation.token_mask import TokenMask
from tinygpt_tui.generation.top_filters import LARGE, LargeChoice, TopFilters, pick, pick_rows
from tinygpt_tui.settings.sampling import SamplingSettings

SEED_LIMIT = 1 << 32  # a seed that we choose is short enough to be typed again


def choose_seed() -> int:
    """Return a seed if the user chose none."""
    return secrets.randbelow(SEED_LIMIT)


class Sampler:
    """Draws for one text with random numbers of its own, never the global ones: the same seed draws the same.

    As each token uses exactly one, two models with the same seed get the same numbers.
    """

    def __init__(self, settings: SamplingSettings, mask: TokenMask | None = None) -> None:
        """`mask` is the TokenMask of `settings.banned` and `settings.allowed`; None if both are empty."""
        self.seed = choose_seed() if settings.seed is None else settings.seed
        self.random = np.random.default_rng(self.seed).random
        looks_back = mask is not None or settings.repetition_penalty != 1
        self.past = _Past(settings.repetition_penalty, mask) if looks_back else None
        self.change(settings)
        self.rule = (self.temperature, settings.repetition_penalty, id(self.top), id(mask))  # equal: may draw together

    def change(self, settings: SamplingSettings) -> None:
        """Draw by the temperature and the top filters of other settings; the random numbers continue."""
        self.top = TopFilters.of(settings)
        # 0: greedy, which draws nothing.
        self.temperature = max(settings.temperature, filters.COLDEST) if settings.temperature else 0.0
        self._large: LargeChoice | None = None

    def begin(self, ids: Sequence[int]) -> None:
        """Set the ids that are already in the text, for the repetition penalty."""
        if self.past is not None:
            self.past.begin(ids)

    def draw(self, logits: NDArray[np.float32]) -> int:
        """Return one id, drawn from logits (V,) by the settings.

        Raises CheckpointError if they are not numbers, UsageError if no token is left.
        """
        share = self.random()
        raw: NDArray[np.float32] | Logits = logits if self.past is None else _Past.apply([self.past], logits[None])[0]
        most_likely = raw.argmax()  # the first NaN, if there is one
        top = raw.item(most_likely)
        if not -np.inf < top < np.inf:
            raise _no_choice(top)
        id = int(most_likely)
        if self.temperature:
            # The most likely at 0: then a temperature near 0 sends the others far down, and nothing to infinity.
            left = np.subtract(raw, top, dtype=np.float64)
            left /= self.temperature
            id = self._choose(left, share)
        if self.past is not None:
            self.past.add(id)
        return id

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability (V,) with which `draw` takes each id from logits (V,); it draws nothing itself.

        Raises what `draw` raises.
        """
        raw: NDArray[np.float32] | Logits = logits if self.past is None else _Past.apply([self.past], logits[None])[0]
        most_likely = raw.argmax()
        top = raw.item(most_likely)
        if not -np.inf < top < np.inf:
            raise _no_choice(top)
        if not self.temperature:
            weights = np.zeros(len(raw))
            weights[most_likely] = 1.0
            return weights
        weights = self.top.apply(np.exp(np.subtract(raw, top, dtype=np.float64) / self.temperature))
        chances: NDArray[np.float64] = weights / weights.sum()
        return chances

    def _choose(self, left: Logits, share: float) -> int:
        if len(left) > LARGE:
            self._large = self._large or LargeChoice(self.top, len(left))
            return self._large.choose(left, share)
        weights = np.exp(left, out=left)
        return pick(self.top.apply(weights), share)


def draw_each(samplers: Sequence[Sampler], logits: NDArray[np.float32]) -> Sequence[int | TinyGPTError]:
    """Return what each sampler draws from its row of logits (B, V), or the error that it raises.

    Samplers with the same settings draw together, in a fraction of the time if the vocabulary is small.
    """
    alike = len({sampler.rule for sampler in samplers}) == 1
    if alike and len(samplers) > 1 and logits.shape[-1] <= LARGE:
        pasts = [sampler.past for sampler in samplers if sampler.past is not None]
        raw: NDArray[np.float32] | Logits = _Past.apply(pasts, logits) if pasts else logits
        most_likely = raw.argmax(axis=-1)
        tops = raw[np.arange(len(raw)), most_likely]
        if np.isfinite(tops).all():
            ids: list[int] = most_likely.tolist()
            numbers = np.array([sampler.random() for sampler in samplers])
            if samplers[0].temperature:
                left = np.subtract(raw, tops[:, None], dtype=np.float64)
                left /= samplers[0].temperature
                ids = pick_rows(samplers[0].top.apply(np.exp(left, out=left)), numbers)
            for past, id in zip(pasts, ids, strict=False):
                past.add(id)
            return ids
    return [_drawn(sampler, row) for sampler, row in zip(samplers, logits, strict=True)]


def _drawn(sampler: Sampler, logits: NDArray[np.float32]) -> int | TinyGPTError:
    try:
        return sampler.draw(logits)
    except TinyGPTError as error:
        return error


class _Past:
    """What is in a text so far, as far as it rules tokens out or makes them less likely."""

    def __init__(self, penalty: float, mask: TokenMask | None) -> None:
        self._penalty, self._mask = penalty, mask
        self._began: Sequence[int] = ()
        self._seen: NDArray[np.bool_] | None = None  # (V,), made when V is known
        self._waiting = b""  # the bytes of an unfinished character

    def begin(self, ids: Sequence[int]) -> None:
        self._began, self._seen, self._waiting = ids, None, b""

    @staticmethod
    def apply(pasts: Sequence[_Past], logits: NDArray[np.float32]) -> Logits:
        """Return logits (B, V) with mask and penalty applied; all of `pasts` have the same ones."""
        left, mask, penalty = logits.astype(np.float64), pasts[0]._mask, pasts[0]._penalty
        if mask is not None:
            left = filters.mask_out(left, np.array([mask.mask(past._waiting) for past in pasts]))
        if penalty != 1:
            # The rows one behind the other are one long row.
            seen = [past._seen_among(logits.shape[-1]) for past in pasts]
            ids = np.flatnonzero(seen[0] if len(seen) == 1 else np.concatenate(seen))
            left = filters.repetition_penalty(left.ravel(), ids, penalty).reshape(left.shape)
        return left

    def add(self, id: int) -> None:
        if self._seen is not None:
            self._seen[id] = True
        if self._mask is not None:
            self._waiting = self._mask.after(self._waiting, id)

    def _seen_among(self, size: int) -> NDArray[np.bool_]:
        if self._seen is None:
            self._seen = np.zeros(size, dtype=np.bool_)
            self._seen[list(self._began)] = True
        return self._seen


def _no_choice(top: float) -> CheckpointError | UsageError:
    if top == -np.inf:
        return UsageError("no token is left to choose from", "ban fewer characters, or allow more")
    return CheckpointError(
        f"the model answers with {top} instead of numbers", "its weights are damaged, or its training ran away"
    )
