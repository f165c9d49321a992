"""The benchmark of training recipes: one small net, several ways to train it, on a text that is read often.

It is an iterator that says how far it is; `report` can be asked at any time. The last tenth of the text, which records
are about, is not looked at: the tenth before it judges.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec
import numpy as np
import torch

from benchmarks.measure.recipe_report import RecipeReport, RecipeRun
from benchmarks.measure.recipes import RECIPES, settings_of
from tinygpt_tui.checkpoints.torch_net import torch_forward
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.foreign.losses import pieces_of
from tinygpt_tui.generation.calibration import Fit, fitting
from tinygpt_tui.measuring.machine import describe
from tinygpt_tui.measuring.pinned import one_core
from tinygpt_tui.measuring.progress import Progress
from tinygpt_tui.measuring.report import Machine
from tinygpt_tui.progress import exhausted
from tinygpt_tui.training.loop import Training

LEFT_OUT = 0.1  # of the text, at its end
JUDGED = 0.1  # of what remains, at its end
_SAY_EVERY_S = 0.5


class RecipePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The recipes that are tried with each of `seeds`, on `characters` of a text; `steps` 0: as many as theirs."""

    recipes: tuple[str, ...] = tuple(RECIPES)
    corpus: str
    characters: int = 350_000
    seeds: tuple[int, ...] = (1, 2, 3)
    steps: int = 0


class RecipeBenchmark:
    """Iterate over it to measure; it yields what it trains and how far that is."""

    def __init__(self, plan: RecipePlan, text: str) -> None:
        """Raises CorpusError where `text` is too short."""
        self._plan = plan
        seen = text[: int(len(text) * (1 - LEFT_OUT))]
        self._judged = int(len(seen) * JUDGED)
        part = seen[max(0, len(seen) - self._judged - plan.characters) :]
        self._share = self._judged / len(part)
        self._text = CorpusText.of(part)
        self._runs: list[RecipeRun] = []
        self._machine: Machine | None = None
        self._began, self._worked = time.perf_counter(), time.process_time()
        self._finished = False

    def __iter__(self) -> Iterator[Progress]:
        """Measure. Raises what the trainer raises."""
        with one_core() as core:
            self._machine = describe(core)
            for seed in self._plan.seeds:
                for recipe in self._plan.recipes:
                    yield from self._run(recipe, seed)
        self._finished = True

    def report(self) -> RecipeReport:
        """Return what is there by now."""
        took_s = time.perf_counter() - self._began
        return RecipeReport(
            machine=self._machine or describe(None),
            corpus=self._plan.corpus,
            characters=self._text.characters - self._judged,
            judged=self._judged,
            took_s=took_s,
            core_share=(time.process_time() - self._worked) / max(took_s, 1e-9),
            finished=self._finished,
            runs=tuple(self._runs),
        )

    def _run(self, recipe: str, seed: int) -> Iterator[Progress]:
        training = self._training(recipe, seed)
        steps, seconds, said = training.settings.steps, 0.0, 0.0
        while training.step < steps:
            worked = time.process_time()
            training.take_step()
            seconds += time.process_time() - worked
            if time.perf_counter() - said > _SAY_EVERY_S:
                said = time.perf_counter()
                yield self._progress(recipe, seed, training.step / steps)
        fit = judged(training)
        run = RecipeRun(
            recipe=recipe,
            seed=seed,
            parameters=training.model.count_parameters(),
            steps=steps,
            seconds=seconds,
            loss=fit.calibrated_loss,
            plain_loss=fit.loss,
            logit_scale=fit.logit_scale,
        )
        self._runs.append(run)

    def _training(self, recipe: str, seed: int) -> Training:
        settings = settings_of(recipe, seed, self._share, self._plan.steps)
        corpus = self._text.split(settings)
        architecture = msgspec.structs.replace(settings.architecture, vocab_size=corpus.tokenizer.size)
        settings = msgspec.structs.replace(settings, architecture=architecture)
        return Training(settings, corpus, torch.device("cpu"))

    def _progress(self, recipe: str, seed: int, within: float) -> Progress:
        share = (len(self._runs) + within) / (len(self._plan.recipes) * len(self._plan.seeds))
        passed_s = time.perf_counter() - self._began
        left_s = passed_s * (1 - share) / share if share else None
        return Progress(words=f"{recipe}, seed {seed}", detail=f"{within:.0%}", share=share, left_s=left_s)


def judged(training: Training) -> Fit:
    """Return the loss of the trained weights over the whole validation part, plain and calibrated on it by one factor.

    One number chosen on 100,000 characters fits them better than others by about 0.00001.
    """
    architecture = training.settings.architecture
    ids = training.corpus.validation.astype(np.int64)
    pieces = pieces_of(ids, architecture.block_size, architecture.vocab_size)
    return exhausted(fitting(torch_forward(training.model), pieces))
