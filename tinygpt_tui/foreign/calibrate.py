"""Settles what headers cannot tell by measuring: the right reading of the weights is the least surprised by its text.

Every reading judges the same tokens, so two of them are compared token by token: by how many standard errors their
losses differ. First each judges a few hundred tokens; those that are far behind by then are not measured on all of
them, nor those that give nearly the same probabilities (the two kinds of GELU do). Questions are answered together as
far as that is few readings, then each again with the others answered. Most stay as the layout's programs have them,
where nothing is clearly better; and all do where no reading knows the text better than counting its tokens. What the
loss does not tell is a guess, and is shown as one.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from tinygpt_tui.foreign.candidates import candidates
from tinygpt_tui.foreign.facts import answers_in_words, assumption
from tinygpt_tui.foreign.layouts.base import Question
from tinygpt_tui.foreign.loss_fact import unigram, with_corpus_unused, with_loss, with_untrained
from tinygpt_tui.foreign.losses import row_losses
from tinygpt_tui.foreign.opening import Inspection, with_answers
from tinygpt_tui.foreign.readings import NEARLY, Build, Fitting, Score, Trial, apart, is_nearly
from tinygpt_tui.foreign.window import with_window

# Questions that are answered together: a wrong answer to one hides the right one to another.
TOGETHER = (
    ("n_head", "qkv_order", "qk_norm"),
    ("residual", "parallel", "attention_scale", "unstored_positions", "norm_order"),
    ("residual", "embedding_norm", "embedding_scale"),  # a norm after the first sublayer hides one of the embeddings
)
GLANCE_AT = 2000  # characters of each text are judged to find the one that fits best
SURE, LIKELY = 6.0, 3.0  # standard errors
MATTERS = 0.003  # nats; by chance a wrong kind of GELU is a little better
DOCUMENTS_BETTER = 0.95  # of the loss in windows; else windows are read, which have more tokens
MOST_TEXTS = 3  # on which the questions are asked, until a reading knows one
MOST_ROUNDS = 3  # in which each question is asked again
# Have no usual answer: the best one is taken, however little better it is.
BEST_OF = frozenset({"n_head", "norm", "attention_scale", "unstored_positions", "position_scale"})


def calibrate(inspection: Inspection, build: Build, corpus: str = "") -> Inspection:
    """Return `inspection` with its questions answered, and a fact that says what was measured.

    `build` makes what computes the logits of an inspection. Nothing is measured where no text fits the vocabulary.
    """
    fitting = _fitting(inspection, corpus)
    if not fitting:
        inspection = with_untrained(inspection, build)
        return with_corpus_unused(inspection, corpus) if corpus else inspection
    chosen, answered = _on_first_known(inspection, build, fitting)
    if (answered.settings, answered.reading) != (inspection.settings, inspection.reading):
        # A wrong reading may have chosen the wrong text.
        again = next(_by_surprise(answered, build, fitting))
        if again != chosen:
            chosen, answered = again, _answered(inspection, build, again)[0]
    answered = with_window(answered, build, chosen)
    found = Trial(answered, build, chosen.rows(answered, whole=True)).score({})
    return with_loss(answered, build, found, chosen)


def _on_first_known(inspection: Inspection, build: Build, fitting: Sequence[Fitting]) -> tuple[Fitting, Inspection]:
    """Answer the questions on the first text that a reading knows better than counting does; else on the first of all.

    Where most is read wrongly, what surprises least is what is easy to guess, not what the model learned.
    """
    tried: list[tuple[Fitting, Inspection]] = []
    for chosen in itertools.islice(_by_surprise(inspection, build, fitting), MOST_TEXTS):
        answered, is_known = _answered(inspection, build, chosen)
        if is_known:
            return chosen, answered
        tried.append((chosen, answered))
    return tried[0]


def _answered(inspection: Inspection, build: Build, chosen: Fitting) -> tuple[Inspection, bool]:
    """Answer the questions, some together, and again with the others answered, until nothing changes.

    Also return whether that was possible: a reading is better than counting tokens, or there are no questions.
    """
    questions = inspection.questions
    if not questions:
        return inspection, True
    rows = chosen.rows(inspection)
    trial, counting = Trial(inspection, build, rows), unigram(np.concatenate([row[1:] for row in rows]).tolist())
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
        best = trial.score(answers)
        if answers == before or best.loss >= counting:
            break
    if best.loss >= counting:
        return _left(inspection, questions, best, counting), False
    for question in questions:
        inspection = _with_answer(inspection, question, answers[question.setting], settled[question.setting])
    return inspection, True


@dataclass(frozen=True)
class _Settled:
    """An answer, the evidence, whether that is enough to say it is known, and whether others are nearly the same."""

    answer: Any
    evidence: str
    is_known: bool
    nearly: bool = False


def _with_answer(inspection: Inspection, question: Question, answer: Any, found: _Settled | None) -> Inspection:
    """Return it with a question answered: as measured, or as it was assumed where the loss does not tell it."""
    name = question.setting
    answered = with_answers(inspection, {name: answer}, found.evidence if found else "it makes no difference")
    if found is None or found.is_known:
        return answered
    before = next(fact for fact in inspection.facts if fact.name == name)
    detail = "; ".join(filter(None, (before.detail, found.evidence)))
    unknown = assumption(name, answer) if before.assumed else before
    facts = tuple(
        msgspec.structs.replace(unknown, detail=detail, nearly=found.nearly) if fact.name == name else fact
        for fact in answered.facts
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
    near = _near(name, answers, scores[0])
    settled: _Settled | None = None
    for readings in reversed(scores):
        best = next((one for one in readings if one.answers == answers), None)
        others = [
            one
            for one in readings
            if best is not None
            and one.answers[name] not in (answers[name], *near)
            and not np.array_equal(one.losses, best.losses)
        ]
        if best is None or not others:
            continue
        assumed = next((one for one in others if one.answers[name] == default), None)
        if name not in BEST_OF and assumed is not None and not _is_clear(best, assumed):
            return _Settled(default, _evidence(name, assumed, best), is_known=False)
        settled = _Settled(answers[name], _evidence(name, best, others[0]), is_known=apart(best, others[0]) >= LIKELY)
        break
    if not near or (settled is not None and not settled.is_known):
        return settled
    answer = default if default in near else answers[name]
    words = " and ".join(answers_in_words({name: one}) for one in dict.fromkeys((answer, answers[name], *near)))
    evidence = f"{words}: less than {NEARLY} nats a token apart"
    return _Settled(answer, evidence, is_known=False, nearly=True)


def _near(name: str, answers: Mapping[str, Any], glance: Sequence[Score]) -> tuple[Any, ...]:
    """Return the other answers to a question that give nearly the same probabilities, and yet not the same."""
    chosen = next(one for one in glance if one.answers == answers)
    return tuple(
        one.answers[name]
        for one in glance
        if one.answers[name] != answers[name]
        and {**one.answers, name: None} == {**answers, name: None}
        and is_nearly(chosen, one)
        and not np.array_equal(one.losses, chosen.losses)
    )


def _is_clear(best: Score, default: Score) -> bool:
    """Whether a reading is better than the default: surely, and by what matters."""
    return apart(best, default) >= LIKELY and default.loss - best.loss >= MATTERS


def _together(questions: Iterable[Question]) -> list[list[Question]]:
    """Return questions in groups to be answered together: those of which one means little while another is wrong."""
    left = sorted(questions, key=lambda one: one.setting == "activation")
    groups = [[one for one in left if one.setting in names] for names in TOGETHER]
    groups += [[one] for one in left if not any(one in group for group in groups)]
    return [group for group in groups if group]


def _fitting(inspection: Inspection, corpus: str) -> list[Fitting]:
    """Return the texts whose characters the vocabulary has, or could have where nothing tells it; the same ids once."""
    found: dict[tuple[int, ...], Fitting] = {}
    for text, tokenizer, named in candidates(inspection, corpus):
        found.setdefault(tuple(tokenizer.encode(text.text)), Fitting(text, tokenizer, named))
    return list(found.values())


def _by_surprise(inspection: Inspection, build: Build, fitting: Sequence[Fitting]) -> Iterator[Fitting]:
    """Yield the texts, those that surprise the model least first, as it is read now, and how each is best read."""
    forward = build(inspection)

    def loss(one: Fitting) -> float:
        return float(row_losses(forward, inspection.settings, one.rows(inspection, GLANCE_AT)).mean())

    for chosen in fitting if len(fitting) == 1 else sorted(fitting, key=loss):
        in_documents = dataclasses.replace(chosen, in_documents=True)
        better = in_documents.rows(inspection, GLANCE_AT) and loss(in_documents) < DOCUMENTS_BETTER * loss(chosen)
        yield in_documents if better else chosen


def _evidence(name: str, best: Score, rival: Score) -> str:
    errors = apart(best, rival)
    ours, theirs = (answers_in_words({name: one.answers[name]}) for one in (best, rival))
    if errors < LIKELY:
        return f"{ours}: {best.loss:.4g}, {theirs}: {rival.loss:.4g}: the loss does not tell them apart"
    sure = "sure" if errors > SURE else "likely"
    measured = f"{ours}: {best.loss:.4g}; next best {theirs}: {rival.loss:.4g}"
    return f"{measured} ({sure}, {min(errors, 999):.1f} standard errors)"
