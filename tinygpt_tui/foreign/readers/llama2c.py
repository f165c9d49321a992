"""llama2.c's own file (`stories15M.bin`): seven numbers, then every tensor's floats in one order, no names.

Only its first form, which run.c reads: no magic number, so the file is known by its size. Source: `legacy_export` of
llama2.c's export.py.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path

from tinygpt_tui.foreign.tensors import TensorPlace

HEADER = struct.Struct("<7i")  # dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, max_seq_len
MOST_LAYERS = 1000
_FLOAT = 4


def read_llama2c(path: Path, beginning: bytes, size: int) -> tuple[list[TensorPlace], dict[str, int]] | None:
    """Return the tensors under the names of llama2.c's ckpt.pt, and its `model_args`; None where it is no such file.

    `beginning` are the file's first bytes, `size` is its length.
    """
    if len(beginning) < HEADER.size:
        return None
    dim, hidden, layers, heads, kv_heads, vocabulary, window = HEADER.unpack(beginning[: HEADER.size])
    shared, vocabulary = vocabulary > 0, abs(vocabulary)
    sizes = (dim, hidden, layers, heads, kv_heads, vocabulary, window)
    if min(sizes) < 1 or layers > MOST_LAYERS or dim % heads or heads % kv_heads:
        return None
    places, at = [], HEADER.size
    head_size = dim // heads
    for name, shape in _tensors(dim, hidden, layers, kv_heads * head_size, vocabulary, window, head_size, shared):
        places.append(TensorPlace(name, path, "F32", shape, at, math.prod(shape)))
        at += math.prod(shape) * _FLOAT
    if at != size:
        return None
    arguments = {"dim": dim, "n_layers": layers, "n_heads": heads, "n_kv_heads": kv_heads, "max_seq_len": window}
    return places, arguments


def _tensors(
    dim: int, hidden: int, layers: int, kv_dim: int, vocabulary: int, window: int, head_size: int, shared: bool
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield names and shapes in the file's order: each kind for all layers, then the next."""
    yield "tok_embeddings.weight", (vocabulary, dim)
    kinds: tuple[tuple[str, tuple[int, ...]], ...] = (
        ("attention_norm", (dim,)), ("attention.wq", (dim, dim)), ("attention.wk", (kv_dim, dim)),
        ("attention.wv", (kv_dim, dim)), ("attention.wo", (dim, dim)), ("ffn_norm", (dim,)),
        ("feed_forward.w1", (hidden, dim)), ("feed_forward.w2", (dim, hidden)), ("feed_forward.w3", (hidden, dim)),
    )  # fmt: skip
    for kind, shape in kinds:
        for layer in range(layers):
            yield f"layers.{layer}.{kind}.weight", shape
    yield "norm.weight", (dim,)
    yield "freqs_cos", (window, head_size // 2)
    yield "freqs_sin", (window, head_size // 2)
    if not shared:
        yield "output.weight", (vocabulary, dim)
