"""The loss over a whole split, each token predicted once; a part of it can be read first."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.tokenizers.char import Ids

TOKENS_AT_ONCE = 2048  # enough rows to keep the matrix products busy, few enough to stay in the cache
TOKENS_ELSEWHERE = 32_768  # waiting for an accelerator after each piece costs time, and it is faster with large ones …
LOGITS_ELSEWHERE = 1 << 26  # … whose logits must fit: a quarter of a gigabyte


def judged_windows(tokens: int, block_size: int, judged: int, first: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return the windows that a final evaluation of about `judged` tokens reads after the `first` ones.

    They are evenly spread over the split; None if all of its `tokens` are read.
    """
    if judged >= tokens:
        return None
    return np.setdiff1d(spread_windows(tokens, block_size, judged), first)


def spread_windows(tokens: int, block_size: int, wanted: int) -> NDArray[np.int64]:
    """Return which of a split's non-overlapping windows (n,) hold about `wanted` of its `tokens`, evenly spread."""
    whole = (tokens - 1) // block_size
    count = min(whole, math.ceil(wanted / block_size))
    return ((np.arange(count) + 0.5) * whole / max(1, count)).astype(np.int64)


@torch.no_grad()
def summed_losses(
    model: LanguageModel,
    ids: Ids,
    block_size: int,
    first: NDArray[np.int64] | None = None,
    others: NDArray[np.int64] | None = None,
) -> Iterator[tuple[float, int]]:
    """Yield (summed loss in nats, tokens predicted) piece by piece over non-overlapping windows of `ids` (N,).

    The windows numbered `first` are read before the `others`, in pieces of their own: a caller that stops there has
    measured the same as one that continues. Without `others` all windows are read, and every token but the first is
    predicted exactly once; the last window may be shorter. The caller can stop between any two pieces.
    """
    targets = len(ids) - 1
    whole = targets // block_size
    if first is None:
        first = np.empty(0, dtype=np.int64)
    rest = np.delete(np.arange(whole), first) if others is None else others
    at_once = max(1, tokens_at_once(model) // block_size)
    rows = [part[i : i + at_once] for part in (first, rest) for i in range(0, len(part), at_once)]
    training = model.training
    for numbers in rows:
        yield _summed_loss(model, ids[numbers[:, None] * block_size + np.arange(block_size + 1)], training)
    if others is None and whole * block_size < targets:
        yield _summed_loss(model, ids[None, whole * block_size :], training)


def tokens_at_once(model: LanguageModel) -> int:
    """Return how many tokens an evaluation reads in one piece on the device of `model`."""
    if model.device.type == "cpu":
        return TOKENS_AT_ONCE
    return min(TOKENS_ELSEWHERE, LOGITS_ELSEWHERE // model.vocab_size)


def _summed_loss(model: LanguageModel, windows: Ids, training: bool) -> tuple[float, int]:
    """Return the summed loss and its tokens over `windows` (B, T + 1); the model is in `training` mode again after."""
    plain = windows.astype(np.int64)
    wanted = torch.from_numpy(plain[:, 1:].reshape(-1)).to(model.device)
    model.eval()
    try:
        logits = model(torch.from_numpy(plain[:, :-1].copy()).to(model.device))
        loss = F.cross_entropy(logits.float().view(-1, logits.shape[-1]), wanted, reduction="sum")
    finally:
        model.train(training)
    return float(loss), wanted.numel()


def whole_loss(model: LanguageModel, ids: Ids, block_size: int) -> float:
    """Return the mean loss over `ids` (N,), nats per token, each predicted once."""
    total, count = 0.0, 0
    for loss, tokens in summed_losses(model, ids, block_size):
        total, count = total + loss, count + tokens
    return total / count
