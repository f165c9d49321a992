"""The honest loss: the whole split, each token predicted once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel

TOKENS_AT_ONCE = 2048  # enough rows to keep the matrix products busy, few enough to stay in the cache


@torch.no_grad()
def summed_losses(
    model: LanguageModel, ids: NDArray[np.int64], block_size: int, forward: Callable[[Tensor], Tensor] | None = None
) -> Iterator[tuple[float, int]]:
    """Yield (summed loss in nats, tokens predicted) piece by piece over non-overlapping windows of `ids` (N,).

    Every token but the first is predicted exactly once; the last window may be shorter. The caller can stop between
    two pieces.
    """
    forward = model if forward is None else forward
    targets = len(ids) - 1
    whole = targets // block_size
    x = ids[: whole * block_size].reshape(whole, block_size)
    y = ids[1 : whole * block_size + 1].reshape(whole, block_size)
    pieces = [(x[i : i + n], y[i : i + n]) for n in (max(1, TOKENS_AT_ONCE // block_size),) for i in range(0, whole, n)]
    if whole * block_size < targets:
        pieces.append((ids[None, whole * block_size : -1], ids[None, whole * block_size + 1 :]))
    training = model.training
    for inputs, wanted in pieces:
        model.eval()
        logits = forward(torch.from_numpy(inputs).to(model.device))
        goal = torch.from_numpy(wanted.reshape(-1).copy()).to(model.device)
        loss = F.cross_entropy(logits.float().view(-1, logits.shape[-1]), goal, reduction="sum")
        model.train(training)
        yield float(loss), wanted.size


def whole_loss(model: LanguageModel, ids: NDArray[np.int64], block_size: int) -> float:
    """Return the mean loss over `ids` (N,), nats per token, each predicted once."""
    total, count = 0.0, 0
    for loss, tokens in summed_losses(model, ids, block_size):
        total, count = total + loss, count + tokens
    return total / count
