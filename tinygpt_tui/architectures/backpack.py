"""The Backpack language model: logits are a weighted sum of the sense vectors of the tokens in sight.

    token ids ─┬─ senses: MLP(embedding) ─────────────────────── n_sense vectors a token ─┐
               └─ transformer ── query and key for each sense ── weights over the tokens ─┴─ sum ── head ── logits

A sense vector depends only on its token, not on the text around it, and acts on the logits linearly: turning one up or
down anywhere has a predictable effect. Source: Hewitt et al. 2023 (arXiv 2305.16765), section 3.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinygpt_tui.architectures.base import Head, LanguageModel
from tinygpt_tui.architectures.gpt import GPT, GPTMemory
from tinygpt_tui.architectures.memory import Memory, Ragged
from tinygpt_tui.architectures.transformer import attend, update_kv_cache
from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.architecture import BackpackSettings

EVERY = -1  # in a gain: every token
WIDER = 4  # inner width of the senses' MLP, in widths of the stream


@dataclass
class BackpackMemory(Memory):
    """The transformer's own memory, and of each token in reach the keys and the senses.

    `keys` (B, S, block_size, C / S) and `senses` (B, S, block_size, C), S being n_sense.
    """

    trunk: GPTMemory
    keys: Tensor
    senses: Tensor

    def _put(self, row: int, other: BackpackMemory, other_row: int) -> None:
        self.trunk.put(row, other.trunk, other_row)
        self.keys[row], self.senses[row] = other.keys[other_row], other.senses[other_row]


class Backpack(LanguageModel):
    """Senses of each token, and a transformer that weighs them."""

    settings: BackpackSettings

    def __init__(self, settings: BackpackSettings) -> None:
        """Raises UsageError for settings that do not fit together."""
        super().__init__(settings)
        V, C, S = settings.vocab_size, settings.n_embd, settings.n_sense
        self.block_size = settings.block_size
        self.trunk = GPT(settings.trunk)
        del self.trunk.lm_head  # the trunk's answer is weights, not logits
        self.sense_fc = nn.Linear(C, WIDER * C)
        self.sense_proj = nn.Linear(WIDER * C, S * C)
        self.weigh = nn.Linear(C, 2 * C)  # a query and a key for each sense
        self.lm_head = Head(C, V, bias=False)
        self.gains: Tensor | None = None  # (V, S): what `dialled` makes
        self._start_weights()

    def forward(self, ids: Tensor, memory: Memory | None = None) -> Tensor:
        """ids (B, T) -> logits (B, T, V); the whole text is at most block_size long, unless attention slides."""
        assert memory is None or isinstance(memory, BackpackMemory)
        B, T = ids.shape
        S = self.settings.n_sense
        x = self.trunk.stream(ids, memory.trunk if memory else None)  # (B, T, C)
        senses = self.senses_of(ids).transpose(1, 2)  # (B, S, T, C)
        q, k = (part.view(B, T, S, -1).transpose(1, 2) for part in self.weigh(x).chunk(2, dim=-1))  # (B, S, T, C / S)
        visible = None
        if memory is not None:
            seen = memory.seen(ids)
            k, senses = update_kv_cache(memory.keys[:B], k, seen), update_kv_cache(memory.senses[:B], senses, seen)
            visible = seen.visible(self.settings.block_size) if isinstance(seen, Ragged) else None
            memory.count(ids)
        window = self.settings.block_size if self.settings.sliding else None
        mixed = attend(q, k, senses, q.shape[-1] ** -0.5, window=window, visible=visible).sum(1)  # (B, T, C)
        logits: Tensor = self.lm_head(mixed)
        return logits

    def meant(self, ids: Tensor) -> Tensor:
        """Return how the last of `ids` (B, T) weighs the senses of all, (B, S, T): each sense's are 1 in all."""
        B, T = ids.shape
        q, k = (part.view(B, T, self.settings.n_sense, -1) for part in self.weigh(self.trunk.stream(ids)).chunk(2, -1))
        scores = torch.einsum("bsd,btsd->bst", q[:, -1], k) * q.shape[-1] ** -0.5
        scores[..., : max(0, T - self.settings.block_size)] = -torch.inf  # out of reach
        weights: Tensor = scores.softmax(-1)
        return weights

    def senses_of(self, ids: Tensor) -> Tensor:
        """Return the sense vectors of `ids` (B, T): (B, T, S, C); they depend on each id alone."""
        x = F.layer_norm(self.trunk.transformer["wte"](ids), (self.settings.n_embd,))
        senses: Tensor = self.sense_proj(F.gelu(self.sense_fc(x))).view(*ids.shape, self.settings.n_sense, -1)
        if self.gains is None:
            return senses
        dialled: Tensor = senses * self.gains[ids].unsqueeze(-1)
        return dialled

    def sense_logits(self, id: int) -> Tensor:
        """Return what each sense of token `id` says of the next token if it alone is meant: (S, V)."""
        table: Tensor = self.lm_head(self.senses_of(torch.tensor([[id]], device=self.device))[0, 0])
        return table

    def new_memory(self, batch: int) -> BackpackMemory:
        """Return an empty memory for `batch` texts."""
        s, weight = self.settings, self.lm_head.weight
        shape = (batch, s.n_sense, s.block_size)
        return BackpackMemory(
            trunk=self.trunk.new_memory(batch),
            keys=weight.new_zeros(*shape, s.n_embd // s.n_sense),
            senses=weight.new_zeros(*shape, s.n_embd),
            lengths=[0] * batch,
        )

    def _start_weights(self) -> None:
        """Draw the first weights: the senses begin small and the weights nearly level."""
        for linear in (self.sense_fc, self.sense_proj, self.weigh):
            nn.init.normal_(linear.weight, std=linear.weight.shape[1] ** -0.5)
            nn.init.zeros_(linear.bias)
        nn.init.normal_(self.lm_head.weight, std=0.001)


def dialled(model: Backpack, gains: Iterable[tuple[int, int, float]]) -> Backpack:
    """Return a model that shares all weights with `model`, some senses turned up or down.

    Each of `gains` is (token id, sense, factor): 0 takes a sense away, 1 leaves it, 2 doubles it; several at one place
    are multiplied. A token id of -1 means every token. Raises UsageError for what the model does not have.
    """
    turned = copy.copy(model)
    turned.gains = torch.ones(model.vocab_size, model.settings.n_sense, device=model.device)
    for id, sense, factor in gains:
        if not (EVERY <= id < model.vocab_size and 0 <= sense < model.settings.n_sense):
            raise UsageError(
                f"token {id} has no sense {sense}",
                f"there are {model.vocab_size} tokens (-1: every one) with {model.settings.n_sense} senses, from 0",
            )
        turned.gains[slice(None) if id == EVERY else id, sense] *= factor
    return turned
