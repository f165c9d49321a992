"""llama2.c's own files (`stories15M.bin`): a few numbers, then every tensor in one order, no names.

Of the first form, which run.c reads, no magic number is there: such a file is known by its size. Those of `--version 1`
and `2` begin with one; in the second each group of a matrix's numbers is 8-bit, with a scale (runq.c reads it). Source:
export.py of llama2.c.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.tensors import TensorPlace, read, rows

HEADER = struct.Struct("<7i")  # dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, max_seq_len
MAGIC = struct.pack("<I", 0x616B3432)  # "ak42"
_VERSIONED = struct.Struct("<4si7iBi")  # the magic, a version, the same; whether the head is shared, the group's size
BEGINNING = _VERSIONED.size  # bytes that tell all
_LONG_HEADER = 256
MOST_LAYERS = 1000
_FLOAT = 4


class Sizes(NamedTuple):
    """What a header says; `group` is how many 8-bit numbers share a scale, 0 where none do."""

    dim: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    window: int
    shared: bool
    group: int

    @property
    def can_be(self) -> bool:
        """Whether there is a net of these sizes."""
        positive = min(self[:7]) >= 1 and self.layers <= MOST_LAYERS
        return positive and not self.dim % self.heads and not self.heads % self.kv_heads

    @property
    def arguments(self) -> dict[str, int]:
        """Return them as `model_args` of llama2.c's ckpt.pt."""
        return {
            "dim": self.dim,
            "n_layers": self.layers,
            "n_heads": self.heads,
            "n_kv_heads": self.kv_heads,
            "max_seq_len": self.window,
        }


def read_llama2c(path: Path, beginning: bytes, size: int) -> tuple[list[TensorPlace], dict[str, int]] | None:
    """Return the tensors under the names of llama2.c's ckpt.pt, and its `model_args`; None where it is no such file.

    `beginning` are the file's first bytes, `size` is its length. Raises CheckpointError where a file with its magic
    number is damaged or of another version.
    """
    if beginning.startswith(MAGIC):
        return _versioned(path, beginning, size)
    if len(beginning) < HEADER.size:
        return None
    *numbers, vocabulary, window = HEADER.unpack(beginning[: HEADER.size])
    sizes = Sizes._make((*numbers, abs(vocabulary), window, vocabulary > 0, 0))
    if not sizes.can_be:
        return None
    places, end = _laid_out(path, HEADER.size, _first_order(sizes))
    return (places, sizes.arguments) if end == size else None


def _versioned(path: Path, beginning: bytes, size: int) -> tuple[list[TensorPlace], dict[str, int]]:
    if len(beginning) < BEGINNING or size < _LONG_HEADER:
        raise _damaged(path, "it ends inside its header")
    _, version, *numbers, shared, group = _VERSIONED.unpack(beginning[:BEGINNING])
    if version not in (1, 2):
        raise CheckpointError(f"{path.name} is llama2.c's file of version {version}", "versions 0, 1 and 2 are read")
    sizes = Sizes._make((*numbers, shared == 1, group if version == 2 else 0))
    if not sizes.can_be or shared > 1 or (version == 2 and group < 1):
        raise _damaged(path, "its header's sizes cannot be")
    order = list(_matrices(sizes))
    norms = list(_norms(sizes))
    if version == 1:
        places, end = _laid_out(path, _LONG_HEADER, iter([*norms, *order]))
    else:
        if any(math.prod(shape) % group for _, shape in order):
            raise _damaged(path, f"its matrices cannot be split into groups of {group:,}")
        places, end = _laid_out(path, _LONG_HEADER, iter(norms))
        rounded, end = _laid_out_rounded(path, end, order, group)
        places += rounded
    if end != size:
        raise _damaged(path, f"it has {size:,} bytes, and by its header {end:,}")
    return places, sizes.arguments


def _laid_out(path: Path, at: int, tensors: Iterator[tuple[str, tuple[int, ...]]]) -> tuple[list[TensorPlace], int]:
    """Return the places of these tensors one behind the other, of floats, and where they end."""
    places = []
    for name, shape in tensors:
        places.append(TensorPlace(name, path, "F32", shape, at, math.prod(shape)))
        at += math.prod(shape) * _FLOAT
    return places, at


def _laid_out_rounded(
    path: Path, at: int, tensors: list[tuple[str, tuple[int, ...]]], group: int
) -> tuple[list[TensorPlace], int]:
    """Return the same for 8-bit numbers, behind which the scales of their groups are."""
    places = []
    for name, shape in tensors:
        count = math.prod(shape)
        numbers = TensorPlace(name, path, "I8", (count,), at, count)
        scales = TensorPlace(name, path, "F32", (count // group,), at + count, count // group)
        make = partial(_widened, numbers, scales, shape)
        places.append(dataclasses.replace(numbers, kind="F32", shape=shape, make=make))
        at += count + count // group * _FLOAT
    return places, at


def _widened(numbers: TensorPlace, scales: TensorPlace, shape: tuple[int, ...]) -> NDArray[np.float32]:
    grouped = rows(numbers).reshape(scales.numel, -1) * read(scales)[:, None]
    return grouped.astype(np.float32, copy=False).reshape(shape)


def _first_order(sizes: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield names and shapes in the first form's order: each kind for all layers, then the next."""
    shapes = dict([*_norms(sizes), *_matrices(sizes)])
    kinds = ("attention_norm", "attention.wq", "attention.wk", "attention.wv", "attention.wo", "ffn_norm",
             "feed_forward.w1", "feed_forward.w2", "feed_forward.w3")  # fmt: skip
    layers = [f"layers.{layer}.{kind}.weight" for kind in kinds for layer in range(sizes.layers)]
    for name in ("tok_embeddings.weight", *layers, "norm.weight"):
        yield name, shapes[name]
    for name in ("freqs_cos", "freqs_sin"):
        yield name, (sizes.window, sizes.dim // sizes.heads // 2)
    if not sizes.shared:
        yield "output.weight", shapes["output.weight"]


def _norms(sizes: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    for kind in ("attention_norm", "ffn_norm"):
        yield from ((f"layers.{layer}.{kind}.weight", (sizes.dim,)) for layer in range(sizes.layers))
    yield "norm.weight", (sizes.dim,)


def _matrices(sizes: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    dim, hidden, kv_dim = sizes.dim, sizes.hidden, sizes.kv_heads * (sizes.dim // sizes.heads)
    yield "tok_embeddings.weight", (sizes.vocabulary, dim)
    kinds: tuple[tuple[str, tuple[int, ...]], ...] = (
        ("attention.wq", (dim, dim)), ("attention.wk", (kv_dim, dim)), ("attention.wv", (kv_dim, dim)),
        ("attention.wo", (dim, dim)), ("feed_forward.w1", (hidden, dim)), ("feed_forward.w2", (dim, hidden)),
        ("feed_forward.w3", (hidden, dim)),
    )  # fmt: skip
    for kind, shape in kinds:
        yield from ((f"layers.{layer}.{kind}.weight", shape) for layer in range(sizes.layers))
    if not sizes.shared:
        yield "output.weight", (sizes.vocabulary, dim)


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path.name} is damaged: {why}", "copy the file again, or export it again")
