"""Settles what headers cannot tell by measuring: the right reading of the weights is the least surprised by its text.

Every reading judges the same tokens, so two of them are compared token by token: by how many standard errors their
losses differ. The two kinds of GELU are too near to one another for any loss; they stay as the layout's programs have
them, where one is not clearly better.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.checkpoints.calibration_texts import (
    LEAST_KNOWN,
    CalibrationText,
    calibration_texts,
    character_sets,
    known_share,
)
from tinygpt_tui.checkpoints.facts import Fact, in_words
from tinygpt_tui.checkpoints.opening import Described, settled
from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer

LONGEST_WINDOW = 256
MOST_NUMBERS = 4 << 20  # logits of one pass
WORK = 4e11  # multiplications that one reading may cost: a second or two
MOST_TOGETHER = 32  # readings that are tried together; with more, one question is settled after the other
SURE, LIKELY = 6.0, 3.0  # standard errors

Build = Any  # (settings) -> LanguageModel with the weights in it


@dataclass(frozen=True)
class Judged:
    """One reading of the weights: its answers, and the loss of every token, nats."""

    answers: Mapping[str, Any]
    losses: NDArray[np.float64]

    @property
    def loss(self) -> float:
        """The mean loss, nats per token."""
        return float(self.losses.mean())


def calibrated(described: Described, build: Build, corpus: str = "") -> Described:
    """Return `described` with its questions answered, and a fact that says what was measured.

    `build` makes the model of some settings. Nothing is measured where no text fits the vocabulary.
    """
    chosen = _text_for(described, build, corpus)
    if chosen is None:
        return described
    described, text, tokenizer = chosen
    ids = torch.tensor(tokenizer.encode(text.text))
    ids = ids[: _affordable(described)]
    judge = _Judge(described.settings, build, ids)
    for questions in _together(described):
        best = judge.best(questions)
        for question in questions:
            answer = best.answers[question.setting]
            rivals = [one for one in judge.judged if one.answers.get(question.setting) not in (None, answer)]
            rivals = [one for one in rivals if one.answers.keys() == best.answers.keys()]
            rival = min(rivals, key=lambda one: one.loss, default=None)
            if rival is None:
                continue
            apart = _apart(best, rival)
            convention = question.candidates[0]
            if apart < LIKELY and answer != convention and question.setting == "activation":
                answer = convention
            described = settled(described, {question.setting: answer}, _evidence(question.setting, best, rival, apart))
            judge.settings = described.settings
    return _with_loss(described, judge.of({}), text, tokenizer)


class _Judge:
    """Measures readings over one row of ids; each once."""

    def __init__(self, settings: ArchitectureSettings, build: Build, ids: Tensor) -> None:
        self.settings, self._build, self._ids = settings, build, ids
        self.judged: list[Judged] = []

    def of(self, answers: Mapping[str, Any]) -> Judged:
        """Return how a reading does. A reading that cannot be built is infinitely surprised."""
        try:
            model = self._build(msgspec.structs.replace(self.settings, **answers))
        except UsageError:
            return Judged(answers, np.full(len(self._ids) - 1, np.inf))
        found = Judged(answers, token_losses(model, self._ids))
        self.judged.append(found)
        return found

    def best(self, questions: Sequence[Any]) -> Judged:
        """Return the best reading over all answers to these questions together."""
        names = [question.setting for question in questions]
        readings = itertools.product(*(question.candidates for question in questions))
        return min((self.of(dict(zip(names, answers, strict=True))) for answers in readings), key=lambda one: one.loss)


@torch.inference_mode()
def token_losses(model: LanguageModel, ids: Tensor) -> NDArray[np.float64]:
    """Return the loss of every token but the first, nats (N - 1,): in windows side by side."""
    model.eval()
    size = min(model.block_size or LONGEST_WINDOW, LONGEST_WINDOW, len(ids) - 1)
    losses = []
    rows = max(1, MOST_NUMBERS // (size * model.vocab_size))
    count = (len(ids) - 1) // size
    inputs, targets = ids[: count * size].view(count, size), ids[1 : count * size + 1].view(count, size)
    for start in range(0, count, rows):
        logits = model(inputs[start : start + rows])
        wanted = targets[start : start + rows].reshape(-1)
        losses.append(F.cross_entropy(logits.reshape(len(wanted), -1).double(), wanted, reduction="none"))
    return torch.cat(losses).nan_to_num(nan=math.inf).numpy()


def _together(described: Described) -> Iterable[list[Any]]:
    """Yield questions to be answered together: all of them, or, where that is too much, one after the other."""
    questions = list(described.questions)
    if math.prod(len(question.candidates) for question in questions) <= MOST_TOGETHER:
        if questions:
            yield questions
        return
    yield from ([question] for question in questions)


def _text_for(described: Described, build: Build, corpus: str) -> tuple[Described, CalibrationText, Tokenizer] | None:
    """Return the text that surprises the model least, with the tokenizer that it is read by."""
    texts = calibration_texts(corpus)
    tokenizers: list[tuple[str, Tokenizer]] = [("", described.tokenizer)]
    if described.tokenizer.name == "numbers":
        sets = character_sets(described.tokenizer.size, corpus)
        tokenizers = [(name, CharTokenizer(characters)) for name, characters in sets]
    fitting = [
        (name, text, tokenizer)
        for name, tokenizer in tokenizers
        for text in texts
        if known_share(tokenizer, text.text) >= LEAST_KNOWN and len(tokenizer.encode(text.text)) > 1
    ]
    if not fitting:
        return None
    if len(fitting) > 1:
        model = build(described.settings)
        fitting.sort(key=lambda one: float(token_losses(model, torch.tensor(one[2].encode(one[1].text[:2000]))).mean()))
    name, text, tokenizer = fitting[0]
    if name:
        words = f"{tokenizer.size} characters"
        fact = Fact(name="vocabulary", value=words, source="calibrated", detail=f"those of {name}")
        facts = tuple(fact if one.name == "vocabulary" else one for one in described.facts)
        described = dataclasses.replace(described, tokenizer=tokenizer, facts=facts)
    return described, text, tokenizer


def _affordable(described: Described) -> int:
    """Return how many tokens a reading may be measured on."""
    return max(512, int(WORK / (2 * max(1, described.config.parameters))))


def _apart(best: Judged, rival: Judged) -> float:
    """Return by how many standard errors two readings differ, token by token."""
    difference = rival.losses - best.losses
    if not np.isfinite(difference).all():
        return math.inf
    error = float(difference.std()) / math.sqrt(len(difference))
    return float(difference.mean()) / error if error > 0 else 0.0


def _evidence(setting: str, best: Judged, rival: Judged, apart: float) -> str:
    sure = "sure" if apart > SURE else "likely" if apart > LIKELY else "the loss does not tell them apart"
    ours, theirs = (reading_in_words(one.answers) for one in (best, rival))
    measured = f"{ours}: {best.loss:.4g}; next best {theirs}: {rival.loss:.4g}"
    return f"{measured} ({sure}, {min(apart, 999):.1f} standard errors)"


def reading_in_words(answers: Mapping[str, Any]) -> str:
    """Return answers as people read them: "4 heads, scale 1/√n_embd"."""
    words = {
        "n_head": lambda value: f"{value} head{'s' if value > 1 else ''}",
        "attention_scale": lambda value: f"scale 1/√{value}",
        "residual": lambda value: "no residual" if value == "none" else f"residual of the {value}",
    }
    return ", ".join(words.get(name, in_words)(value) for name, value in answers.items())


def _with_loss(described: Described, found: Judged, text: CalibrationText, tokenizer: Tokenizer) -> Described:
    """Add what the model's loss on the text is, and say so where it is worse than counting letters."""
    value = f"{found.loss:.3f} nats per token"
    detail = f"on {len(found.losses):,} tokens of {text.name}"
    if isinstance(tokenizer, CharTokenizer):
        unigram = _unigram(tokenizer.encode(text.text))
        if found.loss > unigram:
            value = f"{value}: wrong vocabulary, or another language"
            detail += f"; counting letters alone gives {unigram:.3f}"
    fact = Fact(name="loss", value=value, source="calibrated", detail=detail)
    return dataclasses.replace(described, facts=(*described.facts, fact))


def _unigram(ids: Sequence[int]) -> float:
    """Return the entropy of the single tokens, nats."""
    counts = np.array(list(Counter(ids).values()), dtype=np.float64)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())
