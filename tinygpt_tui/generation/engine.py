"""From ids to the next token's logits by torch: any architecture, on any device, by its memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.memory import Memory
from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.windows import Policy, policy_for, retained_after


class TorchEngine:
    """An Engine for any architecture on any device.

    The exact crop is what nanoGPT does: the last block_size ids are read again from the start for every token, because
    each of them has moved to another position. Under `rolling` the model's memory forgets by itself.
    """

    def __init__(self, model: LanguageModel, policy: Policy = "exact") -> None:
        """Raises UsageError for `rolling` if the model's memory does not support sliding."""
        self._model = model.eval()
        self._policy = policy_for(policy, model.settings)
        self._ids: list[int] = []  # those in the window; under rolling nothing is read again and this stays empty
        self._seen = 0
        self._memory: Memory | None = None

    @property
    def context_used(self) -> int:
        """How many tokens the last logits were computed from; under rolling, at most the model's context length."""
        size = self._model.settings.context_length
        return min(self._seen, size) if size else self._seen

    @property
    def window(self) -> Policy:
        """What happens when the window is full."""
        return self._policy

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Start a new text; see Engine. Raises UsageError for no id, and for an unknown one."""
        if not len(ids):
            raise UsageError("a text begins with at least one token")
        self._check(ids)
        self._seen = len(ids)
        if self._policy == "rolling":
            receptive_field = self._model.receptive_field
            return self._begin(list(ids if receptive_field is None else ids[-receptive_field:]))
        self._ids = list(ids[-self._size :])
        self._seen = len(self._ids)
        return self._begin(self._ids)

    def step(self, id: int) -> NDArray[np.float32]:
        """Add one id; see Engine. Raises UsageError before `prefill`, and for an unknown id."""
        self._check([id])
        if not self._seen:
            raise UsageError("a text begins with `prefill`")
        if self._policy == "rolling":
            self._seen += 1
            return self._last_logits([id], self._memory)
        size = self._size
        if len(self._ids) < size:
            self._ids.append(id)
            self._seen = len(self._ids)
            return self._last_logits([id], self._memory)
        self._ids = [*self._ids[size - retained_after(self._policy, size) :], id]
        self._seen = len(self._ids)
        if len(self._ids) == size:  # every token will be read again for the next one
            self._memory = None
            return self._last_logits(self._ids, None)
        return self._begin(self._ids)

    def every(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Return the logits (T, V) after each of `ids`; see Engine. Raises UsageError for unknown, none or too many."""
        self._check(ids)
        size = self._model.block_size
        if not len(ids) or (size is not None and len(ids) > size):
            raise UsageError(f"{len(ids)} tokens cannot be read at once", f"give 1 to {size} of them")
        self._ids, self._seen = [], 0
        return self._logits(list(ids), None)

    def _begin(self, ids: list[int]) -> NDArray[np.float32]:
        self._memory = self._model.new_memory(1)
        return self._last_logits(ids, self._memory)

    @property
    def _size(self) -> int:
        """How many tokens are read again at most, if the memory does not slide."""
        return self._model.settings.block_size

    def _check(self, ids: Sequence[int]) -> None:
        for id in ids:
            if not 0 <= id < self._model.vocab_size:
                raise UsageError(f"token {id} is not one of the model's {self._model.vocab_size}")

    def _last_logits(self, ids: list[int], memory: Memory | None) -> NDArray[np.float32]:
        last: NDArray[np.float32] = self._logits(ids, memory)[-1]
        return last

    @torch.inference_mode()
    def _logits(self, ids: list[int], memory: Memory | None) -> NDArray[np.float32]:
        """Return logits (T, V) after each of `ids` (T,)."""
        logits = self._model(torch.tensor([ids], device=self._model.device), memory)[0]
        answer: NDArray[np.float32] = logits.float().cpu().numpy()
        return answer
