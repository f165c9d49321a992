"""How many parameters an architecture has, by arithmetic alone: a form can show it while it is typed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.settings.family import (
    BackpackSettings,
    BigramSettings,
    CNNSettings,
    GRUSettings,
    LSTMSettings,
    RNNSettings,
)


def count_parameters(settings: ArchitectureSettings) -> int:
    """Return the number that the built net would count, without building it."""
    return sum(parameter_budget(settings).values())


def parameter_budget(settings: ArchitectureSettings) -> dict[str, int]:
    """Return the parameters of each part, in the order of the forward pass."""
    return BUDGETS[type(settings)](settings)


def _gpt(s: GPTSettings) -> dict[str, int]:
    V, T, C, L = s.vocab_size, s.block_size, s.n_embd, s.n_layer
    norm = C * (s.norm_weight and s.norm != "none") * (2 if s.bias and s.norm == "layernorm" else 1)
    norms = (L if s.feed_forward == "none" else 2 * L) + s.final_norm
    heads, hidden = s.n_head * s.head_size, s.hidden_size
    qkv = heads + 2 * s.kv_heads * s.head_size
    widening = 0 if s.feed_forward == "none" else 1 + (s.activation == "swiglu")
    narrowing = s.feed_forward == "mlp"
    pair_rows = min((V + 1) ** 2, s.ngram_rows)
    return {
        "token embedding": V * C,
        "position embedding": T * C if s.positions == "learned" else 0,
        "n-gram tables": (pair_rows + s.ngram_rows) * C,
        "attention": L * (qkv * (C + s.qkv_bias) + s.projection * (heads * C + C * s.bias)),
        "MLP": L * (widening * hidden * (C + s.bias) + narrowing * (hidden * C + C * s.bias)),
        "token shift": L * (1 if s.feed_forward == "none" else 2) * s.token_shift * C,
        "norms": norms * norm,
        "head": (0 if s.tied_head else V * C) + V * s.head_bias,
    }


def _recurrent(s: RNNSettings | GRUSettings | LSTMSettings) -> dict[str, int]:
    V, C, H, L = s.vocab_size, s.n_embd, s.n_hidden, s.n_layer
    products = {RNNSettings: 1, GRUSettings: 3, LSTMSettings: 4}[type(s)]
    return {
        "token embedding": V * C,
        "cells": L * products * (C * H + H * H + H),
        "projections": L * (H * C + C),
        "MLP": L * (8 * C * C + 5 * C),
        "norms": L * 2 * C,
        "head": V * C + V,
    }


def _cnn(s: CNNSettings) -> dict[str, int]:
    V, C, L, k = s.vocab_size, s.n_embd, s.n_layer, s.kernel_size
    return {
        "token embedding": V * C,
        "convolutions": L * (2 * k * C * C + 2 * C),
        "projections": L * (C * C + C),
        "norms": (L + 1) * C,
        "head": V * C,
    }


def _backpack(s: BackpackSettings) -> dict[str, int]:
    V, C, L = s.vocab_size, s.n_embd, s.n_layer
    return {
        "token embedding": V * C,
        "attention": L * 4 * C * C,
        "MLP": L * 8 * C * C,
        "token shift": L * 2 * 2 * C,
        "senses": 4 * C * C + 4 * C + 4 * C * s.n_sense * C + s.n_sense * C,
        "weights of the senses": 2 * C * C + 2 * C,
        "head": V * C,
    }


BUDGETS: dict[type, Callable[[Any], dict[str, int]]] = {
    GPTSettings: _gpt,
    RNNSettings: _recurrent,
    GRUSettings: _recurrent,
    LSTMSettings: _recurrent,
    CNNSettings: _cnn,
    BackpackSettings: _backpack,
    BigramSettings: lambda s: {"table": s.vocab_size**2},
}
