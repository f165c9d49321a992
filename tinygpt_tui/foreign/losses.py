"""The loss of each token of a text, from the logits of any engine; numpy alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.corpora.replies import Replies, targets_of
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.tokenizers.ids import Ids

Forward = Callable[[NDArray[np.int64]], NDArray[np.float32]]  # ids (B, T) -> logits (B, T, V), T at most block_size
Piece = tuple[NDArray[np.int64], NDArray[np.int64]]  # ids and the next ones (B, T)
MOST_TOKENS = 8192  # in one piece, whose activations must fit, too
MOST_NUMBERS = 4 << 20  # logits of one pass


def token_losses(
    forward: Forward, settings: ArchitectureSettings, ids: NDArray[np.int64], window: int
) -> NDArray[np.float64]:
    """Return the loss of every token but the first, nats (N - 1,), by windows side by side; the last may be shorter."""
    pieces = pieces_of(ids, window, settings.vocab_size)
    return np.concatenate([_cross_entropy(forward(read), wanted.reshape(-1)) for read, wanted in pieces])


def pieces_of(ids: Ids, window: int, vocabulary: int, replies: Replies | None = None) -> list[Piece]:
    """Return inputs and targets (B, T) that predict every token of `ids` (N,) but the first, each once.

    Of conversations the targets outside of `replies` are IGNORED. A piece has few enough windows that its logits fit;
    T is `window` except in the last, which may be shorter.
    """
    whole = (len(ids) - 1) // window * window
    (read,), (wanted,) = targets_of(ids, np.zeros(1, np.int64), len(ids) - 1, replies)
    inputs, targets = read[:whole].reshape(-1, window), wanted[:whole].reshape(-1, window)
    rows = max(1, min(MOST_NUMBERS // vocabulary, MOST_TOKENS) // window)
    pieces = [(inputs[at : at + rows], targets[at : at + rows]) for at in range(0, len(inputs), rows)]
    if whole < len(ids) - 1:
        pieces.append((read[None, whole:], wanted[None, whole:]))
    return pieces


def row_losses(
    forward: Forward, settings: ArchitectureSettings, rows: Sequence[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Return the loss of every token but the first of each row, nats; each row begins where the window begins."""
    found: list[NDArray[np.float64]] = []
    longest = max(len(row) for row in rows) - 1
    together = max(1, MOST_NUMBERS // (longest * settings.vocab_size))
    for at in range(0, len(rows), together):
        some = rows[at : at + together]
        padded = np.zeros((len(some), max(len(row) for row in some)), dtype=np.int64)
        real = np.zeros(padded.shape, dtype=bool)
        for number, row in enumerate(some):
            padded[number, : len(row)], real[number, 1 : len(row)] = row, True
        losses = _cross_entropy(forward(padded[:, :-1]), padded[:, 1:].reshape(-1))
        found.append(losses[real[:, 1:].reshape(-1)])
    return np.concatenate(found)


def _cross_entropy(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the loss of each target (N,) by its logits (…, V); infinite where they are no numbers."""
    left, right = against_highest(logits, targets)
    found: NDArray[np.float64] = np.nan_to_num(np.log(np.exp(left).sum(axis=1)) - right, nan=np.inf, posinf=np.inf)
    return found


def against_highest(
    logits: NDArray[np.float32], targets: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return logits (…, V) as (N, V) less the highest of each row, and the one of each target (N,)."""
    flat = logits.reshape(len(targets), logits.shape[-1]).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        flat -= flat.max(axis=1, keepdims=True)
    return flat, flat[np.arange(len(flat)), targets]
