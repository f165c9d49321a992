"""From ids to the next token's logits by gpt.c; numpy alone, and no torch."""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import EngineError, UsageError
from tinygpt_tui.native.library import ACTIVATIONS, Layer, Library, Net, load_library
from tinygpt_tui.native.weights import NativeWeights, aligned_zeros, ngram_rows, padded, read_weights

EPSILON = 1e-5  # of the norms


class NativeEngine:
    """Does what TorchEngine does, the exact crop at the window's edge as well; an Engine.

    Engines may share their weights, each has a memory of its own; both are numpy arrays and go with the object.
    """

    def __init__(self, weights: NativeWeights, library: Library | None = None) -> None:
        """`library`: by default the one that was built with the package. Raises EngineError where there is none."""
        found = library or load_library()
        if found is None:
            raise EngineError("the native engine was not built", "python -m tinygpt_tui.native.build")
        self._library, self._weights = found, weights
        self._net, self._layers = _structures(weights)
        self._net_address = ctypes.addressof(self._net)
        settings = weights.settings
        self._vocab_size, self._block_size = settings.vocab_size, settings.block_size
        try:
            self._memory = aligned_zeros(found.memory_floats(self._net_address))
        except MemoryError:
            raise EngineError("there is not enough memory for this model's window", "close other programs") from None
        self._ids = np.zeros(self._block_size, dtype=np.int32)
        self._logits = aligned_zeros(padded(self._vocab_size))
        self._addresses = self._memory.ctypes.data, self._ids.ctypes.data, self._logits.ctypes.data
        self._used = 0

    @property
    def context_used(self) -> int:
        """How many tokens the last logits were computed from."""
        return self._used

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Begin a new text with `ids` (at least one), of which the last block_size are seen; return logits (V,).

        Raises UsageError for an id that the model does not know, and for no id.
        """
        if not len(ids):
            raise UsageError("a text begins with at least one token")
        seen = [self._checked(id) for id in ids[-self._block_size :]]
        self._ids[: len(seen)] = seen
        return self._read(len(seen), 0)

    def step(self, id: int) -> NDArray[np.float32]:
        """Add one id; return logits (V,). Raises UsageError for an id the model does not know, or before a text."""
        id, used = self._checked(id), self._used
        if not used:
            raise UsageError("a text begins with `prefill`")
        if used < self._block_size:
            self._ids[used] = id
            return self._read(1, used)
        # Every id has moved to another position: all are read again.
        self._ids[:-1] = self._ids[1:]
        self._ids[-1] = id
        return self._read(used, 0)

    def _checked(self, id: int) -> int:
        number = operator.index(id)
        if not 0 <= number < self._vocab_size:
            raise UsageError(f"token {number} is not one of the model's {self._vocab_size}")
        return number

    def _read(self, count: int, seen: int) -> NDArray[np.float32]:
        memory, ids, logits = self._addresses
        self._library.read(self._net_address, memory, ids, count, seen, logits)
        self._used = seen + count
        return self._logits[: self._vocab_size].copy()


def open_engine(folder: Path, library: Library | None = None) -> NativeEngine | None:
    """Open a model folder; None where the library was not built. Raises CheckpointError, StorageError."""
    found = library or load_library()
    return NativeEngine(read_weights(folder), found) if found else None


def _structures(weights: NativeWeights) -> tuple[Net, ctypes.Array[Layer]]:
    """Return what gpt.c reads: addresses into `weights`, which must outlive them."""
    settings = weights.settings
    layers = (Layer * settings.n_layer)(
        *(Layer(**{name: part.ctypes.data for name, part in parts.items()}) for parts in weights.layers)
    )
    pair_rows, triple_rows = ngram_rows(settings)
    net = Net(
        **{name: getattr(settings, name) for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd")},
        token_shift=settings.token_shift,
        pair_rows=pair_rows,
        triple_rows=triple_rows,
        rmsnorm=settings.norm == "rmsnorm",
        qk_norm=settings.qk_norm,
        embedding_norm=settings.embedding_norm,
        activation=ACTIVATIONS.index(settings.activation),
        scale=(settings.n_embd if settings.attention_scale == "n_embd" else settings.head_size) ** -0.5,
        epsilon=EPSILON,
        **{name: part.ctypes.data for name, part in weights.net.items()},
        layers=ctypes.addressof(layers),
    )
    return net, layers
