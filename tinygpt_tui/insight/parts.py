"""The parameters of a model as a tree, from the names and shapes of its tensors; no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

Shape = tuple[int, ...]
DEEPEST = 64  # parts of a name; what is behind is one


class Part(msgspec.Struct, frozen=True):
    """A tensor, or all whose names begin alike. `count` numbers are in it; `shape` and `kind` are a tensor's own."""

    name: str
    count: int
    shape: Shape | None = None
    kind: str = ""
    parts: tuple[Part, ...] = ()


def tree_of(tensors: Mapping[str, tuple[Shape, str]]) -> Part:
    """Return the tree of these tensors, in their order; what has one part only is one with it.

    >>> tree = tree_of({"h.0.w": ((2, 3), "F32"), "h.1.w": ((2, 3), "F32"), "head.w": ((4,), "F32")})
    >>> [(part.name, part.count) for part in tree.parts], [part.name for part in tree.parts[0].parts]
    ([('h', 12), ('head.w', 4)], ['0.w', '1.w'])
    """
    return _joined("", [(name.split(".", DEEPEST), shape, kind) for name, (shape, kind) in tensors.items()])


def _joined(name: str, tensors: list[tuple[list[str], Shape, str]]) -> Part:
    if len(tensors) == 1:
        path, shape, kind = tensors[0]
        return Part(".".join([*([name] if name else []), *path]), math.prod(shape), shape, kind)
    groups: dict[str | None, list[tuple[list[str], Shape, str]]] = {}
    for path, shape, kind in tensors:
        groups.setdefault(path[0] if path else None, []).append((path[1:], shape, kind))  # "a" is not "a."
    if len(groups) == 1 and name:
        ((only, inner),) = groups.items()
        return _joined(f"{name}.{only}", inner)
    parts = tuple(_joined(key or "", inner) for key, inner in groups.items())
    return Part(name, sum(part.count for part in parts), parts=_in_order(parts))


def _in_order(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Blocks by their number, not by the letters of it; all else as the file has it."""
    if all(part.name.split(".")[0].isdecimal() for part in parts):
        return tuple(sorted(parts, key=lambda part: int(part.name.split(".")[0])))
    return parts
