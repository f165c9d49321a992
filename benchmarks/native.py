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

from tinygpt_tui.architectures.table import build
from tinygpt_tui.generation.engine import Engine, TorchEngine
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


@torch.no_grad()
def write_naively(model: Any, ids: list[int], count: int) -> float:
    """nanoGPT's `generate`: the last block_size ids are read from the start for every token; returns tokens/s."""
    context = torch.tensor([ids])
    began = time.perf_counter()
    for _ in range(count):
        logits = model(context[:, -model.block_size :])[:, -1]
        chances = torch.softmax(logits, dim=-1)
        context = torch.cat((context, torch.multinomial(chances, num_samples=1)), dim=1)
        int(context[0, -1])  # each token is handed to Python
    return count / (time.perf_counter() - began)


def write(engine: Engine, ids: list[int], count: int) -> float:
    """The app's way: an engine and a Sampler; returns tokens/s with the reading of the prompt."""
    sampler = Sampler(SamplingSettings(temperature=1.0, seed=1))
    began = time.perf_counter()
    last = sampler.draw(engine.prefill(ids))
    for _ in range(count - 1):
        last = sampler.draw(engine.step(last))
    return count / (time.perf_counter() - began)


class NaiveGPT(torch.nn.Module):
    """nanoGPT's net around the weights of ours: the same modules, no memory, logits of the last position only."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.block_size, self.n_head = model.block_size, model.settings.n_head
        self.transformer, self.head = model.transformer, model.lm_head

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """ids (1, T) -> logits (1, 1, V)."""
        parts = self.transformer
        T = ids.shape[1]
        x = parts["wte"](ids) + parts["wpe"](torch.arange(T))
        for block in parts["h"]:
            q, k, v = (
                part.view(1, T, self.n_head, -1).transpose(1, 2)
                for part in block.attn.c_attn(block.ln_1(x)).split(x.shape[2], dim=2)
            )
            y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + block.attn.c_proj(y.transpose(1, 2).contiguous().view(1, T, -1))
            x = x + block.mlp.c_proj(torch.nn.functional.gelu(block.mlp.c_fc(block.ln_2(x))))
        logits: torch.Tensor = self.head(parts["ln_f"](x)[:, [-1]])
        return logits


def compare(name: str, library: Library, rounds: int) -> None:
    """Print one line inside the window and one with the window full."""
    settings = SIZES[name]
    model = build(settings).eval()
    state = {key: tensor.numpy() for key, tensor in model.state_dict().items()}
    native, torch_engine = NativeEngine(arrange(settings, state), library), TorchEngine(model)
    naive = NaiveGPT(model)
    for words, ids, (few, many) in (
        ("inside", list(range(PROMPT)), INSIDE[name]),
        ("full", [id % 65 for id in range(settings.block_size)], FULL[name]),
    ):
        few_ids, many_ids = ids, ids
        ways: dict[str, Callable[[], float]] = {
            "naive": lambda: write_naively(naive, few_ids, few),  # noqa: B023
            "torch": lambda: write(torch_engine, many_ids, many),  # noqa: B023
            "native": lambda: write(native, many_ids, many),  # noqa: B023
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
