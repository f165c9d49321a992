"""The honest loss: the whole split, each token predicted once; and a part of it that is read first."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from tinygpt_tui.architectures.base import LanguageModel

TOKENS_AT_ONCE = 2048  # enough rows to keep the matrix products busy, few enough to stay in the cache
TOKENS_ELSEWHERE = 32_768  # an accelerator is waited for after each piece, and is quicker with large ones …
LOGITS_ELSEWHERE = 1 << 26  # … whose logits must fit: a quarter of a gigabyte


def spread_windows(tokens: int, block_size: int, wanted: int) -> NDArray[np.int64]:
    """Return which of a split's non-overlapping windows (n,) hold about `wanted` of its `tokens`, evenly spread."""
    whole = (tokens - 1) // block_size
    count = min(whole, math.ceil(wanted / block_size))
    return ((np.arange(count) + 0.5) * whole / max(1, count)).astype(np.int64)


@torch.no_grad()
def summed_losses(
    model: LanguageModel, ids: NDArray[np.int64], block_size: int, first: NDArray[np.int64] | None = None
) -> Iterator[tuple[float, int]]:
    """Yield (summed loss in nats, tokens predicted) piece by piece over non-overlapping windows of `ids` (N,).

    Every token but the first is predicted exactly once; the last window may be shorter. The windows numbered `first`
    are read before the others, in pieces of their own: whoever stops pulling there has measured the same as somebody
    who goes on. The caller can stop between any two pieces.
    """
    targets = len(ids) - 1
    whole = targets // block_size
    x = ids[: whole * block_size].reshape(whole, block_size)
    y = ids[1 : whole * block_size + 1].reshape(whole, block_size)
    if first is None:
        first = np.empty(0, dtype=np.int64)
    others = np.delete(np.arange(whole), first)
    at_once = max(1, tokens_at_once(model) // block_size)
    rows = [part[i : i + at_once] for part in (first, others) for i in range(0, len(part), at_once)]
    pieces = [(x[numbers], y[numbers]) for numbers in rows]
    if whole * block_size < targets:
        pieces.append((ids[None, whole * block_size : -1], ids[None, whole * block_size + 1 :]))
    training = model.training
    for inputs, wanted in pieces:
        model.eval()
        logits = model(torch.from_numpy(inputs).to(model.device))
        goal = torch.from_numpy(wanted.reshape(-1)).to(model.device)
        loss = F.cross_entropy(logits.float().view(-1, logits.shape[-1]), goal, reduction="sum")
        model.train(training)
        yield float(loss), wanted.size


def tokens_at_once(model: LanguageModel) -> int:
    """Return how many tokens an evaluation reads in one piece where `model` is."""
    if model.device.type == "cpu":
        return TOKENS_AT_ONCE
    return min(TOKENS_ELSEWHERE, LOGITS_ELSEWHERE // model.vocab_size)


def whole_loss(model: LanguageModel, ids: NDArray[np.int64], block_size: int) -> float:
    """Return the mean loss over `ids` (N,), nats per token, each predicted once."""
    total, count = 0.0, 0
    for loss, tokens in summed_losses(model, ids, block_size):
        total, count = total + loss, count + tokens
    return total / count
