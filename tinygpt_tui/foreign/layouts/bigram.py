"""A bigram model: one table of (V, V), as the lecture and makemore have it, or an embedding and a matrix behind it."""

from __future__ import annotations

import numpy as np

from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch, Weights
from tinygpt_tui.foreign.layouts.lecture import TOKENS
from tinygpt_tui.foreign.rename import To, place
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.settings.architecture import ArchitectureSettings, BigramSettings

_TABLES = (*TOKENS, "logits", "W", "emb.weight", "embedding.weight", "embed.weight", "table.weight", "wte.weight")
_TABLE = "table.weight"


class BigramTable:
    """One table."""

    name, title = "bigram", "the lecture's bigram table"

    def recognises(self, source: Source) -> bool:
        return bool(_table_of(source)) or _product_of(source) is not None

    def match(self, source: Source) -> LayoutMatch:
        found = Findings()
        product = _product_of(source)
        if product is None:
            table = _table_of(source)
            V = source.shape(table)[0]
            placed = place(source.tensors, {table: To(_TABLE)}, "a bigram model")
            found.known("vocab_size", V, "tensor", "the table")
            return found.match(BigramSettings(vocab_size=V), placed)
        embedding, linear = product
        bias = linear.removesuffix("weight") + "bias"
        table_of_names = {embedding: To("embedding"), linear: To("linear"), bias: To("bias")}
        placed = place(source.tensors, table_of_names, "a bigram model")
        V = source.shape(embedding)[0]
        found.known("vocab_size", V, "tensor", f"{embedding} and {linear}, multiplied")
        return found.match(BigramSettings(vocab_size=V), placed, finish=_multiplied)


def _multiplied(weights: Weights, settings: ArchitectureSettings) -> Weights:
    table = weights["embedding"] @ weights["linear"].T + weights.get("bias", np.float32(0))
    return {_TABLE: table.astype(np.float32, copy=False)}


def _table_of(source: Source) -> str:
    """Return the name of the only tensor, where it is a table from token to token; else nothing."""
    if len(source.tensors) != 1:
        return ""
    name, tensor = next(iter(source.tensors.items()))
    shape = tensor.shape
    return name if name in _TABLES and len(shape) == 2 and shape[0] == shape[1] > 0 else ""


def _product_of(source: Source) -> tuple[str, str] | None:
    """Return the names of an embedding (V, C) and a linear layer (V, C), where there is nothing else but its bias."""
    matrices = [name for name, tensor in source.tensors.items() if len(tensor.shape) == 2]
    others = source.tensors.keys() - matrices
    if len(matrices) != 2 or source.shape(matrices[0]) != source.shape(matrices[1]) or not source.shape(matrices[0])[0]:
        return None
    for embedding, linear in (matrices, reversed(matrices)):
        bias = linear.removesuffix("weight") + "bias"
        fits = not others or (others == {bias} and source.shape(bias) == source.shape(linear)[:1])
        if fits and any(word in embedding.lower() for word in ("emb", "wte", "table")) and linear.endswith("weight"):
            return embedding, linear
    return None
