"""The exact crop: all block_size positions of one text anew for each id, in tensors that wait for them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tinygpt_tui.architectures.transformer import attend
from tinygpt_tui.generation.lean_rows import activate_, added, norm_and_turn, product, shifted
from tinygpt_tui.generation.lean_weights import LeanLayer, LeanWeights


class Crop:
    """Reads block_size ids for the logits of the last. The memory that it needs does not grow with the layers."""

    def __init__(self, weights: LeanWeights) -> None:
        settings = weights.settings
        T, C, H, D = settings.block_size, settings.n_embd, settings.n_head, settings.head_size
        self._weights = weights
        self._qkv = torch.empty(T, 3 * C)
        # Queries, keys and values in it, each (1, H, T, D).
        self._parts = [part.view(1, T, H, D).transpose(1, 2) for part in self._qkv.chunk(3, dim=1)]
        self._both = self._qkv[:, : 2 * C].view(T, 2 * H, D)
        self._hidden = torch.empty(T, 4 * C)
        self._turns = weights.turns(0, T)[:, None] if settings.positions == "rotary" else None
        self._plain = self._turns is None and weights.qk_norm is None
        self._rows = min(T, 1 + settings.token_shift)  # of the last layer: the second shift looks back

    def read(self, ids: Sequence[int]) -> Tensor:
        """`ids` (block_size,) -> logits (1, V) after the last."""
        weights = self._weights
        numbers = torch.tensor(ids)
        x = F.embedding(numbers, weights.tokens)  # (T, C)
        if weights.places is not None:
            x.add_(weights.places)
        if weights.ngrams is not None:
            x.add_(weights.ngrams(numbers[None])[0])
        if weights.embedding_norm is not None:
            x = weights.embedding_norm.of(x)
        for layer in weights.layers[:-1]:
            self._read_layer(layer, x)
        x = self._read_last(weights.layers[-1], x)
        return product(weights.norm.of(x), weights.head, weights.head_bias)

    def _read_layer(self, layer: LeanLayer, x: Tensor) -> None:
        """Write on `x` (T, C)."""
        weights, qkv, hidden = self._weights, self._qkv, self._hidden
        h = self._shifted(layer.norm_1.of(x), layer.shares_1)
        product(h, layer.qkv, layer.qkv_bias, out=qkv)
        norm_and_turn(weights, self._both, self._turns)
        q, k, v = self._parts
        y = attend(q, k, v, 1.0)
        added(x, y.transpose(1, 2).reshape(x.shape), layer.proj, layer.proj_bias)
        h = self._shifted(layer.norm_2.of(x), layer.shares_2)
        product(h, layer.fc, layer.fc_bias, out=hidden)
        activate_(hidden, weights.settings.activation)
        added(x, hidden, layer.down, layer.down_bias)

    def _read_last(self, layer: LeanLayer, x: Tensor) -> Tensor:
        """x (T, C) -> (1, C)."""
        rows = self._rows
        h = self._shifted(layer.norm_1.of(x), layer.shares_1)
        y = self._mixed_through(layer, h) if self._plain else self._mixed(layer, h)
        x = x[-rows:]
        added(x, y, layer.proj, layer.proj_bias)
        h = self._shifted(layer.norm_2.of(x), layer.shares_2)[-1:]
        hidden = product(h, layer.fc, layer.fc_bias)
        activate_(hidden, self._weights.settings.activation)
        x = x[-1:]
        added(x, hidden, layer.down, layer.down_bias)
        return x

    def _mixed(self, layer: LeanLayer, h: Tensor) -> Tensor:
        """h (T, C) -> what the last rows' attention takes, (R, C): all keys and values, few queries."""
        weights, qkv, rows = self._weights, self._qkv, self._rows
        C, bias = h.shape[1], layer.qkv_bias
        product(h, layer.qkv[:, C:], None if bias is None else bias[C:], out=qkv[:, C:])
        product(h[-rows:], layer.qkv[:, :C], None if bias is None else bias[:C], out=qkv[-rows:, :C])
        norm_and_turn(weights, self._both, self._turns)
        q, k, v = self._parts
        return attend(q[:, :, -rows:], k, v, 1.0).transpose(1, 2).reshape(rows, C)

    def _mixed_through(self, layer: LeanLayer, h: Tensor) -> Tensor:
        """Do the same without any key or value, where nothing happens to them before attention.

        q · (h W) is (q Wᵀ) · h: for a few queries, the left side through the matrix is far less work than all of h. The
        keys' bias adds the same to all of a query's scores, so it changes nothing; the values' is added once.
        """
        rows, C, H = self._rows, h.shape[1], self._weights.settings.n_head
        q_matrix, k_matrix, v_matrix = layer.qkv.chunk(3, dim=1)
        bias = layer.qkv_bias
        q = product(h[-rows:], q_matrix, None if bias is None else bias[:C]).view(rows, H, -1).transpose(0, 1)
        q = torch.bmm(q, k_matrix.view(C, H, -1).permute(1, 2, 0))  # (H, R, C)
        scores = torch.mm(q.view(-1, C), h.t()).view(H, rows, -1)
        if rows > 1:
            scores += torch.full_like(scores[0], -torch.inf).triu(len(h) - rows + 1)
        mixed = torch.mm(scores.softmax(2).view(H * rows, -1), h).view(H, rows, C)
        y = torch.bmm(mixed, v_matrix.view(C, H, -1).transpose(0, 1)).transpose(0, 1).reshape(rows, C)
        return y if bias is None else y.add_(bias[2 * C :])

    def _shifted(self, h: Tensor, shares: Sequence[Tensor]) -> Tensor:
        return shifted(h[None], shares)[0][0] if shares else h
