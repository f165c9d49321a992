"""Tokens a second of the native engine and of the torch engine, against nanoGPT's way of generating.

All three decode the same random weights in turn, in one process on one core: `python benchmarks/native.py [ROUNDS]`.
The naive side reads every position again for each token and draws by softmax and multinomial; the engines draw by the
app's own Sampler. The ratios are medians over the rounds. The C library is the package's, or built into a temporary
folder.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tinygpt_tui.architectures.table import build
from tinygpt_tui.generation.base import Engine
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.generation.sampler import Sampler
from tinygpt_tui.native import build as compiling
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.library import Library, load_library
from tinygpt_tui.native.weights import arrange
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.sampling import SamplingSettings

SIZES = {
    "S": GPTSettings(n_layer=4, n_head=4, n_embd=64, block_size=128),
    "M": GPTSettings(n_layer=6, n_head=6, n_embd=192, block_size=128),
    "L": GPTSettings(n_layer=6, n_head=6, n_embd=384, block_size=256),
}
# Tokens a turn: the naive side is slow, and the fast one needs more than a few to be measured.
INSIDE = {"S": (100, 100), "M": (100, 100), "L": (30, 100)}  # naive, engines
FULL = {"S": (20, 60), "M": (12, 24), "L": (4, 8)}
PROMPT = 10


class NaiveAttention(nn.Module):
    """nanoGPT's attention: all positions, no memory."""

    def __init__(self, width: int, n_head: int) -> None:
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.resid_dropout, self.n_head = nn.Dropout(0.0), n_head

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(C, dim=2)
        k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        v = v.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=None, dropout_p=0, is_causal=True)
        y = y.transpose(1, 2).contiguous().view(B, T, C)
        return self.resid_dropout(self.c_proj(y))  # type: ignore[no-any-return]


class NaiveNorm(nn.Module):
    """LayerNorm without a bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """x (..., C) -> (..., C)."""
        return functional.layer_norm(x, self.weight.shape, self.weight, None, 1e-5)


class NaiveMLP(nn.Module):
    """nanoGPT's MLP."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc, self.gelu = nn.Linear(width, 4 * width, bias=False), nn.GELU()
        self.c_proj, self.dropout = nn.Linear(4 * width, width, bias=False), nn.Dropout(0.0)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))  # type: ignore[no-any-return]


class NaiveBlock(nn.Module):
    """nanoGPT's block."""

    def __init__(self, width: int, n_head: int) -> None:
        super().__init__()
        self.ln_1, self.attn = NaiveNorm(width), NaiveAttention(width, n_head)
        self.ln_2, self.mlp = NaiveNorm(width), NaiveMLP(width)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        x = x + self.attn(self.ln_1(x))
        y: Tensor = x + self.mlp(self.ln_2(x))
        return y


class NaiveGPT(nn.Module):
    """nanoGPT's net, with its names of the weights, and its `generate`."""

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        width, self.block_size = settings.n_embd, settings.block_size
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(settings.vocab_size, width),
                "wpe": nn.Embedding(settings.block_size, width),
                "drop": nn.Dropout(0.0),
                "h": nn.ModuleList(NaiveBlock(width, settings.n_head) for _ in range(settings.n_layer)),
                "ln_f": NaiveNorm(width),
            }
        )
        self.lm_head = nn.Linear(width, settings.vocab_size, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (B, T) -> logits (B, 1, V) of the last position."""
        parts: Any = self.transformer
        x = parts["drop"](parts["wte"](ids) + parts["wpe"](torch.arange(0, ids.shape[1])))
        for block in parts["h"]:
            x = block(x)
        logits: Tensor = self.lm_head(parts["ln_f"](x)[:, [-1], :])
        return logits

    @torch.no_grad()
    def generate(self, ids: list[int], count: int) -> float:
        """Read the last block_size ids from the start for every token; return tokens/s."""
        context = torch.tensor([ids])
        began = time.perf_counter()
        for _ in range(count):
            seen = context if context.size(1) <= self.block_size else context[:, -self.block_size :]
            chances = functional.softmax(self(seen)[:, -1, :] / 1.0, dim=-1)
            drawn = torch.multinomial(chances, num_samples=1)
            context = torch.cat((context, drawn), dim=1)
            drawn.item()  # each token is handed to Python
        return count / (time.perf_counter() - began)


def write(engine: Engine, ids: list[int], count: int) -> float:
    """The app's way: an engine and a Sampler; returns tokens/s with the reading of the prompt."""
    sampler = Sampler(SamplingSettings(temperature=1.0, seed=1))
    began = time.perf_counter()
    last = sampler.draw(engine.prefill(ids))
    for _ in range(count - 1):
        last = sampler.draw(engine.step(last))
    return count / (time.perf_counter() - began)


def compare(name: str, library: Library, rounds: int) -> None:
    """Print one line inside the window and one with the window full."""
    settings = SIZES[name]
    model = build(settings).eval()
    state = {key: tensor.numpy() for key, tensor in model.state_dict().items()}
    native, torch_engine = NativeEngine(arrange(settings, state), library), TorchEngine(model)
    naive = NaiveGPT(settings).eval()
    naive.load_state_dict(model.state_dict())
    for words, ids, (few, many) in (
        ("inside", list(range(PROMPT)), INSIDE[name]),
        ("full", [id % 65 for id in range(settings.block_size)], FULL[name]),
    ):
        ways: dict[str, Callable[[], float]] = {
            "naive": lambda: naive.generate(ids, few),  # noqa: B023
            "torch": lambda: write(torch_engine, ids, many),  # noqa: B023
            "native": lambda: write(native, ids, many),  # noqa: B023
        }
        found: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(rounds + 1):
            for way, run in ways.items():
                speed = run()
                if turn:  # the first turn warms up
                    found[way].append(speed)
        ratios = {
            way: statistics.median(a / b for a, b in zip(found[way], found["naive"], strict=True)) for way in ways
        }
        speeds = "  ".join(f"{way} {statistics.median(found[way]):8.1f} (x{ratios[way]:.2f})" for way in ways)
        print(f"{name} {words:6}  {speeds}", flush=True)


def main() -> None:
    """Print tokens/s and ratios for every size."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        library = load_library() or Library(compiling.build(Path(folder)))
        print(f"tokens/s, median of {rounds} rounds in turn, one core")
        for name in SIZES:
            compare(name, library, rounds)


if __name__ == "__main__":
    main()
