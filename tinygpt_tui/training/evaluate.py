"""The loss over a whole split, each token predicted once; a part of it can be read first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.corpora.replies import Replies
from tinygpt_tui.corpora.rows import IGNORED, Places, Rows
from tinygpt_tui.tokenizers.char import Ids

TOKENS_AT_ONCE = 2048  # enough rows to keep the matrix products busy, few enough to stay in the cache
TOKENS_ELSEWHERE = 32_768  # waiting for an accelerator after each piece costs time, and it is faster with large ones …
LOGITS_ELSEWHERE = 1 << 26  # … whose logits must fit: a quarter of a gigabyte


class Piece(NamedTuple):
    """What a model made of some rows: the summed loss (nats) of the `learned` ones among their `tokens` targets."""

    loss: float
    tokens: int
    learned: int


@torch.no_grad()
def summed_losses(
    model: LanguageModel, rows: Rows, first: Places | None = None, others: Places | None = None
) -> Iterator[Piece]:
    """Yield the loss piece by piece over `rows`.

    Those numbered `first` are read before the `others`, in pieces of their own: a caller that stops there has measured
    the same as one that continues. Without `others` all rows are read. The caller can stop between any two pieces.
    """
    if first is None:
        first = np.empty(0, dtype=np.int64)
    rest = np.delete(np.arange(len(rows)), first) if others is None else others
    at_once = max(1, tokens_at_once(model) // rows.longest)
    training = model.training
    for part in (first, rest):
        for start in range(0, len(part), at_once):
            numbers = part[start : start + at_once]
            loss, learned = _summed_loss(model, *rows.batch(numbers), training)
            yield Piece(loss, rows.tokens_in(numbers), learned)


def tokens_at_once(model: LanguageModel) -> int:
    """Return how many tokens an evaluation reads in one piece on the device of `model`."""
    if model.device.type == "cpu":
        return TOKENS_AT_ONCE
    return min(TOKENS_ELSEWHERE, LOGITS_ELSEWHERE // model.vocab_size)


def _summed_loss(model: LanguageModel, inputs: Places, targets: Places, training: bool) -> tuple[float, int]:
    """Return the summed loss over `inputs` and `targets` (B, T), and its tokens; the model is in `training` mode again.

    Targets that are IGNORED are not counted.
    """
    wanted = torch.from_numpy(targets.reshape(-1)).to(model.device)
    model.eval()
    try:
        logits = model(torch.from_numpy(inputs).to(model.device))
        loss = F.cross_entropy(logits.float().view(-1, logits.shape[-1]), wanted, reduction="sum")
    finally:
        model.train(training)
    return float(loss), int((targets != IGNORED).sum())


def whole_loss(model: LanguageModel, ids: Ids, block_size: int, replies: Replies | None = None) -> float:
    """Return the mean loss over `ids` (N,), nats per token, each predicted once; that of `replies` alone if given."""
    total, count = 0.0, 0
    for piece in summed_losses(model, Rows.side_by_side(ids, block_size, replies)):
        total, count = total + piece.loss, count + piece.learned
    return total / count
