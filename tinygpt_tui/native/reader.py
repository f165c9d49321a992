"""Calls gpt.c: the structures, the texts' memories, and reading in pieces; of the policies it knows only the reach."""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import EngineError, UsageError
from tinygpt_tui.native.library import (
    ACTIVATIONS,
    BUILD,
    LAYER_MATRICES,
    LAYER_PARTS,
    NET_MATRICES,
    NET_PARTS,
    Job,
    Layer,
    Library,
    Matrix,
    Net,
    Text,
    load_library,
)  # fmt: skip
from tinygpt_tui.native.panels import PANEL, aligned_zeros, padded
from tinygpt_tui.native.weights import NativeWeights, ngram_rows
from tinygpt_tui.settings.windows import Policy, policy_for

Logits = NDArray[np.float32]

_NGRAM_REACH = 2  # how far the n-gram tables look back


class Reader:
    """Several texts' memories over one model's weights.

    Under `rolling` a memory has room for a window, a piece that is being read and some more, so that keys and values
    are moved down only about once in a window.
    """

    def __init__(self, weights: NativeWeights, library: Library | None, policy: Policy, texts: int) -> None:
        """`library`: by default the one built with the package.

        Raises EngineError if there is none or no memory, UsageError if the model does not support the policy.
        """
        found = library or load_library()
        if found is None:
            raise EngineError("the native engine was not built", BUILD)
        settings = weights.settings
        self.policy = policy_for(policy, settings)
        self.vocab_size, self.block_size = settings.vocab_size, settings.block_size
        # A layer feels a window of the one below, and its two shifts as far again as they reach.
        self._layer_reach = settings.block_size - 1 + 2 * settings.token_shift
        self._library, self._weights = found, weights
        T = settings.block_size
        slots = -(-(2 * T + PANEL) // PANEL) * PANEL if policy == "rolling" else T
        self._net, self._layers = _structures(weights, slots, max(T, texts))
        net = ctypes.addressof(self._net)
        try:
            self._memory = aligned_zeros(texts * padded(found.memory_floats(net)))
            self._work = aligned_zeros(found.work_floats(net))
        except MemoryError:
            raise EngineError("there is not enough memory for this model's window", "close other programs") from None
        self.texts = [Text(memory=memory.ctypes.data) for memory in self._memory.reshape(texts, -1)]

    def begin(self, text: Text, ids: Sequence[int]) -> Logits:
        """Read `ids` as a new text, as many of the last as affect the answer; return logits (V,).

        Raises UsageError for an unknown id, and for none.
        """
        if not len(ids):
            raise UsageError("a text begins with at least one token")
        T, n_layer = self.block_size, self._weights.settings.n_layer
        receptive_field = n_layer * self._layer_reach + _NGRAM_REACH + 1 if self.policy == "rolling" else T
        numbers = self.checked(ids[-receptive_field:])
        text.position = 0
        for end in range((len(numbers) - 1) % T + 1, len(numbers), T):
            # What the last token feels of all these, it feels through the lower layers.
            piece = numbers[max(0, end - T) : end]
            job = self.job([text], piece, None)
            job.layers = n_layer - (len(numbers) - end - 1) // self._layer_reach if self._layer_reach else 0
            self.run(job)
        logits: Logits = self.read([text], numbers[-T:])[0]
        return logits

    def read(self, texts: Sequence[Text], ids: NDArray[np.int32], *, every: bool = False) -> Logits:
        """Continue the texts, each by the same number of ids, one text after the other in `ids` (B * count,).

        Return logits after the last ids (B, V), or after every one (B * count, V).
        """
        rows = len(ids) if every else len(texts)
        logits = np.empty((rows, padded(self.vocab_size)), dtype=np.float32)
        self.run(self.job(texts, ids, logits, every))
        return logits[:, : self.vocab_size]

    def copy(self, text: Text, to: Text) -> None:
        """Make `to` a copy of `text`."""
        self._library.copy(ctypes.addressof(self._net), ctypes.addressof(text), ctypes.addressof(to))

    def checked(self, ids: Sequence[int]) -> NDArray[np.int32]:
        """Return `ids` as the library reads them. Raises UsageError for an unknown one."""
        numbers = [operator.index(id) for id in ids]
        wrong = next((number for number in numbers if not 0 <= number < self.vocab_size), None)
        if wrong is not None:
            raise self.unknown(wrong)
        return np.array(numbers, dtype=np.int32)

    def unknown(self, id: int) -> UsageError:
        return UsageError(f"token {id} is not one of the model's {self.vocab_size}")

    def run(self, job: Job) -> None:
        self._library.read(ctypes.addressof(job))

    def job(self, texts: Sequence[Text], ids: NDArray[np.int32], logits: Logits | None, every: bool = False) -> Job:
        """Return a job for `run`: it reads `ids`, and writes logits if they are wanted.

        It holds addresses only: `ids` and `logits` must outlive it.
        """
        pointers = (ctypes.c_void_p * len(texts))(*(ctypes.addressof(text) for text in texts))
        job = Job(
            net=ctypes.addressof(self._net),
            work=self._work.ctypes.data,
            texts=ctypes.addressof(pointers),
            ids=ids.ctypes.data,
            logits=None if logits is None else logits.ctypes.data,
            n_texts=len(texts),
            count=len(ids) // len(texts),
            layers=self._weights.settings.n_layer,
            every=every,
        )
        job.pointers = pointers  # lives as long as the job
        return job


def _structures(weights: NativeWeights, slots: int, work_rows: int) -> tuple[Net, ctypes.Array[Layer]]:
    """Return what gpt.c reads: addresses into `weights`, which must outlive them."""
    settings = weights.settings
    layers = (Layer * settings.n_layer)(
        *(
            Layer(window=settings.window_of(layer), **_addresses(parts, LAYER_MATRICES, LAYER_PARTS))
            for layer, parts in enumerate(weights.layers)
        )
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
        post_norm=settings.residual == "post_norm",
        kv_heads=settings.kv_heads,
        head_size=settings.head_size,
        hidden_size=settings.hidden_size,
        rope_pairs=len(settings.rotary_frequencies),
        activation=ACTIVATIONS[settings.activation],
        has_gate=settings.has_gate,
        parallel=settings.parallel,
        slots=slots,
        work_rows=work_rows,
        scale=settings.score_scale,
        epsilon=settings.epsilon,
        **_addresses(weights.net, NET_MATRICES, NET_PARTS),
        layers=ctypes.addressof(layers),
    )
    return net, layers


def _addresses(parts: Mapping[str, NDArray[Any]], matrices: Sequence[str], vectors: Sequence[str]) -> dict[str, Any]:
    at = {name: part.ctypes.data for name, part in parts.items()}
    found: dict[str, Any] = {name: at[name] for name in vectors if name in at}
    return found | {name: Matrix(at[name], at.get(f"{name}_scales")) for name in matrices if name in at}
