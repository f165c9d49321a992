"""The roles of the tensors of one block: attention, MLP, norms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.rename import To
from tinygpt_tui.foreign.roles.blocks import Part
from tinygpt_tui.foreign.roles.names import (
    Path,
    follows,
    is_bias,
    is_parameter,
    kind_of,
    norm_of_heads,
    numbers,
    owner,
    projection_of,
    words,
)


class NoAttentionError(CheckpointError):
    """What was looked at has no attention; it is perhaps of another kind."""


PROJECTIONS = ("q", "k", "v")
MOST_SHOWN = 3
_DOWN = {"down", "proj", "out", "output", "contract", "2", "w2", "fc2", "narrow"}


@dataclass(frozen=True)
class Matrix:
    """A matrix and its bias; `path` is their owner's."""

    path: Path
    weight: Part
    bias: Part | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its weight, as the file has it."""
        return self.weight.shape


@dataclass(frozen=True)
class NormParts:
    """A norm's vectors."""

    path: Path
    weight: Part
    bias: Part | None


@dataclass
class BlockRoles:
    """What one block is made of: `places` are the paths of its tensors and our names for them."""

    places: list[tuple[Path, To]] = field(default_factory=list)
    heads: int = 0  # counted; 0: shapes do not tell
    query_width: int = 0
    kv_width: int = 0
    hidden: int = 0
    layers_of_mlp: int = 0  # 0 to 3
    projection: bool = False
    qkv_bias: bool = False
    bias: bool = False
    norms: int = 0
    norm_bias: bool = False
    qk_norm: int = 0  # width of the norms of queries and keys; 0: none
    is_torch_attention: bool = False
    # What names leave open.
    qkv_order: str = "known"  # or fused, unnamed, per_head
    norm_order_known: bool = True
    mlp_order_known: bool = True


def entries(parts: Iterable[Part], width: int) -> tuple[list[Matrix], list[NormParts], list[Part]]:
    """Return matrices with their biases, norms of `width`, and vectors that are neither.

    Raises CheckpointError for a tensor of three dimensions.
    """
    owned: dict[Path, list[Part]] = {}
    for part in parts:
        if len(part.shape) > 2:
            raise CheckpointError(f"{part.name} has {len(part.shape)} dimensions", "only matrices and vectors are read")
        owned.setdefault(owner(part.path), []).append(part)
    matrices, norms, others = [], [], []
    for path, held in owned.items():
        flat = [part for part in held if len(part.shape) == 1]
        square = [part for part in held if len(part.shape) == 2]
        if len(square) == 1 and len(flat) <= 1 and all(part.shape[0] in square[0].shape for part in flat):
            matrices.append(Matrix(path, square[0], flat[0] if flat else None))
        elif not square and len(flat) <= 2 and all(part.shape == (width,) for part in flat):
            flat.sort(key=lambda part: is_bias(part.path))
            norms.append(NormParts(path, flat[0], flat[1] if len(flat) > 1 else None))
        else:
            matrices += [Matrix(path, part, None) for part in square]
            others += flat
    return matrices, norms, others


def width_of(parts: Mapping[Path, Part]) -> set[int]:
    """Return what may be the width of the stream: the sizes that all matrices of a block have on one side."""
    shapes = [set(part.shape) for part in parts.values() if len(part.shape) == 2]
    return set.intersection(*shapes) if shapes else set()


def block_roles(parts: Mapping[Path, Part], width: int) -> BlockRoles:
    """Return the roles of a block's tensors in a net of this width.

    Raises CheckpointError, which names the tensors that have none.
    """
    roles = BlockRoles()
    of_heads = _norms_of_heads(roles, parts)
    matrices, norms, others = entries((part for path, part in parts.items() if path not in of_heads), width)
    if others:
        raise without_role(others)
    attention, mlp = _divided(matrices, width)
    if not attention:
        raise NoAttentionError("its blocks have no attention", "")
    turned = {bare: _is_turned(mlp, attention, width, bare) for bare in (False, True)}
    _tell_attention(roles, attention, width, turned)
    _tell_mlp(roles, mlp, width, turned)
    _tell_norms(roles, norms)
    if roles.qk_norm and (roles.query_width % roles.qk_norm or roles.query_width == roles.qk_norm):
        raise without_role([parts[path] for path in of_heads])
    return roles


def _norms_of_heads(roles: BlockRoles, parts: Mapping[Path, Part]) -> set[Path]:
    """Give the norms of queries and keys, each as wide as a head, their places; return their paths."""
    found = {kind: [path for path in parts if norm_of_heads(path) == kind] for kind in "qk"}
    paths = {path for kind in found.values() for path in kind}
    widths = {parts[path].shape for path in paths}
    if not (len(found["q"]) == len(found["k"]) == 1 and len(widths) == 1 and len(*widths) == 1):
        return set()
    (roles.qk_norm,) = widths.pop()
    roles.places += [(path, To(f"attn.{kind}_norm.weight")) for kind, (path,) in found.items()]
    return paths


def without_role(parts: Iterable[Part]) -> CheckpointError:
    """Return the error that names tensors for which there is no role."""
    named = [f"{part.name} ({' x '.join(map(str, part.shape))})" for part in parts]
    more = f" and {len(named) - MOST_SHOWN} more" if len(named) > MOST_SHOWN else ""
    return CheckpointError(
        f"no role is known for {', '.join(named[:MOST_SHOWN])}{more}", "it has a part that a GPT here does not have"
    )


def _divided(matrices: list[Matrix], width: int) -> tuple[list[Matrix], list[Matrix]]:
    """Return the matrices of attention and those of the MLP: by name where it says, else by shape."""
    attention = [one for one in matrices if kind_of(one.path) == "attention"]
    mlp = [one for one in matrices if kind_of(one.path) == "mlp"]
    unnamed = [one for one in matrices if one not in attention and one not in mlp]
    if not attention and len(mlp) > 3:  # `linear` is said of everything
        mlp, unnamed = [], matrices
    shapes = [one.shape for one in unnamed]
    wide = [
        one
        for one in unnamed
        if one.shape[0] != one.shape[1] and (one.shape[::-1] in shapes or one.shape not in _threefold(width))
    ]
    if attention:
        squares = [one for one in unnamed if one not in wide]
        room = 0 if any(_is_output(one) for one in attention) or mlp == [] == wide else 1
        return attention + squares[:room], [*mlp, *wide, *squares[room:]]
    squares = [one for one in unnamed if one not in wide]
    fused = [one for one in squares if one.shape in _threefold(width)]
    room = len(fused) + 1 if fused else len(squares) if wide or mlp else min(4, len(squares))
    return squares[:room], [*mlp, *wide, *squares[room:]]


def _threefold(width: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (3 * width, width), (width, 3 * width)


def _is_output(one: Matrix) -> bool:
    return not projection_of(one.path)


def _is_turned(mlp: list[Matrix], attention: list[Matrix], width: int, bare: bool) -> bool:
    """Whether matrices are (in, out): as those that are no squares show, else as bare parameters mostly are."""
    mlp, attention = ([one for one in group if is_parameter(one.weight.path) == bare] for group in (mlp, attention))
    for one in attention:
        if one.shape in _threefold(width) and projection_of(one.path) in ("qkv", ""):
            return one.shape == (width, 3 * width)
    for one in mlp:
        if one.bias is not None and one.shape[0] != one.shape[1]:
            return one.bias.shape[0] == one.shape[1]
    ordered = _in_mlp_order(mlp)
    if len(ordered) > 1 and ordered[0].shape[0] != ordered[0].shape[1]:
        return ordered[0].shape[0] == width
    return bare


def _made(one: Matrix, turned: Mapping[bool, bool], *, reads: int = 0, makes: int = 0) -> tuple[int, int, bool]:
    """Return how many numbers a matrix makes and reads, and whether the file has it (in, out)."""
    rows, columns = one.shape
    is_turned = turned[is_parameter(one.weight.path)]
    if rows != columns:
        is_turned = (rows == reads and columns != reads) if reads else (columns == makes and rows != makes)
    return (columns, rows, True) if is_turned else (rows, columns, False)


def _tell_attention(roles: BlockRoles, attention: list[Matrix], width: int, turned: Mapping[bool, bool]) -> None:
    made = {kind: [one for one in attention if projection_of(one.path) == kind] for kind in (*PROJECTIONS, "kv", "qkv")}
    rest = sorted((one for one in attention if not projection_of(one.path)), key=lambda one: numbers(one.path))
    if not any(made.values()):
        _by_shape(roles, made, rest, width)
    count = len(made["qkv"]) or len(made["q"])
    rows = [made["qkv"]] if made["qkv"] else [made["q"], *([made["kv"]] if made["kv"] else [made["k"], made["v"]])]
    complete = bool(made["qkv"]) != bool(made["q"]) and all(len(one) == count for one in rows)
    if not complete or len(rest) > 1 or (made["kv"] and count > 1):
        raise without_role([one.weight for one in attention])
    widths = []
    for place, group in enumerate(rows):
        for head, one in enumerate(sorted(group, key=lambda one: numbers(one.path))):
            makes, reads, is_turned = _made(one, turned, reads=width)
            if reads != width or (one.bias is not None and one.bias.shape != (makes,)):
                raise without_role([one.weight])
            widths.append(makes)
            part = f"{head}" if made["qkv"] else f"{place}.{head}"
            _put(roles, one, "attn.c_attn", To("", part, is_turned))
    if made["qkv"]:
        roles.query_width = roles.kv_width = sum(widths) // 3
        roles.qkv_order = "per_head" if count > 1 else roles.qkv_order if roles.qkv_order != "known" else "fused"
    else:
        roles.query_width = sum(widths[:count])
        roles.kv_width = sum(widths[count:]) // 2
    roles.heads = count if count > 1 else 0
    roles.qkv_bias = any(one.bias is not None for group in rows for one in group)
    roles.is_torch_attention = any("in_proj_weight" in one.weight.path[-1] for one in attention)
    if roles.is_torch_attention:
        roles.qkv_order = "known"
    if rest:
        makes, reads, is_turned = _made(rest[0], turned, makes=width)
        if (makes, reads) != (width, roles.query_width):
            raise without_role([rest[0].weight])
        _put(roles, rest[0], "attn.c_proj", To("", "", is_turned))
        roles.projection = True
        roles.bias = rest[0].bias is not None


def _by_shape(roles: BlockRoles, made: dict[str, list[Matrix]], rest: list[Matrix], width: int) -> None:
    """Take the matrices of attention whose names say nothing as they come: queries, keys, values, projection."""
    fused = [one for one in rest if one.shape in _threefold(width)]
    if len(fused) == 1:
        made["qkv"] = fused
    elif len(rest) in (3, 4):
        made |= {kind: [one] for kind, one in zip(PROJECTIONS, rest, strict=False)}
        roles.qkv_order = "unnamed"
    for one in [one for group in made.values() for one in group]:
        rest.remove(one)


def _tell_mlp(roles: BlockRoles, mlp: list[Matrix], width: int, turned: Mapping[bool, bool]) -> None:
    if len(mlp) > 3:
        raise without_role([one.weight for one in mlp])
    ordered = _in_mlp_order(mlp)
    if len(ordered) == 3:
        ordered = _gated(roles, ordered)
    names = {1: ("c_fc",), 2: ("c_fc", "c_proj"), 3: ("c_gate", "c_fc", "c_proj")}.get(len(ordered), ())
    for name, one in zip(names, ordered, strict=True):
        narrows = name == "c_proj"
        made = _made(one, turned, **({"makes": width} if narrows else {"reads": width}))
        inner, outer = (made[1], made[0]) if narrows else (made[0], made[1])
        roles.hidden = roles.hidden or inner
        if outer != width or inner != roles.hidden or (one.bias is not None and one.bias.shape != (made[0],)):
            raise without_role([one.weight])
        _put(roles, one, f"mlp.{name}", To("", "", made[2]))
        roles.bias = roles.bias or one.bias is not None
    roles.layers_of_mlp = len(ordered)
    if len(ordered) == 2 and roles.hidden == width:
        roles.mlp_order_known = len({numbers(one.path) for one in ordered}) == 2 or _narrows(ordered[1])


def _in_mlp_order(mlp: list[Matrix]) -> list[Matrix]:
    """Return the matrices of an MLP with the one that narrows last."""
    rows = [one.bias.shape[0] for one in mlp if one.bias is not None]
    if len(mlp) == 2 and len(set(rows)) == 2:  # the bias of the first has as many numbers as there are inside
        widest = max(mlp, key=lambda one: one.bias.shape[0] if one.bias is not None else 0)
        narrow = min(rows)
        if set(widest.shape) == {max(rows), narrow}:
            return [widest, next(one for one in mlp if one is not widest)]
    return sorted(mlp, key=lambda one: (_narrows(one), numbers(one.path)))


def _narrows(one: Matrix) -> bool:
    last = [part for part in one.path if part][-1:]
    return any({*words(part), part.lower()} & _DOWN for part in last) and not last[0].isdigit()


def _gated(roles: BlockRoles, three: list[Matrix]) -> list[Matrix]:
    """Return gate, widening and narrowing matrix: two have the same shape, and the third is the one that narrows."""
    narrow = [one for one in three if sum(other.shape == one.shape for other in three) == 1]
    last = narrow[0] if len(narrow) == 1 else next((one for one in three if _narrows(one)), three[-1])
    first = [one for one in three if one is not last]
    first.sort(key=lambda one: (not any("gate" in words(part) for part in one.path), numbers(one.path)))
    roles.mlp_order_known = any("gate" in words(part) for part in first[0].path)
    return [*first, last]


def _tell_norms(roles: BlockRoles, norms: list[NormParts]) -> None:
    if len(norms) > (2 if roles.layers_of_mlp else 1):
        raise CheckpointError(
            f"its blocks have {len(norms)} norms ({', '.join(norm.weight.name for norm in norms[:4])})",
            "a block here has at most 2",
        )
    ordered = sorted(norms, key=_norm_place)
    roles.norm_order_known = len(norms) < 2 or _norm_place(ordered[0]) < _norm_place(ordered[1])
    for place, norm in enumerate(ordered, 1):
        for kind, part in (("weight", norm.weight), ("bias", norm.bias)):
            if part is not None:
                roles.places.append((part.path, To(f"ln_{place}.{kind}")))
    roles.norms = len(norms)
    roles.norm_bias = any(norm.bias is not None for norm in norms)
    roles.bias = roles.bias or roles.norm_bias


def _norm_place(norm: NormParts) -> tuple[int, tuple[int, ...]]:
    """Return where a norm is in its block, as far as its name says: that of attention first, then by number."""
    kind = kind_of(norm.path)
    of_mlp = kind == "mlp" or (kind == "attention" and follows(norm.path))
    return 0 if kind == "attention" and not of_mlp else 2 if of_mlp else 1, numbers(norm.path)


def _put(roles: BlockRoles, one: Matrix, name: str, to: To) -> None:
    roles.places.append((one.weight.path, To(f"{name}.weight", to.part, to.turned)))
    if one.bias is not None:
        roles.places.append((one.bias.path, To(f"{name}.bias", to.part)))
