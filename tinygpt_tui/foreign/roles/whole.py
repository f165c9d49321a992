"""The roles of all tensors of a net, or which few of them keep the others from being a GPT."""

from __future__ import annotations

from collections.abc import Iterator

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.roles.blocks import Blocks, Part, candidates
from tinygpt_tui.foreign.roles.inside import MOST_SHOWN, BlockRoles, NoAttentionError, block_roles, width_of
from tinygpt_tui.foreign.roles.names import Path, kind_of
from tinygpt_tui.foreign.roles.outside import OutsideRoles, outside_roles

MOST_CANDIDATES = 60
MOST_LEFT_OUT = 80  # sets of tensors that are left out in turn


def find_roles(learned: list[Part], name: str) -> tuple[Blocks, BlockRoles, OutsideRoles, int]:
    """Return the first candidate of blocks of which every tensor has a role, inside and outside, and its width.

    Raises CheckpointError of the first numbered one that has attention, NoAttentionError where none has.
    """
    problem: CheckpointError = NoAttentionError(f"{name} has no blocks with attention", "")
    for number, blocks in enumerate(candidates(learned)):
        if number >= MOST_CANDIDATES:
            break
        sizes = {size for part in blocks.outside if len(part.shape) == 2 for size in part.shape}
        for width in sorted(width_of(blocks.layers[0]) & sizes, reverse=True):
            try:
                inside = block_roles(blocks.layers[0], width)
                return blocks, inside, outside_roles(blocks.outside, width), width
            except CheckpointError as error:
                problem = error if blocks.is_numbered and isinstance(problem, NoAttentionError) else problem
    raise problem


def not_understood(learned: list[Part], name: str) -> CheckpointError | None:
    """Return the error that names the smallest part without which the others are a GPT, and says what those are.

    None where there is no such part, or more than one of the same size.
    """
    if not any(kind_of(part.path) == "attention" for part in learned):
        return None
    found: dict[int, list[tuple[list[Part], CheckpointError]]] = {}
    for strange in _to_leave_out(learned):
        numbers = sum(part.numel for part in strange)
        if found and numbers not in found:
            break
        names = {part.name for part in strange}
        try:
            blocks, inside, outside, width = find_roles([part for part in learned if part.name not in names], name)
        except CheckpointError:
            continue
        shown = [f"{part.name} {part.shape}" for part in strange]
        more = f" and {len(shown) - MOST_SHOWN} more" if len(shown) > MOST_SHOWN else ""
        error = CheckpointError(
            f"has tensors that are not understood: {', '.join(shown[:MOST_SHOWN])}{more}",
            f"the others are understood: {len(blocks.layers)} blocks of {width} channels with attention and "
            f"{'an MLP' if inside.layers_of_mlp else 'no MLP'}, {outside.vocab_size:,} tokens; "
            "without these it would be another model",
        )
        found.setdefault(numbers, []).append((strange, error))
    same = next(iter(found.values()), [])
    return same[0][1] if len(same) == 1 else None


def _to_leave_out(learned: list[Part]) -> Iterator[list[Part]]:
    """Yield the tensors below each point of the names, those of all blocks together, the smallest first."""
    below: dict[Path, list[Part]] = {}
    for part in learned:
        kind = tuple("*" if segment.isdigit() else segment for segment in part.path)
        for length in range(1, len(kind) + 1):
            below.setdefault(kind[:length], []).append(part)
    half = sum(part.numel for part in learned) / 2
    sets = {tuple(part.name for part in parts): parts for parts in below.values()}
    sized = sorted((sum(part.numel for part in parts), number) for number, parts in enumerate(sets.values()))
    ordered = list(sets.values())
    yield from (ordered[number] for numbers, number in sized[:MOST_LEFT_OUT] if numbers < half)
