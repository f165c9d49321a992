"""Readings of the weights tried on a text: each on the same tokens, so that two of them are compared token by token."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.foreign.calibration_texts import CalibrationText, documents
from tinygpt_tui.foreign.losses import Forward, row_losses
from tinygpt_tui.foreign.opening import Inspection, with_answers
from tinygpt_tui.tokenizers.base import Tokenizer

LONGEST_WINDOW = 256
LEARNED_BY_ALL = 32  # tokens; hardly a model has a smaller window
WORK = 4e11  # multiplications that one reading may cost: a second or two
MOST_LEFT = 6  # of them are measured on all tokens
FEWEST, GLANCE = 128, 512  # tokens on which each of many readings is tried
BEHIND = 8.0  # standard errors: not measured on all tokens
NEARLY = 0.003  # nats by which two readings that are nearly the same differ at a token, on average

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


@dataclass(frozen=True)
class Fitting:
    """A text, the tokenizer it is read by, and whose characters those are where the checkpoint does not tell.

    `in_documents` reads it as documents that begin where the window begins.
    """

    text: CalibrationText
    tokenizer: Tokenizer
    named: str = ""
    in_documents: bool = False

    def rows(self, inspection: Inspection, characters: int | None = None, *, whole: bool = False) -> list[Ids]:
        """Return the tokens of the text, or of its first `characters`, in windows; as many as a reading may cost.

        Where the model's window is a guess they are short, unless `whole`: beyond its own a model knows nothing.
        """
        room = inspection.settings.context_length or LONGEST_WINDOW
        if window_is_assumed(inspection) and not whole:
            room = min(room, LEARNED_BY_ALL)
        text = self.text.text[:characters]
        if self.in_documents:
            rows = [ids[: room + 1] for ids in self._documents(text, room) if len(ids) > 1]
        else:
            ids = np.array(self.tokenizer.encode(text), dtype=np.int64)
            size = min(room, LONGEST_WINDOW, len(ids) - 1)
            rows = [ids[at : at + size + 1] for at in range(0, len(ids) - size, size)] if size > 0 else []
        return first_rows(rows, affordable(inspection))

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


def first_rows(rows: Sequence[Ids], count: int) -> list[Ids]:
    """Return the rows that have the first `count` tokens to be judged; the last one is shortened."""
    found: list[Ids] = []
    for row in rows:
        if count < 1:
            break
        found.append(row[: count + 1])
        count -= len(row) - 1
    return found


def window_is_assumed(inspection: Inspection) -> bool:
    """Whether no file says how many tokens the model sees at once."""
    return any(fact.name == "block_size" and fact.assumed for fact in inspection.facts)


class Trial:
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
        return row_losses(forward, reading.settings, first_rows(self._rows, count))

    def ranked(self, readings: Sequence[Mapping[str, Any]]) -> list[list[Score]]:
        """Return all readings at a glance, and the few not far behind on all tokens; each the best first.

        The first of the readings is measured on all tokens, too; those that are nearly the best are not.
        """
        glance = max(FEWEST, min(GLANCE, self._count // len(readings)))
        first = sorted((self.score(one, glance) for one in readings), key=mean_loss)
        best = first[0]
        left = [one for one in first if one is best or (apart(best, one) < BEHIND and not is_nearly(best, one))]
        finalists = [one.answers for one in left[:MOST_LEFT]]
        finalists = finalists if readings[0] in finalists else [*finalists, readings[0]]
        return [first, sorted((self.score(one) for one in finalists), key=mean_loss)]


def is_nearly(one: Score, other: Score) -> bool:
    """Whether two readings of the same tokens hardly differ at any of them."""
    difference = np.abs(one.losses - other.losses)
    return bool(np.isfinite(difference).all()) and float(difference.mean()) < NEARLY


def mean_loss(score: Score) -> float:
    return score.loss


def affordable(inspection: Inspection) -> int:
    """Return how many tokens a reading may be measured on."""
    return max(512, int(WORK / (2 * max(1, inspection.config.parameters))))


def apart(best: Score, rival: Score) -> float:
    """Return by how many standard errors two readings differ, token by token."""
    difference = rival.losses - best.losses
    if not np.isfinite(difference).all():
        return math.inf
    error = float(difference.std()) / math.sqrt(len(difference))
    return float(difference.mean()) / error if error > 0 else 0.0
