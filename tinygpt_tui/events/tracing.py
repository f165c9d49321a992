"""A forward pass as data: each tensor that a net computed of a text, small enough to be drawn."""

from __future__ import annotations

from typing import Literal

import msgspec

StepKind = Literal["ids", "numbers", "weights", "logits"]


class Picture(msgspec.Struct, frozen=True, array_like=True):
    """Numbers of a tensor, a row a token, the last ones of the text.

    `values` are half floats, row by row, lowest byte first. Where there were more columns than are shown, each is the
    strongest of `each` neighbours, its sign kept.
    """

    rows: int
    columns: int
    each: int
    values: bytes


class TraceStep(msgspec.Struct, frozen=True, array_like=True):
    """One tensor of the pass, in the order in which they were computed.

    `place` are the parts it belongs to, the outermost first: ("block 1", "attention"). `inputs` are the numbers of the
    steps that it was computed from. `symbols` name the axes of `shape`. `source` and `code` are the line of the
    architecture that computed it. `pictures` are one for each head, or one; of "weights" the first column is the sum
    of all tokens before those that have a column of their own, where there are such.
    """

    number: int
    name: str
    title: str
    place: tuple[str, ...]
    symbols: str
    shape: tuple[int, ...]
    formula: str
    source: str
    code: str
    inputs: tuple[int, ...]
    kind: StepKind
    pictures: tuple[Picture, ...]
    least: float
    most: float
    mean: float
    spread: float


class Guess(msgspec.Struct, frozen=True, array_like=True):
    """A token that might come next."""

    text: str
    probability: float


class LensRow(msgspec.Struct, frozen=True, array_like=True):
    """What the model would predict if it ended after a layer: the most likely next tokens, for each token shown.

    `step` is the number of the step that the guess was made from. There are no guesses where the head cannot read what
    the layer gives, because that has another width.
    """

    title: str
    step: int
    guesses: tuple[tuple[Guess, ...], ...]


class TraceStarted(msgspec.Struct, frozen=True, tag=True):
    """A text is traced: `tokens` are those that the model reads, as text; the pictures show the last `rows`.

    `left_out` tokens before them did not fit the window; `unknown` are the characters that the model does not know;
    `empty` says that there was no text, and that the model reads what it gets in that case.
    """

    job: int
    architecture: str
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    rows: int
    left_out: int = 0
    unknown: str = ""
    empty: bool = False


class Neighbour(msgspec.Struct, frozen=True, array_like=True):
    """Another token of the vocabulary; `likeness` is the cosine of the two embeddings."""

    text: str
    likeness: float


class TokenPlace(msgspec.Struct, frozen=True, array_like=True):
    """Where a token of the vocabulary is on the map of its embeddings, x and y in -1..1; the nearest ones first."""

    text: str
    x: float
    y: float
    near: tuple[Neighbour, ...]


class Traced(msgspec.Struct, frozen=True, tag=True):
    """Some steps of the pass, rows of the lens, or the map of the embeddings; more may follow.

    `share` is how much of the embeddings' variance the two axes of the map show.
    """

    job: int
    steps: tuple[TraceStep, ...] = ()
    lens: tuple[LensRow, ...] = ()
    places: tuple[TokenPlace, ...] = ()
    share: float = 0.0
