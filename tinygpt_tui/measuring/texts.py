"""Whether every engine writes the same text, id for id: naive's across the window's edge, and llama.cpp's inside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tinygpt_tui.measuring.nets import PRECISIONS, Nets
from tinygpt_tui.measuring.report import TextCheck
from tinygpt_tui.measuring.variants import LLAMA_CPP, NAIVE, NATIVE, write
from tinygpt_tui.settings.sampling import SamplingSettings

_GREEDY = SamplingSettings(temperature=0.0)


@dataclass(frozen=True)
class Reference:
    """The greedy text `ids` that `way` writes after `prompt`; `logits` returns (1, V) after given ids (1, T)."""

    way: str
    prompt: list[int]
    ids: list[int]
    logits: Callable[[Tensor], Tensor]


def check_texts(nets: Nets, tokens: int) -> Iterator[TextCheck]:
    """Yield what each engine's greedy text of that many tokens, by the exact policy, is compared with naive's."""
    reference = naives(nets, list(range(nets.size.prompt)), tokens)
    yield check(reference, "torch", write(nets.torch_engine("exact"), reference.prompt, tokens, _GREEDY))
    for weights in PRECISIONS if nets.library else ():
        text = write(nets.native_engine("exact", weights), reference.prompt, tokens, _GREEDY)
        yield check(reference, NATIVE[weights], text, approximate=weights == "int8")


def check_llamas(nets: Nets) -> Iterator[TextCheck]:
    """Yield what the greedy texts of the Llama that are timed afterwards are compared with llama.cpp's."""
    if nets.no_llama_cpp:
        return
    prompt, tokens = list(range(nets.size.prompt)), nets.size.new
    texts = {weights: theirs.greedy(prompt, tokens) for weights, theirs in nets.llama_cpp.items()}
    model = nets.model("llama")
    reference = Reference(LLAMA_CPP["fp32"], prompt, texts["fp32"], lambda ids: model(ids)[:, -1])
    yield check(reference, LLAMA_CPP["int8"], texts["int8"], approximate=True)
    for weights in PRECISIONS if nets.library else ():
        text = write(nets.native_engine("exact", weights, "llama"), prompt, tokens, _GREEDY)
        yield check(reference, NATIVE[weights], text, approximate=weights == "int8")


def naives(nets: Nets, prompt: list[int], tokens: int) -> Reference:
    """Return naive's text after `prompt`."""
    ids = list(nets.naive.generate(prompt, tokens, temperature=0))
    return Reference(NAIVE, prompt, ids, lambda ids: nets.naive(ids[:, -nets.naive.block_size :])[:, -1])


def check(reference: Reference, way: str, text: Iterable[int], approximate: bool = False) -> TextCheck:
    """Compare a text with the reference's; where they part, nothing behind it is written."""
    at = next((at for at, (found, right) in enumerate(zip(text, reference.ids, strict=True)) if found != right), None)
    return TextCheck(
        way=way,
        of=reference.way,
        tokens=len(reference.ids),
        different=len(set(reference.ids)),
        approximate=approximate,
        differs_at=at,
        gap=None if at is None else _gap(reference, at),
    )


@torch.no_grad()
def _gap(reference: Reference, at: int) -> float:
    """Return how far apart the two highest logits are from which the token `at` was chosen."""
    logits = reference.logits(torch.tensor([reference.prompt + reference.ids[:at]]))[0]
    first, second = logits.topk(2).values.tolist()
    return float(first - second)
