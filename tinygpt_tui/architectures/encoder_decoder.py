"""The encoder-decoder transformer: one stack reads a question from both sides, the other writes the answer.

    question ids ── embedding ── n_layer × [ attention to all of it, MLP ] ── norm ──┐ keys and values
    answer ids ──── embedding ── n_layer × [ causal attention, cross-attention, MLP ] ── norm ── head ── logits

A text is one row of ids: the question up to the first separator, which the encoder reads with it, then the answer. The
decoder starts at the separator, so that each answer's positions start at 0. Inside a question nothing is predicted: its
logits are all 0. So a later id never changes earlier logits, although the encoder looks both ways.

Source: Vaswani et al. 2017, with norms before the sublayers (Xiong et al. 2020) and learned positions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinygpt_tui.architectures.base import Head, LanguageModel
from tinygpt_tui.architectures.memory import Memory
from tinygpt_tui.architectures.transformer import MLP, Norm, attend
from tinygpt_tui.settings.architecture import EncoderDecoderSettings
from tinygpt_tui.settings.gpt import GPTSettings


@dataclass
class EncoderDecoderMemory(Memory):
    """The ids read so far, and keys and values: of the answer's tokens, and of the encoded question.

    `ids` (B, block_size); `answer` and `question` (2, L, B, H, block_size, D), keys first.
    """

    ids: Tensor
    answer: Tensor
    question: Tensor

    def _put(self, row: int, other: EncoderDecoderMemory, other_row: int) -> None:
        self.ids[row] = other.ids[other_row]
        self.answer[:, :, row] = other.answer[:, :, other_row]
        self.question[:, :, row] = other.question[:, :, other_row]


class EncoderDecoder(LanguageModel):
    """Two stacks of blocks over one embedding."""

    settings: EncoderDecoderSettings

    def __init__(self, settings: EncoderDecoderSettings) -> None:
        """Raises UsageError for settings that do not fit together."""
        super().__init__(settings)
        self.block_size = settings.block_size
        V, T, C, trunk = settings.vocab_size, settings.block_size, settings.n_embd, settings.trunk
        self.wte, self.places = nn.Embedding(V, C), nn.Embedding(T, C)
        self.encoder = nn.ModuleList(EncoderBlock(trunk) for _ in range(settings.n_layer))
        self.ln_e = Norm(trunk)
        self.h = nn.ModuleList(DecoderBlock(trunk) for _ in range(settings.n_layer))
        self.ln_f = Norm(trunk)
        self.lm_head = Head(C, V, bias=False)
        embeddings = {id(self.wte.weight), id(self.places.weight)}
        for name, weight in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.zeros_(weight)  # every block starts as "add nothing"
            elif name.startswith("lm_head"):
                nn.init.normal_(weight, std=0.001)
            else:
                nn.init.normal_(weight, std=0.8 if id(weight) in embeddings else weight.shape[1] ** -0.5)

    def forward(self, ids: Tensor, memory: Memory | None = None) -> Tensor:
        """ids (B, T) -> logits (B, T, V); the whole text is at most block_size long."""
        assert memory is None or isinstance(memory, EncoderDecoderMemory)
        B, T = ids.shape
        separator = self.settings.separator
        seen = [0] * B if memory is None else memory.lengths[:B]
        S = max(seen) + T
        assert self.settings.block_size >= S, "the text is longer than the window"
        columns = torch.arange(S, device=ids.device)
        places = torch.tensor(seen, device=ids.device)[:, None] + columns[:T]  # (B, T)
        known = ids if memory is None else memory.ids[:B, :S].scatter_(1, places, ids)  # (B, S)
        is_known = columns <= places[:, -1:]
        # The first separator's place in each text (B, 1); S where there is none yet.
        ends = torch.where((known == separator) & is_known, columns, S).min(-1, keepdim=True).values
        in_question = (columns <= ends) & is_known  # (B, S)
        # What can be asked of: the whole question, by the encoder and the answer; the answer up to each token.
        question = in_question[:, None, None]  # (B, 1, 1, S)
        answer = (columns >= ends[..., None]) & (columns <= places[..., None]) | (columns == places[..., None])
        encoded = None
        # Without data (the device "meta") nothing can be looked for.
        if memory is None or ids.is_meta or bool((ids == separator).any()):
            encoded = self._embed(known, columns.expand(B, S))
            for block in self._blocks(self.encoder):
                encoded = block(encoded, question)
            encoded = self.ln_e(encoded)  # (B, S, C)
        x = self._embed(ids, (places - ends).clamp(min=0))  # (B, T, C)
        for layer, block in enumerate(self._blocks(self.h)):
            past = None if memory is None else (memory.answer[:, layer, :B], memory.question[:, layer, :B], places)
            x = block(x, encoded, answer[:, None], question, past)
        if memory is not None:
            memory.count(ids)
        logits: Tensor = self.lm_head(self.ln_f(x).masked_fill((places < ends)[..., None], 0.0))
        return logits

    def _embed(self, ids: Tensor, places: Tensor) -> Tensor:
        """Return the embeddings of `ids` at `places` (both (B, T)), (B, T, C)."""
        x = self.wte(ids) + self.places(places)
        return F.dropout(x, self.settings.dropout, self.training) if self.settings.dropout else x

    @staticmethod
    def _blocks(stack: nn.ModuleList) -> Iterable[nn.Module]:
        return stack

    def new_memory(self, batch: int) -> EncoderDecoderMemory:
        """Return a memory that has read nothing, for `batch` texts."""
        s = self.settings
        weight = self.wte.weight
        shape = (2, s.n_layer, batch, s.n_head, s.block_size, s.head_size)
        ids = torch.zeros((batch, s.block_size), dtype=torch.long, device=weight.device)
        return EncoderDecoderMemory(ids, weight.new_zeros(shape), weight.new_zeros(shape), lengths=[0] * batch)


class Attention(nn.Module):
    """Tokens of one text ask those of another, or of their own."""

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        C = settings.n_embd
        self.heads, self.scale, self.dropout = settings.n_head, settings.score_scale, settings.attention_dropout
        self.c_q, self.c_kv = nn.Linear(C, C, bias=False), nn.Linear(C, 2 * C, bias=False)
        self.c_proj = nn.Linear(C, C, bias=False)

    def keys_and_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, S, C) -> keys and values, each (B, H, S, D)."""
        k, v = self.c_kv(x).chunk(2, dim=-1)
        return self._in_heads(k), self._in_heads(v)

    def forward(self, x: Tensor, k: Tensor, v: Tensor, visible: Tensor) -> Tensor:
        """x (B, T, C), k and v (B, H, S, D) -> (B, T, C); `visible` (B, 1, T or 1, S) says what each token sees."""
        B, T, C = x.shape
        q = self._in_heads(self.c_q(x))
        y = attend(q, k, v, self.scale, self.dropout if self.training else 0.0, visible=visible)
        projected: Tensor = self.c_proj(y.transpose(1, 2).reshape(B, T, C))
        return projected

    def _in_heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class EncoderBlock(nn.Module):
    """Each token of the question sees all of it; then the MLP."""

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        self.ln_1, self.attn, self.ln_2, self.mlp = Norm(settings), Attention(settings), Norm(settings), MLP(settings)
        self.dropout = settings.dropout

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        """x (B, S, C) -> (B, S, C)."""
        h = self.ln_1(x)
        x = x + _dropped(self, self.attn(h, *self.attn.keys_and_values(h), visible))
        return x + _dropped(self, self.mlp(self.ln_2(x)))


class DecoderBlock(nn.Module):
    """Each token of the answer sees those before it, then the question; then the MLP."""

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        self.ln_1, self.attn = Norm(settings), Attention(settings)
        self.ln_3, self.cross = Norm(settings), Attention(settings)
        self.ln_2, self.mlp = Norm(settings), MLP(settings)
        self.dropout = settings.dropout

    def forward(
        self,
        x: Tensor,
        encoded: Tensor | None,
        answer: Tensor,
        question: Tensor,
        past: tuple[Tensor, Tensor, Tensor] | None = None,
    ) -> Tensor:
        """x (B, T, C) -> (B, T, C); `answer` and `question` say what is visible, as in Attention.

        `past` are the memory's keys and values of both (2, B, H, block_size, D), and the places (B, T) of x in it.
        `encoded` (B, S, C) is the question; None: the memory has its keys and values.
        """
        S = answer.shape[-1]
        h = self.ln_1(x)
        k, v = self.attn.keys_and_values(h)
        if past is not None:
            rows = past[2][:, None, :, None].expand_as(k)
            k, v = (cache.scatter_(2, rows, new)[:, :, :S] for cache, new in zip(past[0], (k, v), strict=True))
        x = x + _dropped(self, self.attn(h, k, v, answer))
        if encoded is not None:
            k, v = self.cross.keys_and_values(encoded)
            if past is not None:
                past[1][0, :, :, :S], past[1][1, :, :, :S] = k, v
        else:
            assert past is not None, "a question that is not encoded is in the memory"
            k, v = past[1][0, :, :, :S], past[1][1, :, :, :S]
        x = x + _dropped(self, self.cross(self.ln_3(x), k, v, question))
        return x + _dropped(self, self.mlp(self.ln_2(x)))


def _dropped(block: EncoderBlock | DecoderBlock, y: Tensor) -> Tensor:
    return F.dropout(y, block.dropout) if block.dropout and block.training else y
