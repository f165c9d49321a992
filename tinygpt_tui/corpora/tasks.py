"""Toy tasks: corpora of pairs, a question and its answer, made from a seed; the lowest possible loss of each is known.

A pair is a document `QUESTION=ANSWER`. A model is trained and judged on the answers alone (`--windows pairs`), so the
floor is the entropy of an answer given its question, in nats per character of the answers, ends included. It is 0 where
the question decides the answer, and a model can then be right always. No question is in both splits: none occurs twice.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from tinygpt_tui import paths
from tinygpt_tui.corpora.phrases import sentence
from tinygpt_tui.corpora.read import PAIRS
from tinygpt_tui.errors import NotFoundError
from tinygpt_tui.files import is_file, write_text
from tinygpt_tui.tokenizers.documents import BOUNDARY, SEPARATOR

PREFIX = "task:"
SEED = 1
COUNT = 20_000  # pairs, unless a task has fewer
LETTERS = "abcdefghij"
SYMBOLS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PRIME = 59  # of the addition: a symbol for each number
MOST_DIGITS = 9  # of a seed
FLOOR_OF_GERMAN = 0.00303  # a tenth of all nouns has two words
OPENING, CLOSING = "([{<", ")]}>"

Pair = tuple[str, str]


class Task(NamedTuple):
    """A task: in words, what writes one pair after another, how many there are, and the floor."""

    title: str
    description: str
    pairs: Callable[[Random], Iterator[Pair]]
    size: int = COUNT
    floor: float = 0.0  # nats per character of an answer


def _whole(random: Random, below: int) -> int:
    """Draw a number: `Random.random` alone is promised to stay the same between Python versions."""
    return int(random.random() * below)


def _of_letters(answer: Callable[[str], str]) -> Callable[[Random], Iterator[Pair]]:
    def pairs(random: Random) -> Iterator[Pair]:
        while True:
            text = "".join(LETTERS[_whole(random, len(LETTERS))] for _ in range(4 + _whole(random, 7)))
            yield text, answer(text)

    return pairs


def _addition(random: Random) -> Iterator[Pair]:
    """Yield all sums, each of which is there once, in a drawn order."""
    sums = [(a, b) for a in range(PRIME) for b in range(PRIME)]
    while sums:
        place = _whole(random, len(sums))
        sums[place], sums[-1] = sums[-1], sums[place]
        a, b = sums.pop()
        yield f"{SYMBOLS[a]}+{SYMBOLS[b]}", SYMBOLS[(a + b) % PRIME]


def _dyck(random: Random) -> Iterator[Pair]:
    while True:
        text, still_open = "", ""
        for _ in range(4 + _whole(random, 13)):
            if still_open and random.random() < 0.45:
                text, still_open = text + still_open[-1], still_open[:-1]
            else:
                kind = _whole(random, len(OPENING))
                text, still_open = text + OPENING[kind], still_open + CLOSING[kind]
        if still_open:
            yield text, still_open[::-1]


def _dates(random: Random) -> Iterator[Pair]:
    first = datetime.date(1900, 1, 1)
    while True:
        date = first + datetime.timedelta(days=_whole(random, 200 * 365))
        month = MONTHS[date.month - 1]
        forms = (
            f"{ordinal(date.day)} of {month} {date.year}",
            f"{month} {ordinal(date.day)}, {date.year}",
            f"{date.day} {month[:3]} {date.year}",
        )
        yield forms[_whole(random, len(forms))], date.isoformat()


MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"),
    "December",
)


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th …, 11th …, 21st."""
    return f"{number}{'th' if number // 10 == 1 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _german(random: Random) -> Iterator[Pair]:
    while True:
        yield sentence(random)


TASKS: dict[str, Task] = {
    "copy": Task("Copy", "letters, and the same again", _of_letters(str)),
    "reverse": Task("Reverse", "letters, and the same from the end", _of_letters(lambda text: text[::-1])),
    "sort": Task("Sort", "letters, and the same by the alphabet", _of_letters(lambda text: "".join(sorted(text)))),
    "addition": Task("Modular addition", f"all sums modulo {PRIME}, a symbol for each number", _addition, PRIME**2),
    "dyck": Task("Dyck", "brackets of four kinds, and what closes those that are open", _dyck),
    "dates": Task("Dates", "3rd of May 1998, and 1998-05-03", _dates),
    "german": Task(
        "German", "tiny German sentences in English, with a word that is chance", _german, floor=FLOOR_OF_GERMAN
    ),
}  # fmt: skip


def task_path(name: str) -> tuple[str, Path]:
    """Return the task that `task:NAME` or `task:NAME:SEED` means, and the file of its pairs, which is made here.

    Raises NotFoundError, StorageError.
    """
    kind, _, seed = name.removeprefix(PREFIX).partition(":")
    if kind not in TASKS or not (seed or "1").isdecimal() or len(seed) > MOST_DIGITS:
        known = ", ".join(PREFIX + one for one in TASKS)
        raise NotFoundError(f"there is no task {name.removeprefix(PREFIX)!r}", f"{known}; with a seed {PREFIX}copy:2")
    number = int(seed or SEED)
    path = paths.data_folder() / "tasks" / f"{kind if number == SEED else f'{kind}-{number}'}{PAIRS}"
    if not is_file(path):
        text = "".join(f"{question}{SEPARATOR}{answer}{BOUNDARY}" for question, answer in pairs_of(kind, number))
        write_text(path, text)
    return kind, path


def pairs_of(kind: str, seed: int = SEED) -> list[Pair]:
    """Return the pairs of a task, each question once."""
    task, found = TASKS[kind], dict[str, str]()
    for question, answer in task.pairs(Random(seed)):
        found.setdefault(question, answer)
        if len(found) >= task.size:
            break
    return list(found.items())
