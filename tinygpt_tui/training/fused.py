"""A block's operations as native kernels: one pass forward and one back, on one thread.

The plain forms in architectures/transformer.py are the same arithmetic within rounding, and are used where these have
no form. Dropout here draws from a hash of a seed, and that seed from torch's generator: one number a call, so that a
run resumes exactly from a saved random state.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tinygpt_tui.architectures.backpack import Backpack
from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.gpt import GPT
from tinygpt_tui.architectures.kernels import Heads, Kernels, Matrix
from tinygpt_tui.native.learning import KINDS, Attention, Learning, load_learning

_HALF = 1 << 31  # a share of it is compared with 31 random bits


class FusedKernels(Kernels):
    """The native forms; for float32 on the processor."""

    def __init__(self, native: Learning) -> None:
        self.native = native
        self._nets: dict[tuple[int, ...], tuple[Attention, Tensor]] = {}

    def norm(
        self,
        x: Tensor,
        kind: str,
        weight: Tensor | None,
        bias: Tensor | None,
        epsilon: float,
        mix_weights: Tensor | None,
    ) -> Tensor | None:
        """As in Kernels, x (B, T, C); layer norms only."""
        if kind != "layernorm":
            return None
        y: Tensor = _Norm.apply(self.native, x, weight, bias, mix_weights, epsilon)  # type: ignore[no-untyped-call]
        return y

    def attention(self, qkv: Tensor, rope: Tensor | None, heads: Heads, dropout: float) -> Tensor | None:
        """As in Kernels, qkv (B, T, 3 H D); as many heads of keys as of queries, rotated whole, and no dropout."""
        if dropout or heads.keys < heads.queries or heads.norm not in (None, "layernorm"):
            return None
        if heads.rotary < heads.size:
            return None
        y: Tensor = _Attend.apply(self.native, self._net(qkv, rope, heads), qkv, rope)  # type: ignore[no-untyped-call]
        return y

    def feed_forward(self, x: Tensor, activation: str, widen: Matrix | None, narrow: Matrix | None) -> Tensor | None:
        """As in Kernels, x (B, T, C); one piece where gradients are needed, else the activation alone is native."""
        if activation not in KINDS or widen is None:
            return None
        kind = KINDS[activation]
        y: Tensor
        if torch.is_grad_enabled() and narrow is not None:
            y = _FeedForward.apply(self.native, kind, x, *widen, *narrow)  # type: ignore[no-untyped-call]
            return y
        y = _Activate.apply(self.native, kind, F.linear(x, *widen))  # type: ignore[no-untyped-call]
        return y if narrow is None else F.linear(y, *narrow)

    def add(self, x: Tensor, y: Tensor, dropout: float) -> Tensor | None:
        """As in Kernels, x and y (B, T, C)."""
        total: Tensor = _AddDropped.apply(self.native, x, y, dropout)  # type: ignore[no-untyped-call]
        return total

    def _net(self, qkv: Tensor, rope: Tensor | None, heads: Heads) -> Attention:
        """Return the sizes of this attention for a batch like qkv (B, T, 3 H D), with room to work in."""
        batch, T, width = qkv.shape
        reach = T if heads.window is None else min(T, heads.window)
        key = (batch, T, width, heads.queries, reach, 0 if rope is None else rope.data_ptr())
        if key not in self._nets:
            net = Attention(
                batch=batch,
                T=T,
                n_head=heads.queries,
                head_size=heads.size,
                reach=reach,
                normed=heads.norm is not None,
                scale=heads.scale,
                epsilon=heads.epsilon,
                turns=None if rope is None else rope.data_ptr(),
            )
            work = torch.zeros(self.native.attention_floats(ctypes.byref(net)))
            net.work = work.data_ptr()
            self._nets[key] = (net, work)
        return self._nets[key][0]


class _Norm(torch.autograd.Function):
    """x (B, T, C), weight and bias (C,), mix_weights (window, C) -> (B, T, C).

    Saves mean and inverse deviation of each row, (B, T, 2).
    """

    @staticmethod
    def forward(
        ctx: Any,
        native: Learning,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mix_weights: Tensor | None,
        epsilon: float,
    ) -> Tensor:
        x = x.contiguous()
        B, T, C = x.shape
        y, statistics = torch.empty_like(x), x.new_empty(B, T, 2)
        window = 0 if mix_weights is None else len(mix_weights)
        native.norm(_at(x), _at(weight), _at(bias), _at(mix_weights), _at(y), _at(statistics), B, T, C, window, epsilon)
        ctx.native = native
        ctx.save_for_backward(x, weight, bias, mix_weights, statistics)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mix_weights, statistics = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        B, T, C = x.shape
        to_x, row = torch.empty_like(x), x.new_empty(2, C)
        to_weight, to_bias, to_shares = (
            None if part is None else torch.zeros_like(part) for part in (weight, bias, mix_weights)
        )
        window = 0 if mix_weights is None else len(mix_weights)
        ctx.native.norm_back(
            _at(x), _at(weight), _at(bias), _at(mix_weights), _at(statistics), _at(gradient),
            _at(to_x), _at(to_weight), _at(to_bias), _at(to_shares), _at(row), B, T, C, window,
        )  # fmt: skip
        return None, to_x, to_weight, to_bias, to_shares, None


class _Attend(torch.autograd.Function):
    """qkv (B, T, 3 H D), rope (T, D/2, 2) -> (B, T, H D); saves the logarithm of each softmax's sum, (B, H, T)."""

    @staticmethod
    def forward(ctx: Any, native: Learning, net: Attention, qkv: Tensor, rope: Tensor | None) -> Tensor:
        qkv = qkv.contiguous()
        B, T, _ = qkv.shape
        y, log_sums = qkv.new_empty(B, T, net.n_head * net.head_size), qkv.new_empty(B, net.n_head, T)
        native.attention(ctypes.byref(net), _at(qkv), _at(y), _at(log_sums))
        ctx.native, ctx.net, ctx.rope = native, net, rope
        ctx.save_for_backward(qkv, y, log_sums)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        qkv, y, log_sums = ctx.saved_tensors
        gradient, to_qkv = gradients[0].contiguous(), torch.empty_like(qkv)
        net = ctypes.byref(ctx.net)
        ctx.native.attention_back(net, _at(qkv), _at(y), _at(log_sums), _at(gradient), _at(to_qkv))
        return None, None, to_qkv, None


class _Activate(torch.autograd.Function):
    """x of any shape -> the same shape; saves the slope at each number."""

    @staticmethod
    def forward(ctx: Any, native: Learning, kind: int, x: Tensor) -> Tensor:
        x = x.contiguous()
        y, slopes = torch.empty_like(x), torch.empty_like(x) if ctx.needs_input_grad[2] else None
        native.activation(_at(x), _at(y), _at(slopes), x.numel(), kind)
        ctx.save_for_backward(slopes)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return None, None, gradients[0] * slopes


class _FeedForward(torch.autograd.Function):
    """The MLP as one piece, so that what is as wide as four streams is written over instead of made again.

    x (..., C), widen (F, C) and its bias (F,), narrow (C, F) and its bias (C,) -> (..., C).
    """

    @staticmethod
    def forward(
        ctx: Any,
        native: Learning,
        kind: int,
        x: Tensor,
        widen: Tensor,
        widen_bias: Tensor | None,
        narrow: Tensor,
        narrow_bias: Tensor | None,
    ) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        slopes = F.linear(rows, widen, widen_bias)
        activated = torch.empty_like(slopes)
        native.activation(_at(slopes), _at(activated), _at(slopes), slopes.numel(), kind)
        ctx.save_for_backward(rows, widen, slopes, activated, narrow)
        ctx.biased = widen_bias is not None, narrow_bias is not None
        return F.linear(activated, narrow, narrow_bias).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, widen, slopes, activated, narrow = ctx.saved_tensors
        to_y = gradients[0].reshape(-1, gradients[0].shape[-1])
        to_narrow, to_narrow_bias = to_y.t().mm(activated), to_y.sum(0) if ctx.biased[1] else None
        to_wide = to_y.mm(narrow).mul_(slopes)
        to_widen, to_widen_bias = to_wide.t().mm(rows), to_wide.sum(0) if ctx.biased[0] else None
        to_x = to_wide.mm(widen).view(*gradients[0].shape[:-1], -1)
        return None, None, to_x, to_widen, to_widen_bias, to_narrow, to_narrow_bias


class _AddDropped(torch.autograd.Function):
    """x and y (B, T, C) -> (B, T, C): x plus y after dropout, whose seed is saved instead of its mask."""

    @staticmethod
    def forward(ctx: Any, native: Learning, x: Tensor, y: Tensor, dropout: float) -> Tensor:
        x, y = x.contiguous(), y.contiguous()
        total = torch.empty_like(x)
        ctx.native = native
        ctx.drawn = (y.numel(), int(torch.randint(1 << 32, ())), round(dropout * _HALF), 1 / (1 - dropout))
        native.drop(_at(x), _at(y), _at(total), *ctx.drawn)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient = gradients[0].contiguous()
        to_y = torch.empty_like(gradient)
        ctx.native.drop(None, _at(gradient), _at(to_y), *ctx.drawn)
        return None, gradient, to_y, None


def use_fused(model: LanguageModel) -> bool:
    """Use the native forms for `model` where there are such and they are the faster ones; tell whether it does."""
    kernels = fused_kernels(model)
    if kernels is None:
        return False
    net = _transformer(model)
    assert net is not None
    net.use_kernels(kernels)
    return True


def fused_kernels(model: LanguageModel) -> FusedKernels | None:
    """Return the native forms for `model`; None where there are none, or torch's own threads are the faster way."""
    if _transformer(model) is None or model.device.type != "cpu" or torch.get_num_threads() > 1:
        return None
    if any(weight.dtype != torch.float32 for weight in model.parameters()):
        return None
    native = load_learning()
    return None if native is None else FusedKernels(native)


def _transformer(model: LanguageModel) -> GPT | None:
    """Return the transformer that `model` is, or has inside it; None where there is none."""
    net = model.trunk if isinstance(model, Backpack) else model
    return net if isinstance(net, GPT) else None


def _at(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
