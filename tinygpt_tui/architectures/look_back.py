"""First weights with which three heads see the last tokens: what a token shift gives to nets that have one.

All embeddings share a vector. Queries and keys of these heads, in the first layer, read nothing else, and are turned so
that they match best one, two and three positions apart. What they see is added to the stream from the first step on,
as large as the embeddings. Nothing of it is fixed: training moves these weights as all others.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tinygpt_tui.settings.gpt import GPTSettings

HEADS = 3  # the first sees the token before, the second the one before that …
PAIRS = 5  # of numbers that rotate, the fastest: the others hardly differ from position to position
SHARPNESS = 4.5  # what each pair adds to the score of the position that is meant
SPREAD = 0.1  # standard deviation of embeddings, and the size of what they share


@torch.no_grad()
def look_back(embedding: Tensor, c_attn: Tensor, c_proj: Tensor | None, settings: GPTSettings) -> None:
    """Draw the embedding (V, C), and of the first layer those heads' parts, in place.

    c_attn ((H + 2 K) D, C): their rows of queries and keys; c_proj (C, H D), if there is one: their columns.
    """
    C, D, H, K = settings.n_embd, settings.head_size, settings.n_head, settings.kv_heads
    frequencies = torch.tensor(settings.rotary_frequencies[:PAIRS])
    shared = torch.where(torch.rand(C) < 0.5, -1.0, 1.0)
    embedding.normal_(std=SPREAD).add_(SPREAD * shared)
    along = C / 2**0.5  # what a normed embedding has of the shared vector
    size = (SHARPNESS / settings.score_scale) ** 0.5 / along
    for head in range(min(HEADS, K)):
        angles = -(head + 1) * frequencies
        query, key = torch.zeros(D // 2, 2), torch.zeros(D // 2, 2)
        query[: len(angles)] = torch.stack((angles.cos(), angles.sin()), dim=-1)
        key[: len(angles), 0] = 1.0
        for row, part in ((head * (H // K), query), (H + head, key)):
            c_attn[row * D : (row + 1) * D] = size * part.flatten()[:, None] * shared
        if c_proj is not None:
            c_proj[:, head * (H // K) * D :][:, :D].normal_(std=SPREAD / D**0.5)
