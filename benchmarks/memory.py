"""python benchmarks/memory.py: how near the native engine is to the memory's own speed with a Llama of 135 million.

A step reads every weight once. Weights are random, in SmolLM-135M's shapes; the time is the processor's own, so that
other programs disturb little. The memory's speed is that of adding up an array of as many bytes.
"""

from __future__ import annotations

import time

import numpy as np

from tinygpt_tui.cli.output import table, write
from tinygpt_tui.measuring.pinned import one_core
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.weights import NativeWeights, Precision, arrange, shapes
from tinygpt_tui.settings.gpt import GPTSettings
from tinygpt_tui.settings.model_config import HEAD

SMOLLM = GPTSettings(
    vocab_size=49152, block_size=2048, n_layer=30, n_head=9, n_kv_head=3, n_embd=576, hidden=1536,
    positions="rotary", norm="rmsnorm", activation="swiglu",
)  # fmt: skip
ROUNDS, STEPS, PROMPT = 12, 8, 16
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")


def bytes_read(weights: NativeWeights) -> int:
    """Return how many bytes of weights a step reads: all, except that it looks up one row of an embedding."""
    layers = sum(part.nbytes for layer in weights.layers for part in layer.values())
    return layers + sum(part.nbytes for name, part in weights.net.items() if name != "embedding")


def step_seconds(weights: NativeWeights) -> float:
    """Return how long a step takes, the fastest of several rounds."""
    engine = NativeEngine(weights)
    engine.prefill(range(PROMPT))
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for id in range(STEPS):
            engine.step(id)
        times.append((time.process_time() - start) / STEPS)
    return min(times)


def memory_speed(size: int) -> float:
    """Return the bytes a second at which one core adds up `size` bytes of memory."""
    numbers, times = np.ones(size // 4, dtype=np.float32), []
    for _ in range(ROUNDS):
        start = time.process_time()
        numbers.sum()
        times.append(time.process_time() - start)
    return size / min(times)


def main() -> None:
    """Measure and print."""
    random = np.random.default_rng(0)
    tensors = {
        name: random.standard_normal(shape, dtype=np.float32) * np.float32(0.02)
        for name, shape in shapes(SMOLLM).items()
        if name != HEAD
    }
    rows = []
    with one_core():
        for precision in PRECISIONS:
            weights = arrange(SMOLLM, tensors, precision=precision)
            size = bytes_read(weights)
            seconds, memory = step_seconds(weights), memory_speed(size)
            speed = size / seconds
            rows.append(
                (precision, f"{size / 1e6:.0f} MB", f"{1 / seconds:.1f}", f"{speed / 1e9:.1f} GB/s",
                 f"{memory / 1e9:.1f} GB/s", f"{speed / memory:.0%}")
            )  # fmt: skip
    columns = ("WEIGHTS", "SIZE", "TOKENS/S", "READS", "MEMORY", "SHARE")
    write(table(rows, columns, right=frozenset(range(1, len(columns)))))


if __name__ == "__main__":
    main()
