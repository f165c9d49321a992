"""The toy tasks: the same pairs from a seed, each question once, the answers right, the floors as they are said."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tinygpt_tui.corpora import tasks
from tinygpt_tui.corpora.catalog import find_corpus, list_tasks
from tinygpt_tui.corpora.phrases import NOUNS, USUAL
from tinygpt_tui.corpora.read import read_text
from tinygpt_tui.corpora.rows import BOUNDARY_ID, IGNORED, Rows
from tinygpt_tui.corpora.tasks import PRIME, SYMBOLS, TASKS, pairs_of
from tinygpt_tui.errors import NotFoundError, UsageError
from tinygpt_tui.tokenizers.documents import SEPARATOR

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def closes(text: str, answer: str) -> bool:
    """Whether brackets and answer cancel."""
    joined, before = text + answer, ""
    while joined != before:
        before, joined = joined, re.sub(r"\(\)|\[\]|\{\}|<>", "", joined)
    return not joined


def is_date(text: str, answer: str) -> bool:
    date = datetime.date.fromisoformat(answer)
    day, year = str(date.day), str(date.year)
    month = next(name for name in MONTHS if name[:3] in text)
    return day in re.findall(r"\d+", text) and year in text and MONTHS[date.month - 1] == month


RIGHT: dict[str, Callable[[str, str], bool]] = {
    "copy": lambda text, answer: answer == text,
    "reverse": lambda text, answer: answer[::-1] == text,
    "sort": lambda text, answer: list(answer) == sorted(text),
    "addition": lambda text, answer: (SYMBOLS.index(text[0]) + SYMBOLS.index(text[2])) % PRIME == SYMBOLS.index(answer),
    "dyck": closes,
    "dates": is_date,
    "german": lambda text, answer: (
        ("Hund" in text) == ("dog" in answer) and ("?" in text) == answer.startswith("does ")
    ),
}


def test_every_task_is_tested() -> None:
    assert RIGHT.keys() == TASKS.keys() == {entry.name for entry in list_tasks()}


@pytest.mark.parametrize("kind", TASKS)
def test_the_pairs_are_right_and_no_question_comes_twice(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind != "addition":
        monkeypatch.setitem(TASKS, kind, TASKS[kind]._replace(size=800))
    pairs = pairs_of(kind)
    assert len(pairs) == TASKS[kind].size == len({question for question, _ in pairs})
    for question, answer in pairs:
        assert RIGHT[kind](question, answer), (question, answer)
        assert SEPARATOR not in question + answer
    assert pairs == pairs_of(kind)
    assert pairs[:9] != pairs_of(kind, seed=2)[:9]


def test_the_floor_of_german_is_the_entropy_of_its_choices() -> None:
    pairs = pairs_of("german")
    each = -USUAL * math.log(USUAL) - (1 - USUAL) * math.log(1 - USUAL)
    two_words = {f"{noun.german}{end}" for noun in NOUNS if noun.synonym for end in ("", "?")}
    choices = sum(word in two_words for question, _ in pairs for word in question.split())
    assert TASKS["german"].floor == pytest.approx(
        choices * each / sum(len(answer) + 1 for _, answer in pairs), abs=1e-4
    )
    kids, children = (sum(answer.count(word) for _, answer in pairs) for word in ("kid", "child"))
    assert children / (kids + children) == pytest.approx(USUAL, abs=0.02)
    assert kids + children == choices


def test_a_task_is_a_corpus_of_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "copy", TASKS["copy"]._replace(size=20))
    entry = find_corpus("task:copy:7")
    assert (entry.name, entry.row.entropy, entry.own) == ("copy-7", 0.0, False)
    text = read_text(Path(str(entry.path)))
    assert text.documents == 20
    monkeypatch.setattr(tasks, "pairs_of", None)  # it is not made twice
    assert find_corpus("task:copy:7") == entry
    for wrong in ("task:", "task:cpoy", "task:copy:x", f"task:copy:{'9' * 400}"):
        with pytest.raises(NotFoundError, match="there is no task"):
            find_corpus(wrong)


def ids_of(text: str) -> np.ndarray:
    return np.array([0 if character == "|" else ord(character) for character in text], np.uint8)


def test_of_a_pair_only_the_answer_is_learned() -> None:
    rows = Rows.of_pairs(ids_of("ab=ba|none|c==d|=e|"), 9, ord("="))
    inputs, targets = rows.batch(np.arange(len(rows)))
    shown = ["".join(" " if one == IGNORED else chr(one) if one else "|" for one in row).rstrip() for row in targets]
    assert shown == ["   ba|", "  =d|", " e|"]  # the document without one is left out
    assert [bytes(row).rstrip(b"\0") for row in inputs.astype(np.uint8)] == [b"\0ab=ba", b"\0c==d", b"\0=e"]
    assert inputs[:, 0].tolist() == [BOUNDARY_ID] * 3
    assert (rows.tokens, rows.tokens_in(np.array([0]))) == (8, 3)


def test_pairs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="a pair has 6 tokens") as found:
        Rows.of_pairs(ids_of("ab=ba|"), 5, ord("="))
    assert found.value.setting == "block_size"
    with pytest.raises(UsageError, match="no pairs"):
        Rows.of_pairs(ids_of("ab|ba|"), 5, ord("="))
