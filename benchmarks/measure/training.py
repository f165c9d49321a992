"""The benchmark of training: the plain recipe and the presets in turn, seed by seed.

It is an iterator that says how far it is. What was measured up to an interruption is kept: `report` can be asked at any
time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import torch

from benchmarks.measure.plain_training import STEPS as PLAIN_STEPS
from benchmarks.measure.plain_training import PlainTraining
from benchmarks.measure.training_goals import (
    GOALS,
    LOOP,
    LOOP_BATCH,
    LOOP_GOAL,
    LOOP_SIZES,
    NANOGPT,
    PLAIN,
    PLAIN_LOSS,
    Goal,
)
from benchmarks.measure.training_report import GoalRow, LoopRow, TrainingReport, TrainingRun
from tinygpt_tui.corpora.corpus import Corpus, CorpusText
from tinygpt_tui.events.training import Evaluation, Step
from tinygpt_tui.measuring.machine import describe
from tinygpt_tui.measuring.pinned import one_core
from tinygpt_tui.measuring.progress import Progress
from tinygpt_tui.measuring.report import Machine, Spread
from tinygpt_tui.native.learning import load_learning
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.presets import find_preset
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.loop import Training

_CPU = torch.device("cpu")
_SAY_EVERY_S = 0.5
_LOOP_ROUNDS, _LOOP_STEPS = 7, 30
# For guesses of the time left alone, in seconds; the clock corrects them.
_GUESSES = {
    PLAIN: 170.0, "1.88": 6.0, "classic": 70.0, "1.67": 60.0, "1.55": 280.0,
    "1.45": 1700.0, "llama": 1700.0, LOOP: 60.0,
}  # fmt: skip


class TrainingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured. `steps` shortens every training, for trying the benchmark itself.

    `nanogpt` is the path of nanoGPT's model.py, whose GPT is trained in the loop as well.
    """

    parts: tuple[str, ...]
    seeds: tuple[int, ...]
    corpus: str
    steps: int = 0
    nanogpt: Path | None = None


@dataclass
class _Measured:
    runs: dict[str, list[TrainingRun]] = field(default_factory=dict)
    speeds: dict[tuple[str, str], list[float]] = field(default_factory=dict)


class TrainingBenchmark:
    """Iterate over it to measure; it yields what it begins with and how far that is."""

    def __init__(self, plan: TrainingPlan, text: str) -> None:
        self._plan, self._text = plan, text
        self._goals = [GOALS[name] for name in plan.parts if name in GOALS]
        self._against_plain = any(goal.times for goal in self._goals)
        self._names = [*([PLAIN] if self._against_plain else []), *(goal.name for goal in self._goals)]
        self._found = _Measured()
        self._machine: Machine | None = None
        self._began, self._worked = time.perf_counter(), time.process_time()
        self._core_share: float | None = None
        self._finished = False
        rounds = len(plan.seeds)
        self._total_s = _GUESSES[LOOP] * (LOOP in plan.parts) + rounds * sum(_GUESSES[name] for name in self._names)
        self._done_s = 0.0

    def __iter__(self) -> Iterator[Progress]:
        """Measure. Raises what the trainer raises."""
        with one_core() as core:
            self._machine = describe(core)
            if LOOP in self._plan.parts:
                yield from self._compare_loops()
            for number, seed in enumerate(self._plan.seeds, start=1):
                for name in self._names:
                    words = f"seed {number} of {len(self._plan.seeds)}: {name}"
                    run = self._plain(seed) if name == PLAIN else self._recipe(GOALS[name], seed)
                    for share, detail in run:
                        yield self._progress(words, detail, share * _GUESSES[name])
                    self._done_s += _GUESSES[name]
        self._finished = True

    def report(self) -> TrainingReport:
        """Return what is there by now."""
        return TrainingReport(
            machine=self._machine or describe(None),
            corpus=self._plan.corpus,
            characters=len(self._text),
            native=load_learning() is not None,
            seconds=time.perf_counter() - self._began,
            core_share=self._share(),
            finished=self._finished,
            loop=tuple(self._loop_row(size, way) for size, way in self._found.speeds),
            goals=tuple(self._row(name) for name in self._names if self._found.runs.get(name)),
        )

    def _share(self) -> float:
        return (time.process_time() - self._worked) / max(1e-9, time.perf_counter() - self._began)

    def _progress(self, words: str, detail: str, within_s: float) -> Progress:
        share = min(1.0, (self._done_s + within_s) / self._total_s)
        passed_s = time.perf_counter() - self._began
        return Progress(
            words=words, detail=detail, share=share, left_s=passed_s * (1 - share) / share if share else None
        )

    def _plain(self, seed: int) -> Iterator[tuple[float, str]]:
        settings, steps = LOOP_SIZES["M"], self._plan.steps or PLAIN_STEPS
        began = time.perf_counter()
        corpus = self._corpus(settings, 0.1)
        training = PlainTraining(_with_vocabulary(settings, corpus), corpus.train, seed)
        seconds, said = 0.0, 0.0
        while training.step < steps:
            worked = time.process_time()
            training.one_step()
            seconds += time.process_time() - worked
            if time.perf_counter() - said > _SAY_EVERY_S:
                said = time.perf_counter()
                yield training.step / steps, f"step {training.step} of {steps}"
        loss = training.whole_loss(corpus.validation)
        whole_s = time.perf_counter() - began
        run = TrainingRun(seed=seed, steps=steps, loss=loss, seconds=seconds, whole_s=whole_s)
        self._found.runs.setdefault(PLAIN, []).append(run)

    def _recipe(self, goal: Goal, seed: int) -> Iterator[tuple[float, str]]:
        settings = find_preset(goal.preset).training
        settings = msgspec.structs.replace(settings, seed=seed, device="cpu", threads=1, timeline_mb=0)
        if self._plan.steps:
            settings = msgspec.structs.replace(settings, steps=self._plan.steps)
        began = time.perf_counter()
        training = self._training(settings)
        seconds, said, loss = 0.0, 0.0, float("nan")
        worked = worked_before = time.process_time()
        for event in training.events():
            now = time.process_time()
            if isinstance(event, Step):
                seconds += now - worked
                if time.perf_counter() - said > _SAY_EVERY_S:
                    said = time.perf_counter()
                    yield event.step / settings.steps, f"step {event.step} of {settings.steps}, loss {event.loss:.2f}"
            elif isinstance(event, Evaluation):
                loss = event.validation_loss
            worked = time.process_time()
        run = TrainingRun(
            seed=seed,
            steps=settings.steps,
            loss=loss,
            seconds=seconds,
            whole_s=time.perf_counter() - began,
            besides=1 - seconds / (time.process_time() - worked_before),
        )
        self._found.runs.setdefault(goal.name, []).append(run)

    def _compare_loops(self) -> Iterator[Progress]:
        steps = self._plan.steps or _LOOP_STEPS
        for number, (size, settings) in enumerate(LOOP_SIZES.items()):
            ways = self._loops(settings)
            for turn in range(_LOOP_ROUNDS + 1):  # the first round warms up
                share = (number + turn / (_LOOP_ROUNDS + 1)) / len(LOOP_SIZES)
                yield self._progress(f"loop, {size}", f"round {turn} of {_LOOP_ROUNDS}", share * _GUESSES[LOOP])
                for way, one_step in ways.items():
                    worked = time.process_time()
                    for _ in range(steps):
                        one_step()
                    taken = time.process_time() - worked
                    if turn:
                        tokens = steps * LOOP_BATCH * settings.block_size
                        self._found.speeds.setdefault((size, way), []).append(tokens / taken)
        self._done_s += _GUESSES[LOOP]

    def _loops(self, settings: GPTSettings) -> dict[str, Callable[[], object]]:
        """Return the loops that take turns on one size: the plain ones, and the trainer's on two forms of the net."""
        corpus = self._corpus(settings, 0.1)
        modern = find_preset("modern").training.architecture
        assert isinstance(modern, GPTSettings)
        modern = msgspec.structs.replace(
            modern, n_embd=settings.n_embd, block_size=settings.block_size, sliding=False, dropout=0.0
        )
        common = TrainingSettings(
            batch_size=LOOP_BATCH, steps=1_000_000, device="cpu", threads=1, compile="never", seed=self._plan.seeds[0]
        )
        classic = msgspec.structs.replace(common, architecture=settings, optimizer="adamw", learning_rate=1e-3)
        sized, seed, file = _with_vocabulary(settings, corpus), self._plan.seeds[0], self._plan.nanogpt
        nanogpt = {NANOGPT: PlainTraining(sized, corpus.train, seed, file).one_step} if file else {}
        return {
            PLAIN: PlainTraining(sized, corpus.train, seed).one_step,
            **nanogpt,
            "classic, AdamW": self._training(classic).take_step,
            "classic, Muon": self._training(msgspec.structs.replace(classic, optimizer="muon")).take_step,
            "modern, Muon": self._training(msgspec.structs.replace(common, architecture=modern)).take_step,
        }

    def _corpus(self, settings: GPTSettings, validation_share: float) -> Corpus:
        training = TrainingSettings(architecture=settings, validation_share=validation_share)
        return CorpusText.of(self._text).split(training)

    def _training(self, settings: TrainingSettings) -> Training:
        architecture = settings.architecture
        assert isinstance(architecture, GPTSettings)
        corpus = self._corpus(architecture, settings.validation_share)
        settings = msgspec.structs.replace(settings, architecture=_with_vocabulary(architecture, corpus))
        return Training(settings, corpus, _CPU)

    def _loop_row(self, size: str, way: str) -> LoopRow:
        speeds = self._found.speeds
        wanted = way == "classic, AdamW"  # the plain loop's own net and optimizer
        ratio = None if way == PLAIN else Spread.of_ratios(speeds[size, way], speeds[size, PLAIN])
        return LoopRow(
            size=size,
            way=way,
            speeds=tuple(speeds[size, way]),
            tokens_per_s=Spread.of(speeds[size, way]),
            ratio=ratio,
            wanted=LOOP_GOAL if wanted else None,
        )

    def _row(self, name: str) -> GoalRow:
        goal, runs = GOALS.get(name), self._found.runs[name]
        plain = self._found.runs.get(PLAIN, [])
        settings = LOOP_SIZES["M"] if goal is None else find_preset(goal.preset).training.architecture
        vocabulary = len(set(self._text))
        return GoalRow(
            name=name,
            preset=goal.preset if goal else "",
            parameters=count_parameters(msgspec.structs.replace(settings, vocab_size=vocabulary)),
            runs=tuple(runs),
            wanted_loss=goal.loss if goal else PLAIN_LOSS,
            wanted_times=goal.times if goal else None,
            wanted_s=goal.seconds if goal else None,
            loss=Spread.of([run.loss for run in runs]),
            seconds=Spread.of([run.seconds for run in runs]),
            ratio=Spread.of_ratios([run.seconds for run in plain], [run.seconds for run in runs]) if goal else None,
        )


def _with_vocabulary(settings: GPTSettings, corpus: Corpus) -> GPTSettings:
    return msgspec.structs.replace(settings, vocab_size=corpus.tokenizer.size)
