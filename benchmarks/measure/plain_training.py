"""nanoGPT's way of training, which everything is compared with; it shares no code with the trainer.

Its recipe for a processor: 4 layers of 128, windows of 64, 12 at random a step, AdamW at 1e-3 falling to 1e-4 by a
cosine after 100 steps of warm-up, 2000 steps, the loss read at each. Source: Karpathy, nanoGPT, train.py and README.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tinygpt_tui.measuring.naive import NaiveGPT
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.tokenizers.char import Ids

STEPS, BATCH, WARMUP = 2000, 12, 100
RATE, LAST_RATE, WEIGHT_DECAY, BETAS, CLIP = 1e-3, 1e-4, 0.1, (0.9, 0.99), 1.0


class PlainNet(NaiveGPT):
    """The naive net with first weights and a loss."""

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__(settings)
        for name, weight in self.named_parameters():
            if weight.dim() >= 2:
                deep = name.endswith("c_proj.weight")
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * settings.n_layer) if deep else 0.02)

    def every(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> logits (B, T, V)."""
        parts: Any = self.transformer
        positions = torch.arange(0, ids.size(1), dtype=torch.long, device=ids.device)
        x = parts["drop"](parts["wte"](ids) + parts["wpe"](positions))
        for block in parts["h"]:
            x = block(x)
        logits: Tensor = self.lm_head(parts["ln_f"](x))
        return logits


class PlainTraining:
    """One training as nanoGPT does it; `one_step` is its loop's body."""

    def __init__(self, settings: GPTSettings, train: Ids, seed: int, batch: int = BATCH) -> None:
        """`train` (N,) are the ids to learn from."""
        torch.manual_seed(seed)
        self.net, self.step = PlainNet(settings), 0
        self._ids, self._batch, self._block_size = train.astype(np.uint16), batch, settings.block_size
        weights = list(self.net.parameters())
        groups = [
            {"params": [weight for weight in weights if weight.dim() >= 2], "weight_decay": WEIGHT_DECAY},
            {"params": [weight for weight in weights if weight.dim() < 2], "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=RATE, betas=BETAS)

    def one_step(self) -> float:
        """Take a step; return its loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate()
        x, y = self._random_batch()
        logits = self.net.every(x)
        loss = functional.cross_entropy(logits.view(-1, logits.size(-1)), y.view(-1), ignore_index=-1)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return loss.item()

    @torch.no_grad()
    def whole_loss(self, ids: Ids) -> float:
        """Return the mean loss over `ids` (N,), each token but the first predicted once, in windows side by side."""
        T, total = self._block_size, 0.0
        plain = ids.astype(np.int64)
        whole = (len(ids) - 1) // T * T
        x, y = torch.from_numpy(plain[:whole]).view(-1, T), torch.from_numpy(plain[1 : whole + 1]).view(-1, T)
        pieces = list(zip(torch.split(x, 64), torch.split(y, 64), strict=True))
        if whole < len(ids) - 1:
            pieces.append((torch.from_numpy(plain[None, whole:-1]), torch.from_numpy(plain[None, whole + 1 :])))
        for inputs, wanted in pieces:
            logits = self.net.every(inputs).flatten(0, 1)
            total += functional.cross_entropy(logits, wanted.flatten(), reduction="sum").item()
        return total / (len(ids) - 1)

    def _rate(self) -> float:
        if self.step < WARMUP:
            return RATE * (self.step + 1) / (WARMUP + 1)
        done = min(1.0, (self.step - WARMUP) / (STEPS - WARMUP))
        return LAST_RATE + 0.5 * (1 + math.cos(math.pi * done)) * (RATE - LAST_RATE)

    def _random_batch(self) -> tuple[Tensor, Tensor]:
        T = self._block_size
        starts = torch.randint(len(self._ids) - T, (self._batch,))
        x = torch.stack([torch.from_numpy(self._ids[i : i + T].astype(np.int64)) for i in starts])
        y = torch.stack([torch.from_numpy(self._ids[i + 1 : i + 1 + T].astype(np.int64)) for i in starts])
        return x, y
