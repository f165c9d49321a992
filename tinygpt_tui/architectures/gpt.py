"""GPT: the decoder-only transformer, from the lecture's form to the modern one.

    token ids ── embedding (+ positions) ── n_layer × [ attention, MLP ] ── norm ── head ── logits

With the default settings it is nanoGPT, number for number, and its state dict has nanoGPT's names. The modern options
(rotary positions, norms without weights, squared ReLU, token shift, n-gram tables) are settings of the same net.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinygpt_tui.architectures.base import Head, LanguageModel
from tinygpt_tui.architectures.extras import NgramTables
from tinygpt_tui.architectures.kernels import Kernels
from tinygpt_tui.architectures.look_back import look_back
from tinygpt_tui.architectures.memory import Memory, Ragged
from tinygpt_tui.architectures.transformer import Block, Norm, normalise, rope_at, rope_table
from tinygpt_tui.settings.architecture import GPTSettings


@dataclass
class GPTMemory(Memory):
    """Keys and values of every layer, and the last rows that the token shifts look back at.

    `keys` and `values` (L, B, H, block_size, D); `rows` (L, 2, B, window, C); `last_ids` (B, 2) for the n-gram tables.
    """

    keys: Tensor
    values: Tensor
    rows: Tensor
    last_ids: Tensor

    def _put(self, row: int, other: GPTMemory, other_row: int) -> None:
        self.keys[:, row], self.values[:, row] = other.keys[:, other_row], other.values[:, other_row]
        self.rows[:, :, row], self.last_ids[row] = other.rows[:, :, other_row], other.last_ids[other_row]


class GPT(LanguageModel):
    """A stack of blocks between an embedding and a head."""

    settings: GPTSettings

    def __init__(self, settings: GPTSettings) -> None:
        """Raises UsageError for settings that do not fit together."""
        super().__init__(settings)
        self.block_size = settings.block_size
        V, T, C = settings.vocab_size, settings.block_size, settings.n_embd
        parts: dict[str, nn.Module] = {"wte": nn.Embedding(V, C)}
        if settings.positions == "learned":
            parts["wpe"] = nn.Embedding(T, C)
        if settings.ngram_rows:
            parts["ngrams"] = NgramTables(V, settings.ngram_rows, C)
        parts["h"] = nn.ModuleList(Block(settings, layer) for layer in range(settings.n_layer))
        parts["ln_f"] = Norm(settings, present=settings.final_norm)
        self.transformer = nn.ModuleDict(parts)
        self.lm_head = Head(C, V, bias=settings.head_bias)
        self.lm_head.cap = settings.logit_cap
        if settings.positions == "rotary":
            table = rope_table(settings.training_length, settings.rotary_frequencies)
            self.register_buffer("rope", table, persistent=False)
        self._start_weights()
        if settings.tied_head:
            self.lm_head.weight = self.transformer["wte"].weight  # type: ignore[assignment]

    def forward(self, ids: Tensor, memory: Memory | None = None) -> Tensor:
        """ids (B, T) -> logits (B, T, V); the whole text is at most block_size long, unless attention slides."""
        assert memory is None or isinstance(memory, GPTMemory)
        logits: Tensor = self.lm_head(self.stream(ids, memory))  # (B, T, V)
        return logits

    def stream(self, ids: Tensor, memory: GPTMemory | None = None) -> Tensor:
        """ids (B, T) -> what the head is given, (B, T, C)."""
        settings, parts = self.settings, self.transformer
        B, T = ids.shape  # batch, time
        seen = memory.seen(ids) if memory else 0
        longest = seen.longest if isinstance(seen, Ragged) else seen
        assert settings.sliding or longest + T <= settings.block_size, "the text is longer than the window"
        x = parts["wte"](ids)  # (B, T, C)
        rope = None
        if settings.positions == "learned":
            x = x + parts["wpe"](_places(seen, T, ids.device))
        elif settings.is_rotary:
            rope = self._rope(seen, T)
        if settings.ngram_rows:
            x = x + parts["ngrams"](ids, memory.last_ids[:B] if memory else None)
        if settings.embedding_norm:
            x = normalise(x, settings.norm, epsilon=settings.epsilon)
        if settings.dropout:
            x = F.dropout(x, settings.dropout, self.training)
        blocks: Iterable[nn.Module] = parts["h"]  # type: ignore[assignment]
        for layer, block in enumerate(blocks):
            if memory is None:
                x = block(x, rope)
            else:
                past = (memory.keys[layer, :B], memory.values[layer, :B], seen)
                x = block(x, rope, past, (memory.rows[layer, 0, :B], memory.rows[layer, 1, :B]))
        if memory is not None:
            memory.count(ids)
            memory.last_ids[:B] = torch.cat((memory.last_ids[:B], ids), dim=1)[:, -2:]
        normed: Tensor = parts["ln_f"](x)
        return normed

    def use_kernels(self, kernels: Kernels) -> None:
        """Compute the blocks by `kernels` from here on, except where a memory is passed."""
        for module in self.modules():
            if isinstance(module, Block):
                module.kernels = kernels

    def _rope(self, seen: int | Ragged, T: int) -> Tensor:
        """Return the rotations of T positions after `seen`; far ones, in an endless text, are computed each time."""
        table: Tensor = self.rope  # type: ignore[assignment]
        if isinstance(seen, Ragged):
            if seen.longest < len(table):
                return table[seen.places][:, None, None]
            far = rope_at(seen.places.cpu(), self.settings.rotary_frequencies)
            return far.to(table.device)[:, None, None]
        if seen + T <= len(table):
            return table[seen : seen + T]
        return rope_table(T, self.settings.rotary_frequencies, start=seen).to(table.device)

    def new_memory(self, batch: int) -> GPTMemory:
        """Return an empty memory for `batch` texts; the shifts see zeros before the first token."""
        s = self.settings
        weight: Tensor = self.transformer["wte"].weight  # type: ignore[assignment]
        shape = (s.n_layer, batch, s.kv_heads, s.block_size, s.head_size)
        return GPTMemory(
            keys=weight.new_zeros(shape),
            values=weight.new_zeros(shape),
            rows=weight.new_zeros(s.n_layer, 2, batch, s.token_shift, s.n_embd),
            last_ids=torch.full((batch, 2), NgramTables.NOTHING, dtype=torch.long, device=weight.device),
            lengths=[0] * batch,
        )

    def _start_weights(self) -> None:
        """Draw the first weights: nanoGPT's, microgpt's (normal), or a start at which every block adds nothing.

        The lecture's early stages leave them as torch draws them: embeddings of size 1, and products that keep it.
        """
        s = self.settings
        if s.start == "torch":
            return
        modern = s.start in ("zero_residual", "look_back")
        for name, parameter in self.named_parameters():
            if "shares" in name or parameter.dim() < 2:
                continue  # shifts start at zero; norms at one and biases at zero, below
            if s.start == "normal":
                nn.init.normal_(parameter, std=0.08)
            elif not modern:
                residual = name.endswith("c_proj.weight")
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * s.n_layer) if residual else 0.02)
            elif name.endswith("c_proj.weight"):
                nn.init.zeros_(parameter)
            elif name.startswith("lm_head"):
                nn.init.normal_(parameter, std=0.001)
            elif "ngrams" in name:
                nn.init.zeros_(parameter)
            elif "wte" in name or "wpe" in name:
                nn.init.normal_(parameter, std=0.1 if s.tied_head else 0.8)  # a tied one makes the logits, too
            else:
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
        for module in self.modules():
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        if s.start == "look_back":
            embedding, first = self.transformer["wte"], next(iter(self.transformer["h"].children()))
            assert isinstance(embedding, nn.Embedding)
            assert isinstance(first, Block)
            c_proj = first.attn.c_proj.weight if isinstance(first.attn.c_proj, nn.Linear) else None
            look_back(embedding.weight, first.attn.c_attn.weight, c_proj, s)


def _places(seen: int | Ragged, T: int, device: torch.device) -> Tensor:
    """Return the positions of T new tokens: (T,), or (B, 1) where each text has its own."""
    return seen.places[:, None] if isinstance(seen, Ragged) else torch.arange(seen, seen + T, device=device)
