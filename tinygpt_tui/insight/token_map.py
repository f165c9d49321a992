"""The embeddings of a vocabulary as a map: their two principal components, and which tokens are alike."""

from __future__ import annotations

import torch
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel, Role
from tinygpt_tui.events.tracing import Neighbour, TokenPlace
from tinygpt_tui.tokenizers.base import Tokenizer

MOST = 1000  # tokens on a map: those with the smallest ids, of which a byte-pair vocabulary has the commonest first
NEAREST = 5


def token_map(model: LanguageModel, tokenizer: Tokenizer) -> tuple[tuple[TokenPlace, ...], float]:
    """Return the tokens' places, and the share of the variance that the map shows; nothing without embeddings.

    Rows that are not finite, as in a model that diverged, are left out.
    """
    table = embeddings_of(model)
    if table is None:
        return (), 0.0
    finite = table.isfinite().all(dim=1)
    ids, rows = finite.nonzero()[:, 0].tolist(), table[finite]  # rows (N, C)
    if len(ids) < 2:
        return (), 0.0
    points, share = principal_components(rows)
    directions = torch.nn.functional.normalize(rows, dim=1)
    likeness = directions @ directions.T  # (N, N)
    likeness.fill_diagonal_(-torch.inf)
    cosines, nearest = likeness.topk(min(NEAREST, len(ids) - 1))
    texts = [tokenizer.bytes_of(id).decode("utf-8", "replace") for id in ids]
    return tuple(
        TokenPlace(text, x, y, tuple(Neighbour(texts[other], cosine) for other, cosine in zip(*near, strict=True)))
        for text, (x, y), *near in zip(texts, points.tolist(), nearest.tolist(), cosines.tolist(), strict=True)
    ), share


def embeddings_of(model: LanguageModel) -> Tensor | None:
    """Return the input embeddings (at most MOST, C) in double precision; None where the model has none."""
    weights = dict(model.named_parameters())
    for name, role in model.roles().items():
        if role is Role.EMBEDDING and weights[name].dim() == 2 and len(weights[name]) == model.settings.vocab_size:
            return weights[name].detach()[:MOST].to("cpu", torch.float64)
    return None


def principal_components(rows: Tensor) -> tuple[Tensor, float]:
    """Project rows (N, C) onto the two directions of their largest variance.

    Returns points (N, 2), the farthest at distance 1 on each axis, and the two directions' share of the variance. An
    axis points to where its farthest token is, so that the same weights always give the same map.
    """
    centred = rows - rows.mean(dim=0)
    left, sizes, _ = torch.linalg.svd(centred, full_matrices=False)
    points = torch.zeros(len(rows), 2, dtype=rows.dtype)
    axes = min(2, len(sizes))
    points[:, :axes] = left[:, :axes] * sizes[:axes]
    farthest = points.gather(0, points.abs().argmax(dim=0, keepdim=True))  # (1, 2)
    points = points / torch.where(farthest == 0, 1.0, farthest)
    variance = sizes.square()
    return points, float(variance[:2].sum() / variance.sum()) if variance.sum() > 0 else 0.0
