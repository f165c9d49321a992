"""The roles of the tensors outside the blocks: embedding, positions, final norm, head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.roles.blocks import Part
from tinygpt_tui.foreign.roles.inside import Matrix, NormParts, entries, without_role
from tinygpt_tui.foreign.roles.names import outside_role


@dataclass(frozen=True)
class OutsideRoles:
    """What is outside the blocks; a head is None where the embedding is the head."""

    tokens: Part
    vocab_size: int
    positions: Part | None
    head: Part | None
    head_bias: Part | None
    norm: NormParts | None


def outside_roles(parts: Sequence[Part], width: int) -> OutsideRoles:
    """Return the roles of what is outside the blocks of a net of this width.

    Raises CheckpointError, which names the tensors that have none.
    """
    matrices, norms, others = entries(parts, width)
    fitting = [one for one in matrices if width in one.shape]
    if len(norms) > 1 or len(fitting) < len(matrices) or len(fitting) > 3:
        strange = [one.weight for one in matrices if one not in fitting] or [norm.weight for norm in norms]
        raise without_role(strange if len(fitting) <= 3 else [one.weight for one in fitting])
    if not fitting:
        raise CheckpointError(f"nothing in it has {width} columns, as an embedding has", "")
    tokens, positions, head = _divided(fitting, width)
    vocab_size = _rows(tokens, width)
    bias = head.bias if head else tokens.bias
    if bias is None and len(others) == 1 and others[0].shape == (vocab_size,):
        bias, others = others[0], []
    if others or (head and _rows(head, width) != vocab_size):
        raise without_role(others or [one.weight for one in fitting])
    return OutsideRoles(
        tokens.weight,
        vocab_size,
        positions.weight if positions else None,
        head.weight if head else None,
        bias,
        norms[0] if norms else None,
    )


def _rows(one: Matrix, width: int) -> int:
    rows, columns = one.shape
    return rows if columns == width else columns


def _divided(matrices: list[Matrix], width: int) -> tuple[Matrix, Matrix | None, Matrix | None]:
    """Return embedding, positions and head: by their names where those say it, else by sizes and order."""
    named = {one.weight.name: outside_role(one.weight.path) for one in matrices}
    head = next((one for one in matrices if one.bias is not None), None)
    head = head or next((one for one in matrices if one.shape[1] != width), None)  # (in, out)
    head = head or next((one for one in matrices[1:] if named[one.weight.name] == "head"), None)
    left = [one for one in matrices if one is not head]
    called = [one for one in left if named[one.weight.name] == "positions"]
    if not left:  # the only one is the head, and the embedding
        return matrices[0], None, None
    if len(left) == 1 and not called:
        return left[0], None, head
    if len(left) == 1:
        raise CheckpointError("it has positions and a head, and no embedding of tokens", "a part is missing")
    if head is None and len(left) == 3:
        rows = [_rows(one, width) for one in left]
        positions = called[0] if called else next((one for one in left if rows.count(_rows(one, width)) == 1), left[1])
        rest = [one for one in left if one is not positions]
        return rest[0], positions, rest[1]
    if head is not None and not called:
        same = [one for one in left if _rows(one, width) == _rows(head, width)]
        tokens = (
            next((one for one in left if named[one.weight.name] == "tokens"), left[0]) if len(same) != 1 else same[0]
        )
        return tokens, next(one for one in left if one is not tokens), head
    if head is None and not called and _rows(left[0], width) == _rows(left[1], width):
        return left[0], None, left[1]
    positions = called[0] if called else left[1]
    return next(one for one in left if one is not positions), positions, head
