"""Causal convolutions, gated and residual, whose dilation doubles from layer to layer; memory is a ring a layer.

    token ids ── embedding ── n_layer × [ x + proj( tanh(a) · sigmoid(b) ) ] ── norm ── head ── logits

where a and b are the two halves of a convolution over norm(x).

Sources: van den Oord et al. 2016 (WaveNet: dilation and gate), Dauphin et al. 2017 (gated convolutional language
models); the ring buffers are those of Paine et al. 2016 (Fast WaveNet).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinygpt_tui.architectures.base import Head, LanguageModel
from tinygpt_tui.architectures.memory import Memory, Ragged
from tinygpt_tui.settings.architecture import CNNSettings


@dataclass
class ConvolutionMemory(Memory):
    """For each layer the last inputs that its convolution can still see, (B, (kernel_size - 1) · dilation, C).

    A ring: the row of token t is t modulo the length, so that one more token costs one write and no moving.
    """

    rings: list[Tensor]

    def _put(self, row: int, other: ConvolutionMemory, other_row: int) -> None:
        for ring, others in zip(self.rings, other.rings, strict=True):
            ring[row] = others[other_row]


class GatedConvolution(nn.Module):
    """One layer: a causal convolution as one product over the places that it looks at, gated, and added."""

    def __init__(self, settings: CNNSettings, dilation: int) -> None:
        super().__init__()
        C, k = settings.n_embd, settings.kernel_size
        self.offsets = [j * dilation for j in range(k)]  # how far back each place is; the token itself first
        self.dropout = settings.dropout
        self.ln = nn.LayerNorm(C, bias=False)
        self.c_fc = nn.Linear(k * C, 2 * C)
        self.c_proj = nn.Linear(C, C)

    def forward(self, x: Tensor, ring: Tensor | None = None, seen: int | Ragged = 0) -> Tensor:
        """x (B, T, C) -> (B, T, C); `ring` (B, R, C) holds the inputs before `x` and is brought up to date."""
        h = self.ln(x)
        a, b = self.c_fc(self._places(h, ring, seen)).chunk(2, dim=-1)
        y = self.c_proj(torch.tanh(a) * torch.sigmoid(b))
        if self.dropout:
            y = F.dropout(y, self.dropout, self.training)
        out: Tensor = x + y
        return out

    def _places(self, h: Tensor, ring: Tensor | None, seen: int | Ragged) -> Tensor:
        """Return for each token the inputs at all offsets side by side, (B, T, k C); zeros before the text."""
        T, reach = h.shape[1], self.offsets[-1]
        if ring is not None and isinstance(seen, Ragged):
            rows = [h, *(ring[seen.rows, seen.slots(reach, offset)][:, None] for offset in self.offsets[1:])]
            ring[seen.rows, seen.slots(reach)] = h[:, 0]
            return torch.cat(rows, dim=-1)
        assert isinstance(seen, int)
        if ring is not None and T == 1:
            rows = [h, *(ring[:, (seen - offset) % reach][:, None] for offset in self.offsets[1:])]
            ring_places = torch.cat(rows, dim=-1)
            ring[:, seen % reach] = h[:, 0]
            return ring_places
        before = h.new_zeros(h.shape[0], reach, h.shape[2]) if ring is None else ring.roll(-(seen % reach), dims=1)
        joined = torch.cat((before, h), dim=1)  # in the order of the text
        if ring is not None:
            ring.copy_(joined[:, -reach:].roll((seen + T) % reach, dims=1))
        return torch.cat([joined[:, reach - offset : reach - offset + T] for offset in self.offsets], dim=-1)


class CNN(LanguageModel):
    """A stack of gated convolutions between an embedding and a head; it sees `settings.receptive_field` tokens."""

    settings: CNNSettings

    def __init__(self, settings: CNNSettings) -> None:
        super().__init__(settings)
        V, C = settings.vocab_size, settings.n_embd
        self.wte = nn.Embedding(V, C)
        self.h = nn.ModuleList(GatedConvolution(settings, dilation) for dilation in settings.dilations)
        self.ln_f = nn.LayerNorm(C, bias=False)
        self.lm_head = Head(C, V, bias=False)
        self._start_weights()

    def forward(self, ids: Tensor, memory: Memory | None = None) -> Tensor:
        """ids (B, T) -> logits (B, T, V)."""
        assert memory is None or isinstance(memory, ConvolutionMemory)
        x = self.wte(ids)  # (B, T, C)
        seen = memory.seen(ids) if memory else 0
        for layer, block in enumerate(self.h):
            x = block(x) if memory is None else block(x, memory.rings[layer][: len(ids)], seen)
        if memory is not None:
            memory.count(ids)
        logits: Tensor = self.lm_head(self.ln_f(x))
        return logits

    def new_memory(self, batch: int) -> ConvolutionMemory:
        """Return rings of zeros for `batch` texts."""
        s, weight = self.settings, self.lm_head.weight
        return ConvolutionMemory(
            [weight.new_zeros(batch, (s.kernel_size - 1) * dilation, s.n_embd) for dilation in s.dilations],
            lengths=[0] * batch,
        )

    def _start_weights(self) -> None:
        """Draw the first weights; each layer begins by adding nothing."""
        for name, parameter in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.zeros_(parameter)
            elif "wte" in name:
                nn.init.normal_(parameter, std=0.8)
            elif name.startswith("lm_head"):
                nn.init.normal_(parameter, std=0.001)
            elif parameter.dim() == 2:
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
