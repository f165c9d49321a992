"""Settles what headers cannot tell by measuring: the right reading of the weights is the least surprised by its text.

Every reading judges the same tokens, so two of them are compared token by token: by how many standard errors their
losses differ. First each judges a few hundred tokens; those that are far behind by then are not measured on all of
them. The two kinds of GELU are too near to one another for any loss; they, and the order of queries, keys and values,
stay as the layout's programs have them, where nothing is clearly better; and all does where no reading knows the text
better than counting its tokens.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError, TinyGPTError, UsageError
from tinygpt_tui.foreign.calibration_texts import CalibrationText
from tinygpt_tui.foreign.candidates import candidates
from tinygpt_tui.foreign.facts import Fact, in_words
from tinygpt_tui.foreign.layouts.base import Question
from tinygpt_tui.foreign.losses import Forward, token_losses
from tinygpt_tui.foreign.opening import Inspection, with_answers
from tinygpt_tui.foreign.verdict import Verdict, untrained, verdict
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.tokenizers.base import Tokenizer

LONGEST_WINDOW = 256
WORK = 4e11  # multiplications that one reading may cost: a second or two
MOST_TOGETHER = 128  # readings that are tried together; with more, some questions are settled after the others
FEWEST, GLANCE = 128, 512  # tokens on which each of many readings is tried
MOST_LEFT = 6  # of them are measured on all tokens
MOST_LETTERS = 5000  # a vocabulary of more is not one of characters
GLANCE_AT = 2000  # characters of each text are judged to find the one that fits best
SURE, LIKELY, BEHIND = 6.0, 3.0, 8.0  # standard errors
UNLESS_CLEAR = frozenset({"activation", "qkv_order"})  # stay as the layout's programs have them, unless it is clear

Build = Callable[[Inspection], Forward]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """One reading of the weights: its answers, and the loss of every token, nats."""

    answers: Mapping[str, Any]
    losses: NDArray[np.float64]

    @property
    def loss(self) -> float:
        """The mean loss, nats per token."""
        return float(self.losses.mean())


def calibrate(inspection: Inspection, build: Build, corpus: str = "") -> Inspection:
    """Return `described` with its questions answered, and a fact that says what was measured.

    `build` makes what computes the logits of what is described. Nothing is measured where no text fits the vocabulary.
    """
    fitting = _fitting(inspection, corpus)
    if not fitting:
        return _with_untrained(inspection, build)
    chosen = _least_surprising(inspection, build, fitting)
    answered = _answered(inspection, build, chosen)
    if (answered.settings, answered.reading) != (inspection.settings, inspection.reading):
        # A wrong reading may have chosen the wrong text.
        again = _least_surprising(answered, build, fitting)
        if again != chosen:
            chosen, answered = again, _answered(inspection, build, again)
    found = _score(answered, build, {}, _ids(answered, chosen))
    return _with_loss(answered, build, found, chosen)


@dataclass(frozen=True)
class _Fitting:
    """A text, the tokenizer it is read by, and whose characters those are where the checkpoint does not tell."""

    text: CalibrationText
    tokenizer: Tokenizer
    named: str = ""


def _answered(inspection: Inspection, build: Build, chosen: _Fitting) -> Inspection:
    ids = _ids(inspection, chosen)
    counting = _unigram(ids.tolist())
    for questions in _together(inspection):
        scores = _scores(inspection, build, questions, ids)
        best = scores[-1][0]
        if best.loss >= counting:
            inspection = _left(inspection, questions, best, counting)
            continue
        for question in questions:
            found = _settled_by(question, scores)
            if found is not None:
                inspection = with_answers(inspection, {question.setting: found[0]}, found[1])
    return inspection


def _ids(inspection: Inspection, chosen: _Fitting) -> Ids:
    """Return the tokens that a reading is measured on: as many as it may cost."""
    return np.array(chosen.tokenizer.encode(chosen.text.text), dtype=np.int64)[: _affordable(inspection)]


def _score(inspection: Inspection, build: Build, answers: Mapping[str, Any], ids: Ids) -> Score:
    """Return how a reading does. A reading that cannot be built is infinitely surprised."""
    try:
        reading = with_answers(inspection, answers, "")
        forward = build(reading)
    except (UsageError, CheckpointError):
        if not answers:
            raise
        return Score(answers, np.full(len(ids) - 1, np.inf))
    return Score(answers, _losses(forward, reading.settings, ids))


def _scores(inspection: Inspection, build: Build, questions: Sequence[Question], ids: Ids) -> list[list[Score]]:
    """Return all readings at a glance, and the few that were not far behind on all tokens; each the best first."""
    names = [question.setting for question in questions]
    readings = [
        dict(zip(names, answers, strict=True))
        for answers in itertools.product(*(question.candidates for question in questions))
    ]
    glance = ids[: max(FEWEST, min(GLANCE, len(ids) // len(readings)))]

    def in_turn(answers: Iterable[Mapping[str, Any]], ids: Ids) -> list[Score]:
        return sorted((_score(inspection, build, one, ids) for one in answers), key=lambda one: one.loss)

    first = in_turn(readings, glance)
    left = [one.answers for one in first if _apart(first[0], one) < BEHIND or one is first[0]]
    default = {question.setting: question.candidates[0] for question in questions if question.setting in UNLESS_CLEAR}
    finalists = [one for place, one in enumerate(left) if place < MOST_LEFT or one == {**left[0], **default}]
    return [first, in_turn(finalists, ids)]


def _left(inspection: Inspection, questions: Sequence[Question], best: Score, counting: float) -> Inspection:
    """Leave questions as they are: what knows a text no better than counting does is not told apart by it."""
    said = (
        f"not told apart: no reading ({best.loss:.4g}) is better than counting tokens ({counting:.4g}); "
        "name a text that it learned from: --corpus FILE"
    )
    names = {question.setting for question in questions}
    facts = tuple(
        msgspec.structs.replace(fact, detail=f"{fact.detail}; {said}" if fact.detail else said)
        if fact.name in names
        else fact
        for fact in inspection.facts
    )
    return dataclasses.replace(inspection, facts=facts)


def _settled_by(question: Question, scores: list[list[Score]]) -> tuple[Any, str] | None:
    """Return the answer to a question, and the evidence; None where there is nothing to compare with.

    Where all other answers were far behind at a glance, that is the evidence.
    """
    name, answers = question.setting, scores[-1][0].answers
    for readings in reversed(scores):
        best = next(one for one in readings if one.answers == answers)
        others = [
            one
            for one in readings
            if one.answers[name] != answers[name] and not np.array_equal(one.losses, best.losses)
        ]
        if not others:
            continue
        answer, default = answers[name], [one for one in others if one.answers[name] == question.candidates[0]]
        if name in UNLESS_CLEAR and default and _apart(best, default[0]) < LIKELY:
            answer = question.candidates[0]
        return answer, _evidence(best, others[0], _apart(best, others[0]))
    return None


def _losses(forward: Forward, settings: ArchitectureSettings, ids: Ids) -> NDArray[np.float64]:
    """Return the loss of every token but the first, nats, in windows side by side; what fills none is left out."""
    size = min(settings.context_length or LONGEST_WINDOW, LONGEST_WINDOW, len(ids) - 1)
    return token_losses(forward, settings, ids[: (len(ids) - 1) // size * size + 1], size)


def _together(inspection: Inspection) -> Iterable[list[Question]]:
    """Yield questions to be answered together; last the kind of GELU or ReLU, which weighs least."""
    together: list[Question] = []
    for question in sorted(inspection.questions, key=lambda one: one.setting == "activation"):
        if math.prod(len(one.candidates) for one in (*together, question)) > MOST_TOGETHER and together:
            yield together
            together = []
        together.append(question)
    if together:
        yield together


def _fitting(inspection: Inspection, corpus: str) -> list[_Fitting]:
    """Return the texts whose characters the vocabulary has, or could have where nothing tells it."""
    return [_Fitting(*found) for found in candidates(inspection, corpus)]


def _least_surprising(inspection: Inspection, build: Build, fitting: Sequence[_Fitting]) -> _Fitting:
    """Return the text that surprises the model least, as it is read now."""
    if len(fitting) == 1:
        return fitting[0]
    forward = build(inspection)

    def loss(one: _Fitting) -> float:
        ids = np.array(one.tokenizer.encode(one.text.text[:GLANCE_AT]), dtype=np.int64)
        return float(_losses(forward, inspection.settings, ids).mean())

    return min(fitting, key=loss)


def _with_vocabulary(inspection: Inspection, chosen: _Fitting) -> Inspection:
    if not chosen.named:
        return inspection
    words = f"{chosen.tokenizer.size} characters"
    fact = Fact(name="vocabulary", value=words, source="calibrated", detail=f"those of {chosen.named}")
    facts = tuple(fact if one.name == "vocabulary" else one for one in inspection.facts)
    return dataclasses.replace(inspection, tokenizer=chosen.tokenizer, facts=facts)


def _affordable(inspection: Inspection) -> int:
    """Return how many tokens a reading may be measured on."""
    return max(512, int(WORK / (2 * max(1, inspection.config.parameters))))


def _apart(best: Score, rival: Score) -> float:
    """Return by how many standard errors two readings differ, token by token."""
    difference = rival.losses - best.losses
    if not np.isfinite(difference).all():
        return math.inf
    error = float(difference.std()) / math.sqrt(len(difference))
    return float(difference.mean()) / error if error > 0 else 0.0


def _evidence(best: Score, rival: Score, apart: float) -> str:
    sure = "sure" if apart > SURE else "likely" if apart > LIKELY else "the loss does not tell them apart"
    ours, theirs = (reading_in_words(one.answers) for one in (best, rival))
    measured = f"{ours}: {best.loss:.4g}; next best {theirs}: {rival.loss:.4g}"
    return f"{measured} ({sure}, {min(apart, 999):.1f} standard errors)"


def reading_in_words(answers: Mapping[str, Any]) -> str:
    """Return answers as people read them: "4 heads, scale 1/√n_embd"."""
    words = {
        "n_head": lambda value: f"{value} head{'s' if value > 1 else ''}",
        "attention_scale": lambda value: f"scale 1/√{value}",
        "qkv_order": lambda value: "q, k, v of each head" if value == "per_head" else f"order {', '.join(value)}",
        "residual": lambda value: "no residual" if value == "none" else f"residual of the {value}",
    }
    return ", ".join(words.get(name, in_words)(value) for name, value in answers.items())


def _with_loss(inspection: Inspection, build: Build, found: Score, chosen: _Fitting) -> Inspection:
    """Add the model's loss on the text, and where it is worse than counting letters, what may be the reason.

    A vocabulary that nothing tells is confirmed only by a loss that is better.
    """
    text, tokenizer = chosen.text, chosen.tokenizer
    counting = _unigram(tokenizer.encode(text.text))
    measured, detail = f"{found.loss:.3f} nats per token", f"on {len(found.losses):,} tokens of {text.name}"
    reason: Verdict | None = None
    if not found.loss <= counting:
        forward, size = build(inspection), inspection.config.parameters
        reason = untrained(forward, inspection.settings)
        if reason is None and _is_of_letters(tokenizer):
            trusted = any(fact.name == "vocabulary" and fact.source == "file" for fact in inspection.facts)
            reason = verdict(forward, inspection.settings, size, text.name, trusted=trusted)
    if reason is None:
        fact = Fact(name="loss", value=measured, source="calibrated", detail=detail)
        return _with_fact(_with_vocabulary(inspection, chosen), fact)
    if chosen.named:
        measured = f"{measured} with the letters of {chosen.named}, which are not used"
        reason = reason if reason.sure else Verdict("they are not its letters")
    detail = "; ".join(filter(None, (f"{detail}; counting letters alone gives {counting:.3f}", reason.detail)))
    return _with_fact(inspection, _loss_fact(f"{measured}: {reason.words}", detail, reason))


def _with_untrained(inspection: Inspection, build: Build) -> Inspection:
    """Say of a model that no text fits if it is untrained, which its predictions tell alone."""
    try:
        reason = untrained(build(inspection), inspection.settings)
    except TinyGPTError:  # nothing here can run it
        return inspection
    return inspection if reason is None else _with_fact(inspection, _loss_fact(reason.words, reason.detail, reason))


def _with_fact(inspection: Inspection, fact: Fact) -> Inspection:
    return dataclasses.replace(inspection, facts=(*inspection.facts, fact))


def _loss_fact(value: str, detail: str, reason: Verdict) -> Fact:
    return Fact(name="loss", value=value, source="calibrated", detail=detail, doubt=reason.doubt)


def _is_of_letters(tokenizer: Tokenizer) -> bool:
    """Whether no token is more than a character, so that counting tokens is counting letters."""
    ids = range(tokenizer.size)
    return tokenizer.size <= MOST_LETTERS and all(
        len(tokenizer.bytes_of(i).decode("utf-8", "replace")) < 2 for i in ids
    )


def _unigram(ids: Sequence[int]) -> float:
    """Return the entropy of the single tokens, nats."""
    counts = np.array(list(Counter(ids).values()), dtype=np.float64)
    frequencies = counts / counts.sum()
    return float(-(frequencies * np.log(frequencies)).sum())
