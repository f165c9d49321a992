"""More tokens for a trained net: old ones keep their ids, their rows and what they mean."""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor

from tinygpt_tui.architectures.pair_rows import PAIRS, rearranged
from tinygpt_tui.architectures.table import build
from tinygpt_tui.settings.architecture import ArchitectureSettings

EMBEDDING, HEAD = "wte.weight", "lm_head.weight"
GROWING = (EMBEDDING, HEAD, "lm_head.bias")  # of these each token has a row of its own


def widened(weights: dict[str, Tensor], old: ArchitectureSettings, vocab_size: int, seed: int) -> dict[str, Tensor]:
    """Return the state dict `weights` of a net with `old` settings for one of `vocab_size` tokens, which are more.

    A new token's embedding is drawn like the old ones are spread; its row of the head, and its bias, are their mean, so
    that it is about as likely as any. The n-gram table of pairs is rearranged: its rows are found by the size of the
    vocabulary. While it has a row for each pair, what the net makes of the old tokens stays the same.
    """
    if vocab_size == old.vocab_size:
        return weights
    new = msgspec.structs.replace(old, vocab_size=vocab_size)
    with torch.device("meta"):
        wanted = {name: tensor.shape for name, tensor in build(new).state_dict().items()}
    random = torch.Generator().manual_seed(seed)
    wider = {}
    for name, tensor in weights.items():
        if name.endswith(PAIRS):
            rows = rearranged(tensor.numpy(), wanted[name][0], old.vocab_size, vocab_size)
            wider[name] = torch.from_numpy(rows)
            continue
        wider[name] = tensor
        if tensor.shape[:1] != wanted[name][:1]:
            wider[name] = torch.cat((tensor, _rows(name, tensor, vocab_size - old.vocab_size, random)))
        if tensor.shape[1:] != wanted[name][1:]:  # a table from token to token
            columns = wider[name].mean(1, keepdim=True).expand(-1, vocab_size - old.vocab_size)
            wider[name] = torch.cat((wider[name], columns), dim=1)
    if old.tied_head:
        (embedding,) = (tensor for name, tensor in wider.items() if name.endswith(EMBEDDING))
        wider[HEAD] = embedding
    return wider


def _rows(name: str, tensor: Tensor, count: int, random: torch.Generator) -> Tensor:
    """Return `count` rows that are like those of `tensor` (V, …)."""
    mean = tensor.mean(0, keepdim=True).expand(count, *tensor.shape[1:])
    if not name.endswith(EMBEDDING):
        return mean
    spread = tensor.std(0, correction=0, keepdim=True)
    return mean + spread * torch.randn(mean.shape, generator=random)
