"""Weights that a file holds as what they are computed from, in stacks of heads, or twice: made plain matrices, once.

Weight norm and spectral norm of torch, in the old names and in those of `torch.nn.utils.parametrizations`;
TransformerLens's stacks of heads; averaged copies (EMA) beside the weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.foreign.tensors import TensorPlace, read

Places = Mapping[str, TensorPlace]
Numbers = NDArray[np.float32]
COPIES = ("ema", "shadow", "averaged", "swa")  # in the first part of their names
_NEW = ".parametrizations."
_STACKS = {"W_Q": "b_Q", "W_K": "b_K", "W_V": "b_V"}  # (H, C, D) and (H, D)


def plain_weights(tensors: Places) -> tuple[dict[str, TensorPlace], tuple[str, ...]]:
    """Return the weights as plain matrices, and what averaged copies, which are left out, were called."""
    stored, copies = _without_copies(tensors)
    found = dict(stored)
    for name in stored:
        for pattern, make in _PARAMETRISED.items():
            _replace(found, stored, name, pattern, make)
        if name.endswith((".W_Q", ".W_K", ".W_V", ".W_O")) and len(stored[name].shape) == 3:
            _unstack(found, stored, name)
    return found, copies


def _without_copies(tensors: Places) -> tuple[dict[str, TensorPlace], tuple[str, ...]]:
    """Leave out averaged copies where the weights themselves are there, too: at least as many numbers."""
    first = {name: name.partition(".")[0] for name in tensors}
    copies = {part for part in first.values() if any(word in part.lower().split("_") for word in COPIES)}
    stored = {name: place for name, place in tensors.items() if first[name] not in copies}
    averaged = sum(place.numel for name, place in tensors.items() if name not in stored)
    if not averaged or sum(place.numel for place in stored.values()) < averaged // 2:
        return dict(tensors), ()
    return stored, tuple(sorted(copies))


def _weight_norm(magnitude: TensorPlace, direction: TensorPlace) -> Numbers:
    """Return g v / |v|; a magnitude (O, 1, …) has one for each row, a single one is of the whole."""
    g, v = read(magnitude), read(direction)
    axes = tuple(at for at in range(v.ndim) if g.ndim != v.ndim or g.shape[at] == 1)
    return np.asarray(v * (g / np.sqrt(np.square(v).sum(axis=axes, keepdims=True))), dtype=np.float32)


def _spectral_norm(weight: TensorPlace, left: TensorPlace, right: TensorPlace) -> Numbers:
    """Return W / (uᵀ W v), the vectors (O) and (I) as the last step left them."""
    w = read(weight)
    scale = read(left) @ w.reshape(len(w), -1) @ read(right)
    return np.asarray(w / scale, dtype=np.float32)


# The last names of the tensors that make one weight, and what is done with them; the last but one is the weight's name.
_PARAMETRISED: dict[tuple[str, ...], Callable[..., Numbers]] = {
    ("{}_g", "{}_v"): _weight_norm,
    (f"{_NEW}{{}}.original0", f"{_NEW}{{}}.original1"): _weight_norm,
    ("{}_orig", "{}_u", "{}_v"): _spectral_norm,
    (f"{_NEW}{{}}.original", f"{_NEW}{{}}.0._u", f"{_NEW}{{}}.0._v"): _spectral_norm,
}


def _replace(
    found: dict[str, TensorPlace], stored: Places, name: str, pattern: tuple[str, ...], make: Callable[..., Numbers]
) -> None:
    """Replace the tensors of a pattern by the weight they make, if `name` is the first of them and all fit."""
    before, after = pattern[0].split("{}")
    if not name.endswith(after) or (before and before not in name):
        return
    owner, _, weight = name.removesuffix(after).rpartition(before or ".")
    names = [f"{owner}{'' if before else '.'}{part.format(weight)}" for part in pattern]
    if not all(one in stored and stored[one].is_float for one in names):
        return
    places = [stored[one] for one in names]
    shape = places[1].shape if make is _weight_norm else places[0].shape
    if not _fits(make, [place.shape for place in places]):
        return
    for one in names:
        found.pop(one, None)
    plain_name = f"{owner}.{weight}"
    found[plain_name] = dataclasses.replace(places[0], name=plain_name, shape=shape, make=partial(make, *places))


def _fits(make: Callable[..., Numbers], shapes: list[tuple[int, ...]]) -> bool:
    if make is _weight_norm:
        g, v = shapes
        one_each = len(g) == len(v) and all(a in (1, b) for a, b in zip(g, v, strict=True))
        return len(v) >= 2 and (one_each or g in ((), (1,)))
    w, left, right = shapes
    return len(w) >= 2 and left == w[:1] and right == (int(np.prod(w[1:])),)


def _unstack(found: dict[str, TensorPlace], stored: Places, name: str) -> None:
    """Replace a stack of heads by a matrix a head, (D, C), or that of the projection by one matrix, (C, H D)."""
    place, (owner, _, last) = found.pop(name), name.rpartition(".")
    H, rows, columns = place.shape
    if last == "W_O":
        made = f"{name}.weight"
        found[made] = dataclasses.replace(place, name=made, shape=(columns, H * rows), make=partial(_projection, place))
        if bias := found.pop(f"{owner}.b_O", None):
            found[f"{name}.bias"] = dataclasses.replace(bias, name=f"{name}.bias")
        return
    biases = stored.get(f"{owner}.{_STACKS[last]}")
    for head in range(H):
        made = f"{name}.{head}.weight"
        found[made] = dataclasses.replace(place, name=made, shape=(columns, rows), make=partial(_head, place, head))
        if biases is not None and biases.shape == (H, columns):
            found.pop(biases.name, None)
            made = f"{name}.{head}.bias"
            found[made] = dataclasses.replace(biases, name=made, shape=(columns,), make=partial(_row, biases, head))


def _head(place: TensorPlace, head: int) -> Numbers:
    return np.ascontiguousarray(read(place)[head].T)


def _row(place: TensorPlace, head: int) -> Numbers:
    return np.ascontiguousarray(read(place)[head])


def _projection(place: TensorPlace) -> Numbers:
    stack = read(place)
    return np.ascontiguousarray(stack.reshape(-1, stack.shape[-1]).T)
