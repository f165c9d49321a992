"""The benchmark of the architectures: all as large as one another, on as much time, and on as much text.

It is an iterator that says how far it is; `report` can be asked at any time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec
import torch

from benchmarks.measure.family_report import FamilyReport, FamilyRun, Yardstick
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.corpora.floors import floors_of
from tinygpt_tui.events.training import Evaluation
from tinygpt_tui.measuring.machine import describe
from tinygpt_tui.measuring.pinned import one_core
from tinygpt_tui.measuring.progress import Progress
from tinygpt_tui.measuring.report import Machine
from tinygpt_tui.runs.race import contenders_of
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.loop import Training

NETS = ("gpt", "rnn", "gru", "lstm", "cnn", "backpack", "bigram")
_PRESETS = {"gpt": "modern"}  # of those that are not called as their net
_TRIED, _WARM = 6, 2  # steps by which their speed is measured, and those before that do not count
_SAY_EVERY_S = 0.5


class FamilyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured: these nets, each for a number of seconds, and over a number of characters."""

    nets: tuple[str, ...] = NETS
    corpus: str
    seconds: float = 40.0
    characters: int = 200_000
    seed: int = 1001


class FamilyBenchmark:
    """Iterate over it to measure; it yields what it begins with and how far that is."""

    def __init__(self, plan: FamilyPlan, text: str) -> None:
        self._plan, self._text = plan, CorpusText.of(text)
        self._whole = self._text.split(TrainingSettings())
        self._settings = settings_of(plan, self._whole.tokenizer.size)
        self._in_time: list[FamilyRun] = []
        self._of_text: list[FamilyRun] = []
        self._machine: Machine | None = None
        self._began, self._worked = time.perf_counter(), time.process_time()
        self._done = 0
        self._finished = False

    def __iter__(self) -> Iterator[Progress]:
        """Measure. Raises what the trainer raises."""
        plan = self._plan
        with one_core() as core:
            self._machine = describe(core)
            for net, settings in self._settings.items():
                each = settings.batch_size * settings.architecture.training_length
                steps = max(1, round(plan.seconds / self._step_seconds(settings)))
                yield from self._run(net, settings, steps, self._in_time, f"{net}, {plan.seconds:g} s")
                steps = max(1, round(plan.characters / each))
                yield from self._run(net, settings, steps, self._of_text, f"{net}, {plan.characters:,} characters")
        self._finished = True

    def report(self) -> FamilyReport:
        """Return what is there by now."""
        floors = floors_of(self._whole.train, self._whole.validation, self._whole.tokenizer.size)
        took_s = time.perf_counter() - self._began
        return FamilyReport(
            machine=self._machine or describe(None),
            corpus=self._plan.corpus,
            seed=self._plan.seed,
            seconds=self._plan.seconds,
            characters=self._plan.characters,
            took_s=took_s,
            core_share=(time.process_time() - self._worked) / max(took_s, 1e-9),
            finished=self._finished,
            in_time=tuple(self._in_time),
            of_text=tuple(self._of_text),
            yardsticks=tuple(Yardstick(floor.name, floor.loss) for floor in floors),
        )

    def _step_seconds(self, settings: TrainingSettings) -> float:
        """Return the processor's time for one step, by the quickest of a few."""
        training = self._training(settings)
        taken = []
        for _ in range(_TRIED):
            worked = time.process_time()
            training.take_step()
            taken.append(time.process_time() - worked)
        return min(taken[_WARM:])

    def _run(
        self, net: str, settings: TrainingSettings, steps: int, found: list[FamilyRun], words: str
    ) -> Iterator[Progress]:
        settings = msgspec.structs.replace(settings, steps=steps, evaluate_every=steps)
        training = self._training(settings)
        seconds = said = 0.0
        while training.step < steps:
            worked = time.process_time()
            training.take_step()
            seconds += time.process_time() - worked
            if time.perf_counter() - said > _SAY_EVERY_S:
                said = time.perf_counter()
                yield self._progress(words, f"step {training.step} of {steps}", training.step / steps)
        (evaluation,) = training._evaluate()
        assert isinstance(evaluation, Evaluation)
        found.append(
            FamilyRun(
                net=net,
                parameters=count_parameters(settings.architecture),
                steps=steps,
                characters=steps * settings.batch_size * settings.architecture.training_length,
                seconds=seconds,
                loss=evaluation.validation_loss,
            )
        )
        self._done += 1

    def _progress(self, words: str, detail: str, within: float) -> Progress:
        share = (self._done + within) / (2 * len(self._settings))
        passed_s = time.perf_counter() - self._began
        return Progress(words=words, detail=detail, share=share, left_s=passed_s * (1 - share) / share)

    def _training(self, settings: TrainingSettings) -> Training:
        return Training(settings, self._text.split(settings), torch.device("cpu"))


def settings_of(plan: FamilyPlan, vocab_size: int) -> dict[str, TrainingSettings]:
    """Return each net's training, all as large as the first of all nets, with the rates of their presets.

    The transformer is that of `modern`, trained as the others are: its own recipe is for half an hour.
    """
    presets = [_PRESETS.get(net, net) for net in NETS]
    made = dict(zip(NETS, contenders_of(presets, vocab_size, equal="parameters"), strict=True))
    found = {}
    for net in plan.nets:
        training = made[net].training
        if net == "gpt":
            like = made["backpack"].training
            rates = {name: getattr(like, name) for name in ("learning_rate", "head_rate", "embedding_rate")}
            architecture = msgspec.structs.replace(training.architecture, dropout=0.0)
            training = msgspec.structs.replace(training, architecture=architecture, batch_size=like.batch_size, **rates)
        found[net] = msgspec.structs.replace(
            training,
            seed=plan.seed,
            device="cpu",
            threads=1,
            timeline_mb=0,
            sample_tokens=0,
            compile="never",
        )
    return found
