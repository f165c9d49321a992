"""The loss of each token of a text, from the logits of any engine; numpy alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.settings.architecture import ArchitectureSettings

Forward = Callable[[NDArray[np.int64]], NDArray[np.float32]]  # ids (B, T) -> logits (B, T, V), T at most block_size
MOST_NUMBERS = 4 << 20  # logits of one pass


def token_losses(
    forward: Forward, settings: ArchitectureSettings, ids: NDArray[np.int64], window: int
) -> NDArray[np.float64]:
    """Return the loss of every token but the first, nats (N - 1,), by windows side by side; the last may be shorter."""
    whole = (len(ids) - 1) // window * window
    inputs, targets = ids[:whole].reshape(-1, window), ids[1 : whole + 1].reshape(-1, window)
    rows = max(1, MOST_NUMBERS // (window * settings.vocab_size))
    pieces = [(inputs[at : at + rows], targets[at : at + rows]) for at in range(0, len(inputs), rows)]
    if whole < len(ids) - 1:
        pieces.append((ids[None, whole:-1], ids[None, whole + 1 :]))
    return np.concatenate([_cross_entropy(forward(read), wanted.reshape(-1)) for read, wanted in pieces])


def _cross_entropy(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the loss of each target (N,) by its logits (…, V); infinite where they are no numbers."""
    flat = logits.reshape(len(targets), -1).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        flat -= flat.max(axis=1, keepdims=True)
        losses: NDArray[np.float64] = np.log(np.exp(flat).sum(axis=1)) - flat[np.arange(len(flat)), targets]
    return np.nan_to_num(losses, nan=np.inf, posinf=np.inf)
