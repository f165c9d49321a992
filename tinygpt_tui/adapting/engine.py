"""An Engine that adapts to the text that it reads: each token is predicted first, and learned from after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.adapting.cache import NgramCache
from tinygpt_tui.adapting.learner import Learner
from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.settings.windows import Policy

SUM_WITHIN = 1e-6  # of 1: the sum of the probabilities at each step


@dataclass(frozen=True)
class _Net:
    """A copy of a model, which learns block by block, and what predicts with it token by token."""

    learner: Learner
    engine: TorchEngine


class AdaptiveEngine:
    """An Engine whose logits are log-probabilities: those of a learning copy of the model, mixed with an n-gram cache.

    It learns from what `prefill` reads, and not from what `step` adds until that is read, too: a model that learns from
    its own samples soon writes in loops. With `steps_are_read` it does learn from that: each token is then one of a
    text that exists. What it has learned is a function of the text that it read, in however many parts, except for
    rounding. `ids` are the tokens of it, `losses` what each cost when it was predicted, in nats (the first one: 0).
    """

    window: Policy

    def __init__(
        self,
        model: LanguageModel,
        counted: Sequence[int] = (),
        *,
        others: Sequence[LanguageModel] = (),
        letters: Sequence[int] = (),
        steps_are_read: bool = False,
    ) -> None:
        """`counted` are the ids of another text, such as the model was trained on, for the n-gram cache to start from.

        It is counted again each time that another text begins. `others` are models of the same vocabulary, whose copies
        learn, too, and are mixed with the first one; the text is then read at the pace of the shortest window.
        `letters` (V,) are those of the tokens, as `letters_of` returns them, for the cache.
        """
        self._counted, self._letters, self._steps_are_read = counted, letters, steps_are_read
        learners = [Learner(each) for each in (model, *others)]
        self.window = "rolling" if all(each.settings.supports_sliding for each in (model, *others)) else "exact"
        self._nets = [_Net(learner, TorchEngine(learner.model, self.window)) for learner in learners]
        self.block = min(learner.block for learner in learners)  # tokens that a gradient step learns from
        self._context = min(learner.context for learner in learners)
        self._vocab_size = model.vocab_size
        self.in_use = False  # by a job
        self._reset()

    def _reset(self) -> None:
        for net in self._nets:
            net.learner.reset()
        self._cache = NgramCache(self._vocab_size, len(self._nets), self._letters)
        self._cache.count(self._counted)
        self.ids: list[int] = []
        self.losses: list[float] = []
        self._text: list[int] = []  # `ids`, and what was added and not read
        self._mixed = np.empty(0)  # the last log-probabilities (V,)
        self._at = 1  # the first token that no gradient step has learned from; nothing predicts the first of all
        self.largest_error = 0.0  # of the sum of the probabilities

    @property
    def model(self) -> LanguageModel:
        """The copy."""
        return self._nets[0].learner.model

    def weights(self) -> dict[str, NDArray[np.float32]]:
        return {name: tensor.cpu().numpy().copy() for name, tensor in self.model.state_dict().items()}

    @property
    def steps(self) -> int:
        """How many gradient steps it has taken."""
        return self._nets[0].learner.steps

    @property
    def context_used(self) -> int:
        """How many tokens the last logits were computed from."""
        return self._nets[0].engine.context_used

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Read `ids` (at least one) and return the logits (V,) after them; of a longer text than before, the rest.

        Raises UsageError for an unknown id or none, CheckpointError where the learning runs away.
        """
        for _ in self.reading(ids):
            pass
        return self._predicted_after_block().astype(np.float32)

    def reading(self, ids: Sequence[int]) -> Iterator[int]:
        """Read `ids` as `prefill` does, a block at a time; yield how many of them are read."""
        if not len(ids):
            raise UsageError("a text begins with at least one token")
        if (strange := next((id for id in ids if not 0 <= id < self._vocab_size), None)) is not None:
            raise self._unknown(strange)
        if list(ids[: len(self.ids)]) != self.ids:
            self._reset()
        if not self.ids:
            self.ids.append(ids[0])
            self.losses.append(0.0)
        while len(self.ids) < len(ids):
            room = self._at + self.block - len(self.ids)
            self._read(list(ids[len(self.ids) : len(self.ids) + room]))
            yield len(self.ids)
        self._text = list(self.ids)

    def step(self, id: int) -> NDArray[np.float32]:
        """Add one id; return logits (V,)."""
        if not 0 <= id < self._vocab_size:
            raise self._unknown(id)
        if not self._text:
            raise UsageError("a text begins with `prefill`")
        if not self._steps_are_read:
            self._text.append(id)
            return self._predicted(id, self._text).astype(np.float32)
        self._learn(id, self._mixed)
        if len(self.ids) < self._at + self.block:
            return self._predicted(id, self.ids).astype(np.float32)
        self._end_block()
        return self._predicted_after_block().astype(np.float32)

    def every(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return the logits (T, V) after each of `ids`, by what was learned, without the cache."""
        return self._nets[0].engine.every(ids)

    @property
    def _first(self) -> int:
        """The first token that the net sees, of those before the block."""
        return max(0, self._at - self._context)

    def _read(self, ids: list[int]) -> None:
        """Predict each of `ids`, which are at most the rest of a block, and learn from them."""
        whole = len(ids) == self.block
        seen = [*self.ids[self._first :], *ids[:-1]]
        rows = [net.learner.logits(seen, len(ids), learn=whole) for net in self._nets]  # (N, T, V)
        for row, id in zip(np.stack(rows, axis=1), ids, strict=True):
            self._learn(id, self._mix(row, self.ids))
        if len(self.ids) == self._at + self.block:
            self._end_block(computed=whole)

    def _learn(self, id: int, predicted: NDArray[np.float64]) -> None:
        """Add a token that was predicted with the log-probabilities `predicted` (V,); the cache learns from it."""
        self.losses.append(-float(predicted[id]))
        self._cache.learn(id)
        self.ids.append(id)

    def _end_block(self, *, computed: bool = False) -> None:
        """Take a gradient step; `computed`: the learner has the logits of exactly this block."""
        for net in self._nets:
            if not computed:
                net.learner.logits(self.ids[self._first : -1], self.block, learn=True)
            net.learner.step(self.ids[-self.block :])
        self._at += self.block

    def _predicted(self, id: int, before: Sequence[int]) -> NDArray[np.float64]:
        """Return the log-probabilities (V,) after `id`, the last of the tokens `before`."""
        return self._mix(np.stack([net.engine.step(id) for net in self._nets]), before)

    def _predicted_after_block(self) -> NDArray[np.float64]:
        """Return the log-probabilities (V,) after all that was read."""
        seen = self.ids[self._first :]
        return self._mix(np.stack([net.engine.prefill(seen) for net in self._nets]), self.ids)

    def _mix(self, logits: NDArray[np.float32], before: Sequence[int]) -> NDArray[np.float64]:
        if not np.isfinite(logits).all():
            raise _ran_away("are no numbers")
        self._mixed = mixed = self._cache.mix(logits, before)
        total = float(np.exp(mixed).sum())
        if not abs(total - 1) < SUM_WITHIN:
            raise _ran_away(f"sum to {total}, not to 1")
        self.largest_error = max(self.largest_error, abs(total - 1))
        return mixed

    def _unknown(self, id: int) -> UsageError:
        return UsageError(f"token {id} is not one of the model's {self._vocab_size}")


def _ran_away(how: str) -> CheckpointError:
    return CheckpointError(
        f"the adapted model's probabilities {how}", "it learned too fast from this text; write without adapting"
    )
