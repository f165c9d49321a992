"""Settles what headers cannot tell by measuring: the right reading of the weights is the least surprised by its text.

Every reading judges the same tokens, so two of them are compared token by token: by how many standard errors their
losses differ. First each judges a few hundred tokens; those that are far behind by then are not measured on all of
them. Questions are answered together as far as that is few readings, then each again with the others answered. The two
kinds of GELU are too near to one another for any loss; they, and the order of queries, keys and values, stay as the
layout's programs have them, where nothing is clearly better; and all does where no reading knows the text better than
counting its tokens. What the loss does not tell is a guess, and is shown as one.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError, TinyGPTError, UsageError
from tinygpt_tui.foreign.calibration_texts import CalibrationText, documents
from tinygpt_tui.foreign.candidates import candidates
from tinygpt_tui.foreign.facts import Fact, answers_in_words, assumption
from tinygpt_tui.foreign.layouts.base import Question
from tinygpt_tui.foreign.losses import Forward, row_losses
from tinygpt_tui.foreign.opening import Inspection, with_answers
from tinygpt_tui.foreign.verdict import Verdict, untrained, verdict
from tinygpt_tui.tokenizers.base import Tokenizer

LONGEST_WINDOW = 256
WORK = 4e11  # multiplications that one reading may cost: a second or two
# Questions that are answered together: a wrong answer to one hides the right one to another.
TOGETHER = (
    ("n_head", "qkv_order"),
    ("residual", "attention_scale", "unstored_positions", "norm_order"),
)
FEWEST, GLANCE = 128, 512  # tokens on which each of many readings is tried
MOST_LEFT = 6  # of them are measured on all tokens
MOST_LETTERS = 5000  # a vocabulary of more is not one of characters
GLANCE_AT = 2000  # characters of each text are judged to find the one that fits best
SURE, LIKELY, BEHIND = 6.0, 3.0, 8.0  # standard errors
MATTERS = 0.003  # nats; by chance a wrong kind of GELU is a little better
GELUS = frozenset({"gelu", "gelu_tanh"})
DOCUMENTS_BETTER = 0.95  # of the loss in windows; else windows are read, which have more tokens
MOST_ROUNDS = 3  # in which each question is asked again
MOST_SHOWN = 8  # characters
# Stay as the layout's programs have them, unless it is clear.
UNLESS_CLEAR = frozenset({"activation", "qkv_order", "residual", "norm_order", "mlp_order", "embedding_scale"})

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
        inspection = _with_untrained(inspection, build)
        return _with_corpus_unused(inspection, corpus) if corpus else inspection
    chosen = _least_surprising(inspection, build, fitting)
    answered = _answered(inspection, build, chosen)
    if (answered.settings, answered.reading) != (inspection.settings, inspection.reading):
        # A wrong reading may have chosen the wrong text.
        again = _least_surprising(answered, build, fitting)
        if again != chosen:
            chosen, answered = again, _answered(inspection, build, again)
    found = _Trial(answered, build, chosen.rows(answered)).score({})
    return _with_loss(answered, build, found, chosen)


@dataclass(frozen=True)
class _Fitting:
    """A text, the tokenizer it is read by, and whose characters those are where the checkpoint does not tell.

    `in_documents` reads it as documents that begin where the window begins.
    """

    text: CalibrationText
    tokenizer: Tokenizer
    named: str = ""
    in_documents: bool = False

    def rows(self, inspection: Inspection, characters: int | None = None) -> list[Ids]:
        """Return the tokens of the text, or of its first `characters`, in windows; as many as a reading may cost."""
        room = inspection.settings.context_length or LONGEST_WINDOW
        text = self.text.text[:characters]
        if self.in_documents:
            rows = [ids[: room + 1] for ids in self._documents(text, room) if len(ids) > 1]
        else:
            ids = np.array(self.tokenizer.encode(text), dtype=np.int64)
            size = min(room, LONGEST_WINDOW, len(ids) - 1)
            rows = [ids[at : at + size + 1] for at in range(0, len(ids) - size, size)] if size > 0 else []
        return _first(rows, _affordable(inspection))

    def _documents(self, text: str, room: int) -> Iterator[Ids]:
        """Yield documents between the token that ends them: that of a text's end, the line end, else token 0."""
        end = self.tokenizer.end_of_text
        if end is None:
            line_end = self.tokenizer.encode("\n")
            end = line_end[0] if len(line_end) == 1 else 0
        for document in documents(text, room):
            yield np.array([end, *self.tokenizer.encode(document), end], dtype=np.int64)

    @property
    def way(self) -> str:
        """How it is read, for people."""
        return ", each of its documents from its start" if self.in_documents else ""


def _first(rows: Sequence[Ids], count: int) -> list[Ids]:
    """Return the rows that have the first `count` tokens to be judged; the last one is shortened."""
    found: list[Ids] = []
    for row in rows:
        if count < 1:
            break
        found.append(row[: count + 1])
        count -= len(row) - 1
    return found


class _Trial:
    """Tries readings of an inspection on rows of tokens, each once."""

    def __init__(self, inspection: Inspection, build: Build, rows: list[Ids]) -> None:
        self.inspection, self._build, self._rows = inspection, build, rows
        self._count = sum(len(row) - 1 for row in rows)
        self._scores: dict[tuple[Any, ...], Score] = {}

    def score(self, answers: Mapping[str, Any], count: int | None = None) -> Score:
        """Return how a reading does on the first `count` tokens. One that cannot be built is infinitely surprised."""
        count = self._count if count is None else min(count, self._count)
        key = (count, *sorted(answers.items()))
        if key not in self._scores:
            self._scores[key] = Score(answers, self._losses(answers, count))
        return self._scores[key]

    def _losses(self, answers: Mapping[str, Any], count: int) -> NDArray[np.float64]:
        try:
            reading = with_answers(self.inspection, answers, "")
            forward = self._build(reading)
        except (UsageError, CheckpointError):
            if not answers:
                raise
            return np.full(count, np.inf)
        return row_losses(forward, reading.settings, _first(self._rows, count))

    def ranked(self, readings: Sequence[Mapping[str, Any]]) -> list[list[Score]]:
        """Return all readings at a glance, and the few not far behind on all tokens; each the best first.

        The first of the readings is measured on all tokens, too.
        """
        glance = max(FEWEST, min(GLANCE, self._count // len(readings)))
        first = sorted((self.score(one, glance) for one in readings), key=_loss)
        left = [one.answers for one in first if _apart(first[0], one) < BEHIND or one is first[0]][:MOST_LEFT]
        finalists = left if readings[0] in left else [*left, readings[0]]
        return [first, sorted((self.score(one) for one in finalists), key=_loss)]


def _loss(score: Score) -> float:
    return score.loss


def _answered(inspection: Inspection, build: Build, chosen: _Fitting) -> Inspection:
    """Answer the questions, some together, and again with the others answered, until nothing changes."""
    questions = inspection.questions
    if not questions:
        return inspection
    rows = chosen.rows(inspection)
    trial = _Trial(inspection, build, rows)
    answers: dict[str, Any] = {question.setting: question.candidates[0] for question in questions}
    settled: dict[str, _Settled | None] = {}
    for _ in range(MOST_ROUNDS):
        before = dict(answers)
        for group in _together(questions):
            names = [question.setting for question in group]
            products = itertools.product(*(question.candidates for question in group))
            scores = trial.ranked([answers | dict(zip(names, values, strict=True)) for values in products])
            answers = dict(scores[-1][0].answers)
            for question in group:
                settled[question.setting] = found = _settled_by(question, answers, scores)
                if found is not None:
                    answers[question.setting] = found.answer
        if answers == before:
            break
    best, counting = trial.score(answers), _unigram(np.concatenate([row[1:] for row in rows]).tolist())
    if best.loss >= counting:
        return _left(inspection, questions, best, counting)
    for question in questions:
        inspection = _with_answer(inspection, question, answers[question.setting], settled[question.setting])
    return inspection


@dataclass(frozen=True)
class _Settled:
    """An answer, the evidence, and whether that is enough to say it is known."""

    answer: Any
    evidence: str
    is_known: bool


def _with_answer(inspection: Inspection, question: Question, answer: Any, found: _Settled | None) -> Inspection:
    """Return it with a question answered: as measured, or as it was assumed where the loss does not tell it."""
    name = question.setting
    answered = with_answers(inspection, {name: answer}, found.evidence if found else "it makes no difference")
    if found is None or found.is_known:
        return answered
    before = next(fact for fact in inspection.facts if fact.name == name)
    detail = "; ".join(filter(None, (before.detail, found.evidence)))
    unknown = before if not before.doubt else assumption(name, answer)
    facts = tuple(
        msgspec.structs.replace(unknown, detail=detail) if fact.name == name else fact for fact in answered.facts
    )
    return dataclasses.replace(answered, facts=facts)


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


def _settled_by(question: Question, answers: Mapping[str, Any], scores: list[list[Score]]) -> _Settled | None:
    """Return the answer to a question; None where no answer makes a difference.

    Where all others were far behind at a glance, that is the evidence.
    """
    name, default = question.setting, question.candidates[0]
    for readings in reversed(scores):
        best = next((one for one in readings if one.answers == answers), None)
        others = [
            one
            for one in readings
            if best is not None and one.answers[name] != answers[name] and not np.array_equal(one.losses, best.losses)
        ]
        if best is None or not others:
            continue
        assumed = next((one for one in others if one.answers[name] == default), None)
        if name in UNLESS_CLEAR and assumed is not None and not _is_clear(best, assumed):
            return _Settled(default, _evidence(name, assumed, best), is_known=False)
        # The kinds of GELU are so near that neither speaks against the other.
        rival = next((one for one in others if not {one.answers[name], answers[name]} <= GELUS), others[0])
        return _Settled(answers[name], _evidence(name, best, rival), is_known=_apart(best, rival) >= LIKELY)
    return None


def _is_clear(best: Score, default: Score) -> bool:
    """Whether a reading is better than the default: surely, and by what matters."""
    return _apart(best, default) >= LIKELY and default.loss - best.loss >= MATTERS


def _together(questions: Iterable[Question]) -> list[list[Question]]:
    """Return questions in groups to be answered together: those of which one means little while another is wrong."""
    left = sorted(questions, key=lambda one: one.setting == "activation")
    groups = [[one for one in left if one.setting in names] for names in TOGETHER]
    groups += [[one] for one in left if not any(one in group for group in groups)]
    return [group for group in groups if group]


def _fitting(inspection: Inspection, corpus: str) -> list[_Fitting]:
    """Return the texts whose characters the vocabulary has, or could have where nothing tells it."""
    return [_Fitting(*found) for found in candidates(inspection, corpus)]


def _least_surprising(inspection: Inspection, build: Build, fitting: Sequence[_Fitting]) -> _Fitting:
    """Return the text that surprises the model least, as it is read now, and how it is best read."""
    forward = build(inspection)

    def loss(one: _Fitting) -> float:
        return float(row_losses(forward, inspection.settings, one.rows(inspection, GLANCE_AT)).mean())

    chosen = fitting[0] if len(fitting) == 1 else min(fitting, key=loss)
    in_documents = dataclasses.replace(chosen, in_documents=True)
    if not in_documents.rows(inspection, GLANCE_AT):
        return chosen
    return in_documents if loss(in_documents) < DOCUMENTS_BETTER * loss(chosen) else chosen


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


def _evidence(name: str, best: Score, rival: Score) -> str:
    apart = _apart(best, rival)
    ours, theirs = (answers_in_words({name: one.answers[name]}) for one in (best, rival))
    if apart < LIKELY:
        return f"{ours}: {best.loss:.4g}, {theirs}: {rival.loss:.4g}: the loss does not tell them apart"
    sure = "sure" if apart > SURE else "likely"
    measured = f"{ours}: {best.loss:.4g}; next best {theirs}: {rival.loss:.4g}"
    return f"{measured} ({sure}, {min(apart, 999):.1f} standard errors)"


def _with_loss(inspection: Inspection, build: Build, found: Score, chosen: _Fitting) -> Inspection:
    """Add the model's loss on the text, and where it is worse than counting letters, what may be the reason.

    A vocabulary that nothing tells is confirmed only by a loss that is better.
    """
    text, tokenizer = chosen.text, chosen.tokenizer
    counting = _unigram(tokenizer.encode(text.text))
    measured, detail = f"{found.loss:.3f} nats per token", f"on {len(found.losses):,} tokens of {text.name}"
    detail += f"{chosen.way}{_without(tokenizer, text)}"
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


def _without(tokenizer: Tokenizer, text: CalibrationText) -> str:
    """Say which characters of a text that the user named are left out; empty where none is."""
    unknown = tokenizer.unknown_in(text.text) if text.given else ""
    if not unknown:
        return ""
    shown = " ".join(repr(character)[1:-1] for character in unknown[:MOST_SHOWN])
    return f", without {shown}{' …' if len(unknown) > MOST_SHOWN else ''}, which the vocabulary lacks"


def _with_corpus_unused(inspection: Inspection, corpus: str) -> Inspection:
    """Say why the text that the user named was not used."""
    if inspection.tokenizer.name == "numbers":
        why = f"it has not exactly the {inspection.tokenizer.size} characters of the model"
    else:
        why = "the vocabulary lacks most of its characters"
    return _with_fact(inspection, Fact(name="corpus", value=f"{corpus}: not used", source="typed", detail=why))


def _unigram(ids: Sequence[int]) -> float:
    """Return the entropy of the single tokens, nats."""
    counts = np.array(list(Counter(ids).values()), dtype=np.float64)
    frequencies = counts / counts.sum()
    return float(-(frequencies * np.log(frequencies)).sum())
