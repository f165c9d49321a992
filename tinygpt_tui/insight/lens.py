"""The logit lens: what a net would guess if it ended after each of its layers.

Source: nostalgebraist 2020, "interpreting GPT: the logit lens". The layers above are stepped over and the rest of the
net (a norm, a head, whatever it has) runs as always, so that this needs to know nothing of any architecture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

from tinygpt_tui.architectures.base import Head, LanguageModel


def blocks_of(model: LanguageModel) -> list[nn.Module]:
    """Return the layers, the first one first; none for a single table."""
    for path, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and path.split(".")[-1] == "h":
            return list(module)
    return []


@torch.no_grad()
def logits_after_layers(model: LanguageModel, ids: Tensor, rows: int) -> Iterator[Tensor | None]:
    """Yield logits of the last `rows` of ids (1, T), each (1, rows, V): before the first layer, after it, … and after
    the last, which are the net's own. Without layers, those alone. None where the head cannot read what the first layer
    is given, because that has another width.
    """
    blocks = blocks_of(model)
    if not blocks:
        yield model(ids)[:, -rows:]
        return
    streams, answers = _streams(model, blocks, ids)
    for stream in streams:
        if stream.shape[-1] != streams[-1].shape[-1]:
            yield None
            continue
        try:
            for block, answer in zip(blocks, answers, strict=True):
                # Of an instance: stepped over, the last one hands on what is looked at.
                block.forward = _handing_on(stream, answer)
            logits = _logits(model, ids, rows)
        finally:
            for block in blocks:
                del block.forward
        yield logits


def _logits(model: LanguageModel, ids: Tensor, rows: int) -> Tensor:
    """Run the net; its head, whose product is by far the largest where the vocabulary is, on the last rows alone."""
    head = next((module for module in model.modules() if isinstance(module, Head)), None)
    if head is None:
        return cast(Tensor, model(ids))[:, -rows:]
    hook = head.register_forward_pre_hook(lambda head, given: (given[0][:, -rows:],))
    try:
        return cast(Tensor, model(ids))
    finally:
        hook.remove()


def _streams(model: LanguageModel, blocks: list[nn.Module], ids: Tensor) -> tuple[list[Tensor], list[Any]]:
    """Return what the first layer was given and what each made of it, and the layers' whole answers."""
    streams: list[Tensor] = []
    answers: list[Any] = []

    def seen(block: nn.Module, arguments: tuple[Any, ...], answer: Any) -> None:
        if not streams:
            streams.append(arguments[0])
        streams.append(answer[0] if isinstance(answer, tuple) else answer)
        answers.append(answer)

    hooks = [block.register_forward_hook(seen) for block in blocks]
    try:
        model(ids)
    finally:
        for hook in hooks:
            hook.remove()
    return streams, answers


def _handing_on(stream: Tensor, answer: Any) -> Any:
    given = (stream, *answer[1:]) if isinstance(answer, tuple) else stream
    return lambda *arguments, **named: given
