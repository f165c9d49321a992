"""python benchmarks/vocabulary.py: what the softmax over 50,257 tokens costs, beside the matrix product before it.

Decoding: the native engine's step (a small body and the large product) without and with the draw. Training: the product
forward and backward with a given gradient, and with the loss as the trainer computes it. The time is the processor's
own, on one core, the fastest of several rounds, so that other programs disturb little.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from tinygpt_tui.cli.output import table, write
from tinygpt_tui.generation.sampler import Sampler
from tinygpt_tui.measuring.pinned import one_core
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.weights import arrange, shapes
from tinygpt_tui.settings.gpt import GPTSettings
from tinygpt_tui.settings.model_config import HEAD
from tinygpt_tui.settings.sampling import SamplingSettings

VOCABULARY, WIDTH, TOKENS = 50_257, 384, 512
ROUNDS, STEPS = 5, 20
DRAWS = {
    "temperature 1": SamplingSettings(seed=1),
    "greedy": SamplingSettings(seed=1, temperature=0),
    "top k 40": SamplingSettings(seed=1, top_k=40),
    "top p 0.9": SamplingSettings(seed=1, top_p=0.9),
    "min p 0.02": SamplingSettings(seed=1, min_p=0.02),
}


def fastest(run: Callable[[], object]) -> float:
    """Return the least processor time that `run` took, in seconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def decoding() -> list[tuple[str, float, float]]:
    """Return for each way of drawing the seconds of a step without and with it."""
    settings = GPTSettings(vocab_size=VOCABULARY, n_layer=1, n_head=4, n_embd=WIDTH, block_size=64)
    random = np.random.default_rng(0)
    tensors = {
        name: random.standard_normal(shape, dtype=np.float32) * np.float32(0.05)
        for name, shape in shapes(settings).items()
        if name != HEAD
    }
    engine = NativeEngine(arrange(settings, tensors))
    logits = engine.prefill([1, 2, 3]).copy() * 4  # as uneven as those of a trained model
    step = fastest(lambda: [engine.step(id) for id in range(STEPS)]) / STEPS
    rows = []
    for name, sampling in DRAWS.items():
        sampler = Sampler(sampling)
        draw = fastest(lambda sampler=sampler: [sampler.draw(logits) for _ in range(STEPS)]) / STEPS  # type: ignore[misc]
        rows.append((name, step, step + draw))
    return rows


def training() -> tuple[str, float, float]:
    """Return the seconds of the last layer's forward and backward pass without and with the loss."""
    torch.manual_seed(0)
    hidden = torch.randn(TOKENS, WIDTH, requires_grad=True)
    weight = torch.nn.Parameter(torch.randn(VOCABULARY, WIDTH) * 0.05)
    goals = torch.randint(VOCABULARY, (TOKENS,))
    gradient = torch.randn(TOKENS, VOCABULARY) / VOCABULARY

    def product() -> None:
        (hidden @ weight.T).backward(gradient)  # type: ignore[no-untyped-call]

    def loss() -> None:
        logits = hidden @ weight.T
        F.cross_entropy(logits.float().view(-1, VOCABULARY), goals).backward()  # type: ignore[no-untyped-call]

    return f"{TOKENS} tokens", fastest(product), fastest(loss)


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    with one_core():
        found = [("decoding", *row) for row in decoding()] + [("training", *training())]
    rows = [
        (what, how, f"{product * 1e3:.2f} ms", f"{whole * 1e3:.2f} ms", f"{product / whole:.0%}")
        for what, how, product, whole in found
    ]
    write(table(rows, ("", "", "PRODUCT", "WITH SOFTMAX", "SPEED"), right=frozenset({2, 3, 4})))


if __name__ == "__main__":
    main()
