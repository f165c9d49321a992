"""How fast this machine takes steps, measured on texts of random letters; no run is affected.

`python -m tinygpt_tui.training.measure` measures the machine once, for processes that do not import torch.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import msgspec
import numpy as np
import torch

from tinygpt_tui import platforms
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.errors import UsageError
from tinygpt_tui.events.training import Step
from tinygpt_tui.planning.cost import step_seconds
from tinygpt_tui.planning.machine import Machine, read_machine, save_machine
from tinygpt_tui.reading import convert
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.numbers import NumberTokenizer
from tinygpt_tui.training.device import choose_device, devices
from tinygpt_tui.training.loop import Training
from tinygpt_tui.words import in_one_line
from tinygpt_tui.words import threads as threads_in_words

FIRST_STEPS = 2  # warm up and do not count
FIRST_STEPS_ELSEWHERE = 5  # on an accelerator, which makes its context and loads its kernels meanwhile
FEWEST_STEPS, MOST_STEPS = 3, 60
LEANING = 0.3  # how far a factor is drawn to what all three have in common

TRIAL_S = 0.7  # for each number of threads
WORTH = 1.08  # how many times faster more threads must be, to be worth taking them from other programs

# One model for each of a machine's factors: many small calls, passes over the activations, large matrices.
_SHIFTING = {"positions": "rotary", "norm_weight": False, "qk_norm": True, "token_shift": 2, "tied_head": False}
_NETS = (
    TrainingSettings(architecture=GPTSettings(n_layer=4, n_embd=16, n_head=2, block_size=8), batch_size=1),
    TrainingSettings(
        architecture=convert({"name": "gpt", **_SHIFTING, "n_layer": 2, "n_embd": 64}, GPTSettings),
        batch_size=8,
    ),
    TrainingSettings(
        architecture=GPTSettings(n_layer=1, n_embd=512, n_head=8, block_size=64), batch_size=8, optimizer="adamw"
    ),
)


def try_steps(settings: TrainingSettings, device: torch.device, seconds: float, hopeless_s: float = math.inf) -> float:
    """Return how long a step of this training takes here and now; about `seconds` are spent on it.

    One step that takes longer than `hopeless_s` is enough. The global random state and the number of threads are as
    before afterwards.
    """
    architecture = settings.architecture
    rng = np.random.default_rng(0)
    ids = rng.integers(architecture.vocab_size, size=(settings.batch_size + 3) * (architecture.training_length + 1))
    corpus = Corpus(NumberTokenizer(architecture.vocab_size), ids, ids[:2])
    plain = msgspec.structs.replace(
        settings,
        windows="anywhere",
        steps=MOST_STEPS,
        minutes=0.0,
        evaluate_every=MOST_STEPS,
        sample_tokens=0,
        compile="never",
    )
    taken: list[float] = []
    on_processor = device.type == "cpu"
    warm_up = FIRST_STEPS if on_processor else FIRST_STEPS_ELSEWHERE
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        began = time.perf_counter()
        for event in Training(plain, corpus, device).events():
            if not isinstance(event, Step):
                continue
            taken.append(event.elapsed_s)
            if len(taken) == warm_up and not on_processor:
                began = time.perf_counter()
            spent = time.perf_counter() - began
            if len(taken) >= warm_up + FEWEST_STEPS and spent > seconds:
                break
            last = taken[-1] - taken[-2] if len(taken) > 1 else 0.0
            if last > hopeless_s or (len(taken) > 1 and (spent if on_processor else last) > 4 * seconds):
                break  # so slow that one step is enough
    each = np.diff([0.0, *taken])
    return float(median(each[min(warm_up, len(each) - 1) :]))


def measure_machine(seconds: float = 1.0, threads: int = 1) -> Machine:
    """Measure this machine's three factors, save and return them; takes about three times `seconds`."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        taken = np.array([try_steps(net, torch.device("cpu"), seconds) for net in _NETS])
    finally:
        torch.set_num_threads(before)
    units = [Machine(compute=c, memory=m, calls=k) for c, m, k in np.eye(3)]
    parts = np.array([[step_seconds(net, unit) for unit in units] for net in _NETS])  # (net, kind)
    overall = float(np.exp(np.mean(np.log(taken / parts.sum(1)))))
    # The factors explain each model's time (relative to itself) and stay as near to each other as that allows.
    rows = np.concatenate((parts / taken[:, None], LEANING * np.eye(3) / overall))
    wanted = np.concatenate((np.ones(3), LEANING * np.ones(3)))
    factors = np.linalg.lstsq(rows, wanted, rcond=None)[0].clip(overall / 4, overall * 4)
    compute, memory, calls = (float(factor) for factor in factors)
    machine = Machine(compute=compute, memory=memory, calls=calls, threads=threads, measured=True)
    save_machine(machine)
    return machine


@dataclass(frozen=True)
class Choice:
    """Where a training computes, with how many threads, how long a step takes there, and why, in words."""

    device: torch.device
    threads: int
    step_s: float
    words: str
    notes: tuple[str, ...] = ()  # which devices were ruled out, and why


def choose(settings: TrainingSettings, seconds: float = TRIAL_S) -> Choice:
    """Try this training's own steps on each device, and choose the fastest; about `seconds` for each try.

    A device on which a trial fails is ruled out with a note. If none is left the first is chosen: the training itself
    will report what is wrong. Leaves torch with the chosen number of threads. Raises UsageError if the requested device
    is missing, or the settings are invalid.
    """
    requested = settings.device
    places = devices() if requested == "auto" else [choose_device(requested)]
    tries: list[Choice] = []
    notes: list[str] = []
    # Accelerators first: a processor that cannot keep up with them is not measured any further.
    for place in sorted(places, key=lambda place: place.type == "cpu"):
        try:
            # Tries before a failure count.
            tries.extend(_tries(settings, place, seconds, min((tried.step_s for tried in tries), default=math.inf)))
        except UsageError:
            raise
        except Exception as error:
            traceback.clear_frames(error.__traceback__)  # they hold a step's tensors
            notes.append(f"{place} failed in a trial of this training's steps: {in_one_line(error)}")
    if not tries:
        fallback = places[0]
        torch.set_num_threads(settings.threads or read_machine().threads)
        return Choice(
            fallback, torch.get_num_threads(), step_seconds(settings, read_machine()), str(fallback), tuple(notes)
        )
    tries.sort(key=lambda tried: tried.device.type != "cpu")
    chosen = tries[0]
    for other in tries[1:]:
        if other.step_s * WORTH < chosen.step_s:
            chosen = other
    torch.set_num_threads(chosen.threads)
    if chosen.device.type == "cpu":
        _save_speed(settings, chosen)
    tokens = settings.batch_size * settings.architecture.training_length
    speeds = ", ".join(f"{each.words} {tokens / each.step_s:,.0f}" for each in tries)
    what = chosen.words if chosen.device.type != "cpu" else f"{chosen.device}, {chosen.words}"
    only = "; there is no accelerator here" if requested == "auto" and len(places) == 1 else ""
    words = f"{what} (tokens a second: {speeds}){only}"
    return Choice(chosen.device, chosen.threads, chosen.step_s, words, tuple(notes))


def _tries(settings: TrainingSettings, place: torch.device, seconds: float, to_beat_s: float) -> Iterator[Choice]:
    """Try steps on `place`: on the processor with more and more threads, until more do not help."""
    if place.type != "cpu":
        yield Choice(place, torch.get_num_threads(), try_steps(settings, place, seconds), str(place))
        return
    counts = [settings.threads] if settings.threads else _thread_counts()
    best_s = math.inf
    for count in counts:
        torch.set_num_threads(count)
        hopeless_s = to_beat_s * counts[-1] / count  # not even all cores together could make that up
        step_s = try_steps(settings, place, seconds, hopeless_s)
        yield Choice(place, count, step_s, threads_in_words(count))
        if step_s > min(best_s, hopeless_s):
            return  # more threads would only wait for each other
        best_s = step_s


def _thread_counts() -> list[int]:
    cores = platforms.usable_cores()
    counts = [1]
    while counts[-1] * 2 < cores:
        counts.append(counts[-1] * 2)
    return [*counts, cores] if cores > 1 else counts


def _save_speed(settings: TrainingSettings, chosen: Choice) -> None:
    """Correct the machine's factors by this training's measured speed, for the next estimate."""
    known = read_machine()
    off = chosen.step_s / step_seconds(settings, known)
    # By the square root: a busy minute must not spoil what was measured in quiet ones.
    save_machine(msgspec.structs.replace(known.scaled(off**0.5 if known.measured else off), threads=chosen.threads))


if __name__ == "__main__":
    measure_machine()
