"""The loss over a whole split, each token predicted once; a part of it can be read first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.corpora.replies import Replies
from tinygpt_tui.corpora.rows import IGNORED, Places, Rows
from tinygpt_tui.tokenizers.ids import Ids

TOKENS_AT_ONCE = 2048  # enough rows to keep the matrix products busy, few enough to stay in the cache
TOKENS_ELSEWHERE = 32_768  # waiting for an accelerator after each piece costs time, and it is faster with large ones …
LOGITS_ELSEWHERE = 1 << 26  # … whose logits must fit: a quarter of a gigabyte


class Piece(NamedTuple):
    """What a model made of some rows: the summed loss (nats) of the `learned` ones among their `tokens` targets."""

    loss: float
    tokens: int
    learned: int


class Answers:
    """How many rows are right: the most likely token is the target at each place that is counted.

    A model that answers greedily writes exactly these answers: up to its first mistake it has read the same.
    """

    def __init__(self) -> None:
        self.right = self.rows = 0

    def count(self, logits: Tensor, targets: Tensor) -> None:
        """Count rows of logits (B, T, V) and targets (B, T)."""
        is_right = (logits.argmax(-1) == targets) | (targets == IGNORED)
        self.right += int(is_right.all(-1).sum())
        self.rows += len(targets)

    @property
    def share(self) -> float | None:
        """The share of right rows; None before any was counted."""
        return self.right / self.rows if self.rows else None


@torch.no_grad()
def summed_losses(
    model: LanguageModel,
    rows: Rows,
    first: Places | None = None,
    others: Places | None = None,
    answers: Answers | None = None,
) -> Iterator[Piece]:
    """Yield the loss piece by piece over `rows`.

    Those numbered `first` are read before the `others`, in pieces of their own: a caller that stops there has measured
    the same as one that continues. Without `others` all rows are read. The caller can stop between any two pieces.
    `answers` counts the rows that are right.
    """
    if first is None:
        first = np.empty(0, dtype=np.int64)
    rest = np.delete(np.arange(len(rows)), first) if others is None else others
    at_once = max(1, tokens_at_once(model) // rows.longest)
    training = model.training
    for part in (first, rest):
        for start in range(0, len(part), at_once):
            numbers = part[start : start + at_once]
            inputs, targets = rows.batch(numbers)
            logits = _logits(model, inputs, training)
            wanted = torch.from_numpy(targets).to(model.device)
            loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum")
            if answers is not None:
                answers.count(logits, wanted)
            yield Piece(float(loss), rows.tokens_in(numbers), int((targets != IGNORED).sum()))


def tokens_at_once(model: LanguageModel) -> int:
    """Return how many tokens an evaluation reads in one piece on the device of `model`."""
    if model.device.type == "cpu":
        return TOKENS_AT_ONCE
    return min(TOKENS_ELSEWHERE, LOGITS_ELSEWHERE // model.vocab_size)


def _logits(model: LanguageModel, inputs: Places, training: bool) -> Tensor:
    """Return the logits (B, T, V) after `inputs` (B, T), in float32; the model is in `training` mode again."""
    model.eval()
    try:
        logits: Tensor = model(torch.from_numpy(inputs).to(model.device))
    finally:
        model.train(training)
    return logits.float()


def whole_loss(model: LanguageModel, ids: Ids, block_size: int, replies: Replies | None = None) -> float:
    """Return the mean loss over `ids` (N,), nats per token, each predicted once; that of `replies` alone if given."""
    total, count = 0.0, 0
    for piece in summed_losses(model, Rows.side_by_side(ids, block_size, replies)):
        total, count = total + piece.loss, count + piece.learned
    return total / count
