"""A GPT's weights as plain tensors, arranged for decoding: no modules, no gradients, no scale left to multiply by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.extras import NgramTables, TokenShift
from tinygpt_tui.architectures.gpt import GPT
from tinygpt_tui.architectures.transformer import EPSILON, Block, Norm, rope_at
from tinygpt_tui.settings.architecture import GPTSettings

TURNED_WIDTH = 128  # smaller matrices are as quick either way


@dataclass(frozen=True, slots=True)
class LeanNorm:
    """One norm; called through `of`, which is the cheapest way that torch has for it."""

    kind: str
    shape: list[int]
    weight: Tensor | None
    bias: Tensor | None

    def of(self, x: Tensor) -> Tensor:
        """x (..., C) -> (..., C)."""
        if self.kind == "rmsnorm":
            return torch.rms_norm(x, self.shape, self.weight, EPSILON)
        return torch.layer_norm(x, self.shape, self.weight, self.bias, EPSILON, False)


@dataclass(frozen=True, slots=True)
class LeanLayer:
    """One block. Matrices are (in, out); the scores' scale is inside the queries' weights, or in `qk_norm`."""

    norm_1: LeanNorm
    shares_1: Sequence[Tensor]  # a row (C,) for each step back of the token shift
    qkv: Tensor
    qkv_bias: Tensor | None
    proj: Tensor
    proj_bias: Tensor | None
    norm_2: LeanNorm
    shares_2: Sequence[Tensor]
    fc: Tensor
    fc_bias: Tensor | None
    down: Tensor
    down_bias: Tensor | None


@dataclass(frozen=True, slots=True)
class LeanWeights:
    """All that decoding reads. Some matrices are the module's own, seen turned; others are copies that lie better."""

    settings: GPTSettings
    tokens: Tensor  # (V, C)
    places: Tensor | None  # (block_size, C), with learned positions
    ngrams: NgramTables | None
    embedding_norm: LeanNorm | None
    qk_norm: LeanNorm | None
    layers: tuple[LeanLayer, ...]
    norm: LeanNorm
    head: Tensor  # (C, V)
    head_bias: Tensor | None

    def turns(self, start: int, positions: int) -> Tensor:
        """Return the rotations of `positions` places from `start` on, complex (T, D/2); worked out in float64."""
        return self.turns_at(torch.arange(start, start + positions))

    def turns_at(self, places: Tensor) -> Tensor:
        """Return the rotations of `places` (N,), complex (N, D/2); worked out in float64."""
        return torch.view_as_complex(rope_at(places, self.settings.head_size))


def suits(model: LanguageModel) -> bool:
    """Say whether the lean engines can run `model`: a GPT of the usual blocks in float32 on the CPU."""
    return (
        isinstance(model, GPT)
        and model.settings.is_standard
        and all(weight.device.type == "cpu" and weight.dtype == torch.float32 for weight in model.parameters())
    )


def lean_weights(model: GPT) -> LeanWeights:
    """Arrange the weights of `model`; engines on one model share them, until its weights change.

    A change is one that torch counts: by an optimizer, `load_state_dict` or any operation in place, but not one that
    goes round it through `.data`.
    """
    if any(weight.is_inference() for weight in model.parameters()):
        return _arrange(model)  # their changes are not counted
    state = _state_of(model)
    kept = _arranged.get(model)
    if kept is None or kept[0] != state:
        kept = state, _arrange(model)
        _arranged[model] = kept
    return kept[1]


_arranged: WeakKeyDictionary[GPT, tuple[tuple[tuple[int, int], ...], LeanWeights]] = WeakKeyDictionary()


def _state_of(model: GPT) -> tuple[tuple[int, int], ...]:
    """Where each weight lies, and how often it has been written."""
    return tuple((weight.data_ptr(), weight._version) for weight in model.parameters())


def _arrange(model: GPT) -> LeanWeights:
    settings, parts = model.settings, cast(Any, model.transformer)
    C, D = settings.n_embd, settings.head_size
    scale = float((C if settings.attention_scale == "n_embd" else D) ** -0.5)
    embedding_norm = LeanNorm(settings.norm, [C], None, None) if settings.embedding_norm else None
    # Queries and keys are normed in one go: each gets the root of the scale.
    qk_norm = LeanNorm(settings.norm, [D], torch.full((D,), scale**0.5), None) if settings.qk_norm else None
    with torch.no_grad():
        return LeanWeights(
            settings=settings,
            tokens=parts["wte"].weight.detach(),
            places=parts["wpe"].weight.detach() if settings.positions == "learned" else None,
            ngrams=cast(NgramTables, parts["ngrams"]) if settings.ngram_rows else None,
            embedding_norm=embedding_norm,
            qk_norm=qk_norm,
            layers=tuple(_layer(block, 1.0 if qk_norm else scale) for block in parts["h"]),
            norm=_norm(parts["ln_f"], C),
            head=_turned(model.lm_head.weight),
            head_bias=_plain(model.lm_head.bias),
        )


def _layer(block: Block, scale: float) -> LeanLayer:
    attention: Any = block.attn
    mlp: Any = block.mlp
    C: int = attention.c_proj.in_features
    qkv, qkv_bias = attention.c_attn.weight.detach(), _plain(attention.c_attn.bias)
    if scale != 1:
        scales = torch.ones(len(qkv))
        scales[: len(qkv) // 3] = scale
        qkv = qkv * scales[:, None]
        qkv_bias = None if qkv_bias is None else qkv_bias * scales
    return LeanLayer(
        norm_1=_norm(block.ln_1, C),
        shares_1=_shares(block.shift_1),
        qkv=_turned(qkv),
        qkv_bias=qkv_bias,
        proj=_turned(attention.c_proj.weight),
        proj_bias=_plain(attention.c_proj.bias),
        norm_2=_norm(cast(Norm, block.ln_2), C),
        shares_2=_shares(block.shift_2),
        fc=_turned(mlp.c_fc.weight),
        fc_bias=_plain(mlp.c_fc.bias),
        down=_turned(mlp.c_proj.weight),
        down_bias=_plain(mlp.c_proj.bias),
    )


def _norm(norm: Norm, channels: int) -> LeanNorm:
    return LeanNorm(norm.kind, [channels], _plain(norm.weight), _plain(norm.bias))


def _shares(shift: TokenShift | None) -> tuple[Tensor, ...]:
    return () if shift is None else shift.mix_weights.detach().unbind(0)


def _plain(weight: Tensor | None) -> Tensor | None:
    return None if weight is None else weight.detach()


def _turned(weight: Tensor) -> Tensor:
    """(out, in) -> (in, out): the same numbers seen the other way, or, where that is quicker, laid out anew.

    One row times a matrix is quicker along the matrix's longer side.
    """
    turned = weight.detach().t()
    before, after = turned.shape
    return turned.contiguous() if after >= before >= TURNED_WIDTH else turned
