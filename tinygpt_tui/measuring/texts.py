"""Whether every engine writes what naive writes, id for id, across the window's edge."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from tinygpt_tui.generation.base import Engine
from tinygpt_tui.measuring.report import TextCheck
from tinygpt_tui.measuring.variants import Nets, write
from tinygpt_tui.settings.sampling import SamplingSettings

_GREEDY = SamplingSettings(temperature=0.0)


def check_texts(nets: Nets, tokens: int) -> Iterator[TextCheck]:
    """Yield what each engine's greedy text of that many tokens, by the exact policy, is compared with naive's."""
    prompt = list(range(nets.size.prompt))
    wanted = list(nets.naive.generate(prompt, tokens, temperature=0))
    yield check(nets, prompt, wanted, "torch", nets.torch_engine("exact"))
    if nets.library:
        yield check(nets, prompt, wanted, "native", nets.native_engine("exact"))
        yield check(nets, prompt, wanted, "native int8", nets.native_engine("exact", "int8"), approximate=True)


def check(
    nets: Nets, prompt: list[int], wanted: list[int], way: str, engine: Engine, approximate: bool = False
) -> TextCheck:
    """Compare the greedy text of `engine` with `wanted`; where they part, nothing behind it is written."""
    at: int | None = None
    for place, (found, right) in enumerate(zip(write(engine, prompt, len(wanted), _GREEDY), wanted, strict=True)):
        if found != right:
            at = place
            break
    return TextCheck(
        way=way,
        tokens=len(wanted),
        different=len(set(wanted)),
        approximate=approximate,
        differs_at=at,
        gap=None if at is None else _gap(nets, prompt + wanted[:at]),
    )


@torch.no_grad()
def _gap(nets: Nets, ids: list[int]) -> float:
    """Return how far apart naive's two highest logits after `ids` are."""
    logits = nets.naive(torch.tensor([ids[-nets.naive.block_size :]]))[0, -1]
    first, second = logits.topk(2).values.tolist()
    return float(first - second)
