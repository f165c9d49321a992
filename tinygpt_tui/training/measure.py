"""How fast this machine takes steps, tried out on texts of random letters; nothing of it reaches a run.

`python -m tinygpt_tui.training.measure` measures the machine once, for whoever cannot import torch.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

import msgspec
import numpy as np
import torch

from tinygpt_tui import platforms
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.events.training import Step
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.training.cost import step_seconds
from tinygpt_tui.training.device import choose_device, devices
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.machine import Machine, keep_machine, read_machine
from tinygpt_tui.words import threads as threads_in_words

FIRST_STEPS = 2  # warm up and do not count
FEWEST_STEPS, MOST_STEPS = 3, 60
LEANING = 0.3  # how far a factor leans towards what all three have in common

TRIAL_S = 0.7  # for each number of threads
WORTH = 1.08  # how many times quicker more threads must be to be worth taking them from everybody else

# One net for each of a machine's factors: many small calls, passes over the activations, large matrices.
_SHIFTING = {"positions": "rotary", "norm_weight": False, "qk_norm": True, "token_shift": 2, "tied_head": False}
_NETS = (
    TrainingSettings(architecture=GPTSettings(n_layer=4, n_embd=16, n_head=2, block_size=8), batch_size=1),
    TrainingSettings(
        architecture=msgspec.convert({"name": "gpt", **_SHIFTING, "n_layer": 2, "n_embd": 64}, GPTSettings),
        batch_size=8,
    ),
    TrainingSettings(
        architecture=GPTSettings(n_layer=1, n_embd=512, n_head=8, block_size=64), batch_size=8, optimizer="adamw"
    ),
)


def try_steps(settings: TrainingSettings, device: torch.device, seconds: float) -> float:
    """Return how long a step of this training takes here and now; about `seconds` are spent on it.

    The global random state and the number of threads are as before afterwards.
    """
    architecture = settings.architecture
    rng = np.random.default_rng(0)
    ids = rng.integers(architecture.vocab_size, size=(settings.batch_size + 3) * (architecture.training_length + 1))
    letters = "".join(map(chr, range(0x4E00, 0x4E00 + architecture.vocab_size)))
    corpus = Corpus(CharTokenizer(letters), ids, ids[:2])
    plain = msgspec.structs.replace(
        settings, steps=MOST_STEPS, minutes=0.0, evaluate_every=MOST_STEPS, sample_tokens=0, compile="never"
    )
    taken: list[float] = []
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        began = time.perf_counter()
        for event in Training(plain, corpus, device).events():
            if isinstance(event, Step):
                taken.append(event.elapsed_s)
            if len(taken) >= FIRST_STEPS + FEWEST_STEPS and time.perf_counter() - began > seconds:
                break
            if len(taken) >= 2 and time.perf_counter() - began > 4 * seconds:
                break  # so slow that one step tells enough
    each = np.diff([0.0, *taken])
    return float(median(each[min(FIRST_STEPS, len(each) - 1) :]))


def measure_machine(seconds: float = 1.0, threads: int = 1) -> Machine:
    """Measure this machine's three factors, keep and return them; takes about three times `seconds`."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        taken = np.array([try_steps(net, torch.device("cpu"), seconds) for net in _NETS])
    finally:
        torch.set_num_threads(before)
    units = [Machine(compute=c, memory=m, calls=k) for c, m, k in np.eye(3)]
    parts = np.array([[step_seconds(net, unit) for unit in units] for net in _NETS])  # (net, kind)
    overall = float(np.exp(np.mean(np.log(taken / parts.sum(1)))))
    # Each net's time is explained (relative to itself), and no factor strays far from the others without need.
    rows = np.concatenate((parts / taken[:, None], LEANING * np.eye(3) / overall))
    wanted = np.concatenate((np.ones(3), LEANING * np.ones(3)))
    factors = np.linalg.lstsq(rows, wanted, rcond=None)[0].clip(overall / 4, overall * 4)
    compute, memory, calls = (float(factor) for factor in factors)
    machine = Machine(compute=compute, memory=memory, calls=calls, threads=threads, measured=True)
    keep_machine(machine)
    return machine


@dataclass(frozen=True)
class Choice:
    """Where a training computes and with how many threads, how long a step takes there, and why, in words."""

    device: torch.device
    threads: int
    step_s: float
    words: str


def choose(settings: TrainingSettings, seconds: float = TRIAL_S) -> Choice:
    """Try this training's own steps on what there is, and take the quickest; about `seconds` for each try.

    Leaves torch with the chosen number of threads. Raises UsageError where the device that was asked for is not there.
    """
    asked = settings.device
    places = devices() if asked == "auto" else [choose_device(asked)]
    tries: list[Choice] = []
    for place in places:
        if place.type != "cpu":
            tries.append(Choice(place, torch.get_num_threads(), try_steps(settings, place, seconds), str(place)))
            continue
        best: Choice | None = None
        for count in [settings.threads] if settings.threads else _thread_counts():
            torch.set_num_threads(count)
            step_s = try_steps(settings, place, seconds)
            tries.append(Choice(place, count, step_s, threads_in_words(count)))
            if best is not None and step_s > best.step_s:
                break  # more would only wait for one another
            best = tries[-1]
    chosen = tries[0]
    for other in tries[1:]:
        if other.step_s * WORTH < chosen.step_s:
            chosen = other
    torch.set_num_threads(chosen.threads)
    if chosen.device.type == "cpu":
        _remember(settings, chosen)
    tokens = settings.batch_size * settings.architecture.training_length
    speeds = ", ".join(f"{each.words} {tokens / each.step_s:,.0f}" for each in tries)
    what = chosen.words if chosen.device.type != "cpu" else f"{chosen.device}, {chosen.words}"
    only = "; there is no accelerator here" if asked == "auto" and len(places) == 1 else ""
    words = f"{what} (tokens a second: {speeds}){only}"
    return Choice(chosen.device, chosen.threads, chosen.step_s, words)


def _thread_counts() -> list[int]:
    cores = platforms.usable_cores()
    counts = [1]
    while counts[-1] * 2 < cores:
        counts.append(counts[-1] * 2)
    return [*counts, cores] if cores > 1 else counts


def _remember(settings: TrainingSettings, chosen: Choice) -> None:
    """Let the next estimate know how this training did against the last one."""
    known = read_machine()
    off = chosen.step_s / step_seconds(settings, known)
    # Half of the way (in proportions): a busy minute must not spoil what was measured in quiet ones.
    keep_machine(msgspec.structs.replace(known.scaled(off**0.5 if known.measured else off), threads=chosen.threads))


if __name__ == "__main__":
    measure_machine()
