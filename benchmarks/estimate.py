"""What a training takes against what was estimated: a step's time and the peak of memory, for settings small to 10M.

    python benchmarks/estimate.py [NAME …]

Each setting is trained for a few steps in a process of its own, on random letters, with one evaluation, one sample and
one saved state. Memory is the growth of the resident set over what it was before the net was built. Time is the
processor's, so that other programs count little (they still cost caches and share the core's units). Right before each
setting the machine itself is measured, as the app does it once; the estimate is for that machine. POSIX only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import msgspec

from tinygpt_tui.planning.cost import memory_bytes, step_seconds, trains_natively
from tinygpt_tui.planning.machine import Machine
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.presets import PRESETS
from tinygpt_tui.settings.training import TrainingSettings

SECONDS = 1.0
MACHINE_TIMES = 3
VALIDATION_TOKENS = 20_001


def with_net(preset: str, batch_size: int, **changes: object) -> TrainingSettings:
    """A preset with another net or batch."""
    training = PRESETS[preset].training
    architecture = msgspec.structs.replace(training.architecture, **changes)
    return msgspec.structs.replace(training, architecture=architecture, batch_size=batch_size)


def classic(batch_size: int, **net: Any) -> TrainingSettings:
    """nanoGPT's net in another size."""
    return TrainingSettings(architecture=GPTSettings(**net), batch_size=batch_size, optimizer="adamw")


SETTINGS = {
    "one layer of 16": classic(4, n_layer=1, n_embd=16, n_head=2, block_size=16),
    "small": PRESETS["small"].training,
    "classic 4x64": classic(12, n_embd=64, block_size=64),
    "nanogpt": PRESETS["nanogpt"].training,
    "quick": PRESETS["quick"].training,
    "modern": PRESETS["modern"].training,
    "modern 3x96, batch 16": with_net("modern", 16, n_layer=3, n_embd=96),
    "classic 4x128, 3000 letters": classic(8, vocab_size=3000),
    "tinygpt, batch 16": with_net("tinygpt", 16),
    "classic 6x192": classic(12, n_layer=6, n_head=6, n_embd=192),
    "modern 6x192": with_net("modern", 8, n_layer=6, n_head=6, n_embd=192),
    "large, batch 4": with_net("large", 4),
    "modern 6x384": with_net("modern", 2, n_layer=6, n_head=6, n_embd=384, block_size=256),
}


def measure(settings: TrainingSettings) -> tuple[float, float]:
    """Return the milliseconds of a step and the megabytes at the peak, of this process."""
    import io
    import time
    from statistics import median

    import numpy as np
    import psutil
    import torch

    from tinygpt_tui.corpora.corpus import Corpus
    from tinygpt_tui.events.training import Step
    from tinygpt_tui.tokenizers.char import CharTokenizer
    from tinygpt_tui.training.loop import Training

    torch.set_num_threads(1)
    vocabulary = settings.architecture.vocab_size
    ids = np.random.default_rng(0).integers(vocabulary, size=300_000)
    corpus = Corpus(CharTokenizer("".join(map(chr, range(0x4E00, 0x4E00 + vocabulary)))), ids, ids[:VALIDATION_TOKENS])
    settings = msgspec.structs.replace(settings, compile="never", device="cpu", threads=1, sample_tokens=20)
    before = psutil.Process().memory_info().rss
    training = Training(settings, corpus, torch.device("cpu"))
    taken: list[float] = []
    began, last = 0.0, time.process_time()
    for event in training.events():
        now = time.process_time()
        if isinstance(event, Step):
            began = began or now
            taken.append(now - last)
            if len(taken) >= 5 and now - began > SECONDS:
                break
        last = now
    torch.save(training.state(), io.BytesIO())
    return median(taken[2:]) * 1e3, (peak() - before) / 1e6


def measure_here() -> Machine:
    """Return this machine as the app measures it, but by this process' own processor time; nothing of it is kept."""
    import tempfile
    import time
    from statistics import median

    time.perf_counter = time.process_time
    with tempfile.TemporaryDirectory() as home:
        os.environ["TINYGPT_TUI_HOME"] = home
        from tinygpt_tui.training.measure import measure_machine

        times = [measure_machine() for _ in range(MACHINE_TIMES)]
    return Machine(
        compute=median(one.compute for one in times),
        memory=median(one.memory for one in times),
        calls=median(one.calls for one in times),
    )


def in_child(*arguments: str) -> bytes:
    """Run this file in a process of its own; return what it prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, check=True, env=environment
    ).stdout


def peak() -> int:
    """Return the largest resident set so far, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Measure all settings, or those that are named, and print the table."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(SETTINGS[sys.argv[2]])))
        return
    if sys.argv[1:2] == ["--machine"]:
        print(msgspec.json.encode(measure_here()).decode())
        return
    print(f"{'':28}{'ms a step':>11}{'estimated':>11}{'ratio':>7}{'MB':>9}{'estimated':>11}{'ratio':>7}", flush=True)
    for name, settings in SETTINGS.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        machine = msgspec.json.decode(in_child("--machine"), type=Machine)
        step_ms, megabytes = json.loads(in_child("--one", name))
        time_ms, memory = step_seconds(settings, machine) * 1e3, memory_bytes(settings, trains_natively(settings)) / 1e6
        print(
            f"{name:28}{step_ms:11.1f}{time_ms:11.1f}{time_ms / step_ms:7.2f}"
            f"{megabytes:9.0f}{memory:11.0f}{memory / megabytes:7.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
