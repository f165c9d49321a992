"""Reads a model folder's weights without torch, and lays them out as gpt.c streams them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray

from tinygpt_tui.checkpoints.card import CONFIG, WEIGHTS, read_config
from tinygpt_tui.errors import CheckpointError, storage_error
from tinygpt_tui.settings.architecture import GPTSettings

Floats = NDArray[np.float32]

PANEL, LANES = 64, 16  # columns of a panel, and what its width is rounded up to: as in gpt.c
_LINE = 64  # bytes of a cache line
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
EMBEDDING, HEAD = "transformer.wte.weight", "lm_head.weight"


@dataclass(frozen=True)
class NativeWeights:
    """A model's weights as gpt.c wants them: `net` and each of `layers` by the names in library.py.

    Every array is one-dimensional, contiguous, aligned, and a part of the one block that holds all of them.
    """

    settings: GPTSettings
    net: Mapping[str, Floats]
    layers: tuple[Mapping[str, Floats], ...]


def supports(settings: object) -> bool:
    """Whether gpt.c decodes nets of these settings."""
    return isinstance(settings, GPTSettings)


def read_weights(folder: Path) -> NativeWeights:
    """Read a model folder. Raises CheckpointError where a part is missing, damaged, or does not fit; StorageError."""
    settings: object = read_config(folder).architecture
    if not isinstance(settings, GPTSettings):
        raise CheckpointError(f"{folder.name} is not a GPT", "the torch engine reads it")
    return arrange(settings, _read_tensors(folder / WEIGHTS), folder.name)


def arrange(settings: GPTSettings, tensors: Mapping[str, NDArray[Any]], name: str = "this model") -> NativeWeights:
    """Lay out a state dict, with or without the copy of a tied head. Raises CheckpointError, which says `name`."""
    _check_sizes(settings, name)
    if settings.tied_head and EMBEDDING in tensors:
        tensors = {**tensors, HEAD: tensors[EMBEDDING]}
    _check_fit(shapes(settings), tensors, name)
    net = dict(_net_parts(settings, tensors))
    layers = [dict(_layer_parts(settings, tensors, layer)) for layer in range(settings.n_layer)]
    block = _Block(sum(_room(part) for parts in (net, *layers) for part in parts.values()))
    return NativeWeights(
        settings,
        {name: block.put(part) for name, part in net.items()},
        tuple({name: block.put(part) for name, part in parts.items()} for parts in layers),
    )


def shapes(settings: GPTSettings) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor in the state dict of a GPT with these settings."""
    s = settings
    V, T, C = s.vocab_size, s.block_size, s.n_embd
    pair_rows, triple_rows = ngram_rows(s)
    found: dict[str, tuple[int, ...] | None] = {
        EMBEDDING: (V, C),
        "transformer.wpe.weight": (T, C) if s.positions == "learned" else None,
        "transformer.ngrams.pairs.weight": (pair_rows, C) if s.ngram_rows else None,
        "transformer.ngrams.triples.weight": (triple_rows, C) if s.ngram_rows else None,
        **_norm_shapes(s, "transformer.ln_f"),
        HEAD: (V, C),
        "lm_head.bias": (V,) if s.head_bias else None,
    }
    for layer in range(s.n_layer):
        at = f"transformer.h.{layer}"
        shares = (s.token_shift, C) if s.token_shift else None
        found |= {
            **_norm_shapes(s, f"{at}.ln_1"),
            f"{at}.attn.c_attn.weight": (3 * C, C),
            f"{at}.attn.c_attn.bias": (3 * C,) if s.qkv_bias else None,
            f"{at}.attn.c_proj.weight": (C, C),
            f"{at}.attn.c_proj.bias": (C,) if s.bias else None,
            **_norm_shapes(s, f"{at}.ln_2"),
            f"{at}.mlp.c_fc.weight": (4 * C, C),
            f"{at}.mlp.c_fc.bias": (4 * C,) if s.bias else None,
            f"{at}.mlp.c_proj.weight": (C, 4 * C),
            f"{at}.mlp.c_proj.bias": (C,) if s.bias else None,
            f"{at}.shift_1.shares": shares,
            f"{at}.shift_2.shares": shares,
        }
    return {name: shape for name, shape in found.items() if shape is not None}


def ngram_rows(settings: GPTSettings) -> tuple[int, int]:
    """Return the rows of the pair table and of the triple table; see architectures/ngrams.py."""
    return min((settings.vocab_size + 1) ** 2, settings.ngram_rows), settings.ngram_rows


def rotation_table(block_size: int, head_size: int, base: float = 10_000.0) -> Floats:
    """Return cosine and sine of RoPE's angles, (T, D/2, 2); see architectures/attention.py."""
    frequencies = base ** (-np.arange(0, head_size, 2, dtype=np.float64) / head_size)
    angles = np.outer(np.arange(block_size, dtype=np.float64), frequencies)
    return np.stack((np.cos(angles), np.sin(angles)), axis=-1).astype(np.float32)


@dataclass(frozen=True)
class _Panels:
    """A linear layer's weight (out, in), to be laid out as panels (in, out)."""

    weight: NDArray[Any]


_Part = NDArray[Any] | _Panels  # arrays are kept as they are


def _net_parts(settings: GPTSettings, tensors: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, _Part]]:
    names = {
        "embedding": EMBEDDING,
        "positions": "transformer.wpe.weight",
        "pairs": "transformer.ngrams.pairs.weight",
        "triples": "transformer.ngrams.triples.weight",
        "norm_weight": "transformer.ln_f.weight",
        "norm_bias": "transformer.ln_f.bias",
        "head_bias": "lm_head.bias",
    }
    yield from ((part, tensors[name]) for part, name in names.items() if name in tensors)
    yield "head", _Panels(tensors[HEAD])
    if settings.positions == "rotary":
        yield "turns", rotation_table(settings.block_size, settings.head_size)


def _layer_parts(settings: GPTSettings, tensors: Mapping[str, NDArray[Any]], layer: int) -> Iterator[tuple[str, _Part]]:
    at, C = f"transformer.h.{layer}", settings.n_embd
    for place, part in enumerate(("query", "key", "value")):
        rows = slice(place * C, (place + 1) * C)
        yield part, _Panels(tensors[f"{at}.attn.c_attn.weight"][rows])
        if settings.qkv_bias:
            yield f"{part}_bias", tensors[f"{at}.attn.c_attn.bias"][rows]
    matrices = {"projection": "attn.c_proj", "widen": "mlp.c_fc", "narrow": "mlp.c_proj"}
    for part, name in matrices.items():
        yield part, _Panels(tensors[f"{at}.{name}.weight"])
    vectors = {
        "norm_1_weight": "ln_1.weight", "norm_1_bias": "ln_1.bias", "shift_1": "shift_1.shares",
        "norm_2_weight": "ln_2.weight", "norm_2_bias": "ln_2.bias", "shift_2": "shift_2.shares",
        **{f"{part}_bias": f"{name}.bias" for part, name in matrices.items()},
    }  # fmt: skip
    yield from ((part, tensors[f"{at}.{name}"]) for part, name in vectors.items() if f"{at}.{name}" in tensors)


def _norm_shapes(settings: GPTSettings, at: str) -> dict[str, tuple[int, ...] | None]:
    learned = settings.norm_weight
    biased = learned and settings.bias and settings.norm == "layernorm"
    width = (settings.n_embd,)
    return {f"{at}.weight": width if learned else None, f"{at}.bias": width if biased else None}


def padded(count: int) -> int:
    """Return `count` rounded up to whole LANES."""
    return -(-count // LANES) * LANES


def _room(part: _Part) -> int:
    """How many floats a part takes, with what brings the next one to a whole cache line."""
    if isinstance(part, _Panels):
        width, height = part.weight.shape
        return int(height) * padded(width)
    return padded(part.size)  # a bias is read up to its padded width


class _Block:
    """One stretch of zeros: large enough, it lies in huge pages, which a stream of weights crosses faster."""

    def __init__(self, floats: int) -> None:
        self._floats, self._used = aligned_zeros(floats), 0

    def put(self, part: _Part) -> Floats:
        """Copy a part behind the others; return where it lies."""
        taken = self._floats[self._used : self._used + _room(part)]
        self._used += taken.size
        if isinstance(part, _Panels):
            _lay_panels(part.weight, taken)
        else:
            taken[: part.size] = part.ravel()
        return taken


def aligned_zeros(floats: int) -> Floats:
    """Return zeros (floats,) that begin at a cache line."""
    room = np.zeros(floats + _LINE // 4, dtype=np.float32)
    start = -room.ctypes.data % _LINE // 4
    return room[start : start + floats]


def _lay_panels(weight: NDArray[Any], to: Floats) -> None:
    """Lay weight (out, in) out in `to`: panels of 64 columns of its transpose, each row-major, zeros at the end."""
    width, height = weight.shape
    whole = width // PANEL
    edge = whole * PANEL
    to[: edge * height].reshape(whole, height, PANEL)[...] = (
        weight[:edge].reshape(whole, PANEL, height).transpose(0, 2, 1)
    )
    if edge < width:
        to[edge * height :].reshape(height, padded(width) - edge)[:, : width - edge] = weight[edge:].T


def _read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        entries = safetensors.deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except FileNotFoundError:
        raise CheckpointError(
            f"{path.parent.name} has no weights yet", "its training has just begun; try again soon"
        ) from None
    except OSError as error:
        raise storage_error(error, path) from error
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is damaged: {error}", "copy the file again, or train the model again") from None
    return {name: _tensor(name, entry, path) for name, entry in entries}


def _tensor(name: str, entry: Mapping[str, Any], path: Path) -> NDArray[Any]:
    dtype = entry["dtype"]
    if dtype not in _DTYPES:
        raise CheckpointError(f"{path}: {name} is made of {dtype}, not of floats", "the file is damaged")
    numbers = np.frombuffer(entry["data"], dtype=_DTYPES[dtype]).reshape(entry["shape"])
    # numpy has no bfloat16: it is the upper half of a float32.
    return (numbers.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else numbers


def _check_sizes(settings: GPTSettings, name: str) -> None:
    positive = ("vocab_size", "block_size", "n_layer", "n_head", "n_embd")
    wrong = [size for size in positive if getattr(settings, size) < 1]
    if wrong or not 0 <= settings.token_shift <= 3 or settings.ngram_rows < 0 or settings.n_embd > 4096:
        raise CheckpointError(f"{CONFIG} of {name} cannot be: a size is out of its limits", "the file is damaged")
    if settings.n_embd % settings.n_head:
        raise CheckpointError(
            f"{CONFIG} of {name} cannot be: n embd {settings.n_embd} is not shared among {settings.n_head} heads",
            "the file is damaged",
        )
    if settings.positions == "rotary" and settings.head_size % 2:
        raise CheckpointError(
            f"{CONFIG} of {name} cannot be: rotary positions turn pairs, a head has {settings.head_size} numbers",
            "the file is damaged",
        )


def _check_fit(wanted: Mapping[str, tuple[int, ...]], tensors: Mapping[str, NDArray[Any]], name: str) -> None:
    missing, extra = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    other = sorted(key for key in wanted.keys() & tensors.keys() if tensors[key].shape != wanted[key])
    if missing or extra or other:
        found = "; ".join(
            f"{words} {', '.join(names[:3])}"
            for words, names in (("missing:", missing), ("unknown:", extra), ("other shape:", other))
            if names
        )
        raise CheckpointError(f"the weights of {name} do not fit its {CONFIG} ({found})", "copy the folder again")
    strange = sorted(key for key in tensors if tensors[key].dtype.kind != "f")
    if strange:
        raise CheckpointError(f"{name}: {', '.join(strange[:3])} is not made of floats", "the file is damaged")
