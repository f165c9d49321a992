"""A copy of a model that takes one gradient step after each block of a text, on tokens that were predicted before."""

from __future__ import annotations

import copy

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.training.fused import use_fused

# Chosen on the last tenth of the training part of tiny Shakespeare, with a model that was trained on the rest of it:
# the rates 0.0004 and 0.0016, blocks of 128 and Adam were not better, a longer context only by 0.0003 nats.
BLOCK = 32  # tokens
CONTEXT = 128  # tokens before them that are read again
RATE = 0.0008  # of the sum of a block's losses
DECAY = 0.001  # towards the original weights, with each step: Krause et al. 2018, "Dynamic evaluation …", section 4


class Learner:
    """The copy, and its gradient steps.

    `context` + `block` tokens are what the model sees at once, or fewer.
    """

    def __init__(self, model: LanguageModel, rate: float = RATE, block: int = BLOCK, context: int = CONTEXT) -> None:
        self._original, self.model = model, copy.deepcopy(model).eval().requires_grad_(True)
        use_fused(self.model)
        self._rate = rate
        size = model.block_size if model.block_size is not None and not model.settings.supports_sliding else None
        self.block = block if size is None else max(1, min(block, size // 2))
        self.context = context if size is None else max(1, size - self.block)
        self.steps = 0
        self._graph: Tensor | None = None

    def reset(self) -> None:
        """Forget what was learned."""
        self.model.load_state_dict(self._original.state_dict())
        self.steps, self._graph = 0, None

    def logits(self, ids: list[int], last: int, *, learn: bool) -> NDArray[np.float32]:
        """Return the logits (last, V) after each of the last `ids`; with `learn`, `step` follows."""
        with torch.set_grad_enabled(learn):
            found: Tensor = self.model(torch.tensor([ids], device=self.model.device))[0, -last:].float()
        self._graph = found if learn else None
        answer: NDArray[np.float32] = found.detach().cpu().numpy()
        return answer

    def step(self, targets: list[int]) -> None:
        """Take a gradient step: the tokens that came after the last ids given to `logits` were `targets`."""
        assert self._graph is not None
        loss = F.cross_entropy(self._graph, torch.tensor(targets, device=self.model.device), reduction="sum")
        weights = list(self.model.parameters())
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        with torch.no_grad():
            for weight, gradient, original in zip(weights, gradients, self._original.parameters(), strict=True):
                if gradient is not None:
                    weight.sub_(gradient, alpha=self._rate).lerp_(original, DECAY)
        self._graph = None
        self.steps += 1
