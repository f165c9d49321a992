"""nanoGPT's way of training, which everything is compared with; it shares no code with the trainer.

Its recipe for a processor: 4 layers of 128, windows of 64, 12 at random a step, AdamW at 1e-3 falling to 1e-4 by a
cosine after 100 steps of warm-up, 2000 steps, the loss read at each. Source: Karpathy, nanoGPT, train.py and README.md.
"""

from __future__ import annotations

import contextlib
import math
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from tinygpt_tui.errors import UsageError
from tinygpt_tui.measuring.naive import NaiveGPT
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.tokenizers.ids import Ids

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

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the mean loss of x and y (B, T)."""
        logits = self.every(x)
        return functional.cross_entropy(logits.view(-1, logits.size(-1)), y.view(-1), ignore_index=-1)

    def optimizer(self) -> Optimizer:
        """Return nanoGPT's: decay for matrices alone."""
        weights = list(self.parameters())
        groups = [
            {"params": [weight for weight in weights if weight.dim() >= 2], "weight_decay": WEIGHT_DECAY},
            {"params": [weight for weight in weights if weight.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=RATE, betas=BETAS)


class FileNet(nn.Module):
    """The GPT of nanoGPT's own model.py, with its own loss and optimizer."""

    def __init__(self, file: Path, settings: GPTSettings) -> None:
        """Runs `file`. Raises UsageError if it is something else."""
        super().__init__()
        configuration = {
            name: getattr(settings, name)
            for name in ("block_size", "vocab_size", "n_layer", "n_head", "n_embd", "dropout", "bias")
        }
        with contextlib.redirect_stdout(sys.stderr):  # it prints what it makes
            try:
                module = runpy.run_path(str(file), run_name=file.stem)
                self.gpt: Any = module["GPT"](module["GPTConfig"](**configuration))
            except (Exception, SystemExit) as error:
                raise UsageError(f"{file} is not nanoGPT's model.py: {type(error).__name__}: {error}") from error

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the mean loss of x and y (B, T)."""
        loss: Tensor = self.gpt(x, y)[1]
        return loss

    def every(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> logits (B, T, V)."""
        logits: Tensor = self.gpt(ids, ids)[0]
        return logits

    def optimizer(self) -> Optimizer:
        """Return the file's own."""
        with contextlib.redirect_stdout(sys.stderr):
            optimizer: Optimizer = self.gpt.configure_optimizers(WEIGHT_DECAY, RATE, BETAS, "cpu")
        return optimizer


class PlainTraining:
    """One training as nanoGPT does it; `one_step` is its loop's body."""

    def __init__(self, settings: GPTSettings, train: Ids, seed: int, file: Path | None = None) -> None:
        """`train` (N,) are the ids to learn from. With `file`, the net is that file's: see FileNet."""
        torch.manual_seed(seed)
        self.net, self.step = FileNet(file, settings) if file else PlainNet(settings), 0
        self._ids, self._batch, self._block_size = train.astype(np.uint16), BATCH, settings.block_size
        self._random = torch.Generator().manual_seed(seed)  # the same batches for every net
        self._optimizer = self.net.optimizer()

    def one_step(self) -> float:
        """Take a step; return its loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate()
        loss = self.net.loss(*self._random_batch())
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
        starts = torch.randint(len(self._ids) - T, (self._batch,), generator=self._random)
        x = torch.stack([torch.from_numpy(self._ids[i : i + T].astype(np.int64)) for i in starts])
        y = torch.stack([torch.from_numpy(self._ids[i + 1 : i + 1 + T].astype(np.int64)) for i in starts])
        return x, y
