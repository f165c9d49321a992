"""Measures the rows of the records again: shipped models by their windows and by `pack`, compressors by their sizes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import math
import shutil
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

import msgspec
import numpy as np

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.engines import forward_of
from tinygpt_tui.checkpoints.stored import read_folder
from tinygpt_tui.foreign.losses import pieces_of
from tinygpt_tui.generation.calibration import measuring
from tinygpt_tui.measuring.progress import Progress
from tinygpt_tui.measuring.records import Records, Row
from tinygpt_tui.packing.packing import packing
from tinygpt_tui.packing.predictor import open_predictor

R = TypeVar("R")
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 9, mtime=0),
    "bzip2": lambda data: bz2.compress(data, 9),
    "xz": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "zstd": lambda data: (
        subprocess.run(["zstd", "--ultra", "-22", "-c"], input=data, capture_output=True, check=True).stdout
    ),
}
_SAME = 0.001  # nats; compressors have versions, and losses are rounded


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a row, in the table and measured now; nats per character."""

    name: str
    column: str
    table: float | None
    loss: float

    @property
    def is_same(self) -> bool:
        """Whether the table has no other figure than what was measured."""
        return self.table is None or abs(self.table - self.loss) < _SAME


class RecordsAgain:
    """Iterate over it to measure; `report` has what was measured by then. `data` is the whole text."""

    def __init__(self, records: Records, data: bytes) -> None:
        self._records, self._data = records, data
        self._cut = len(data) - records.text.characters
        self._found: list[Found] = []

    def report(self) -> tuple[Found, ...]:
        """Return what was measured."""
        return tuple(self._found)

    def __iter__(self) -> Iterator[Progress]:
        """Measure. Raises what opening a model raises."""
        rows = [row for row in self._records.row if row.measure and (row.name != "zstd" or shutil.which("zstd"))]
        began = time.perf_counter()
        for number, row in enumerate(rows):
            for share, detail in self._model(row) if row.is_model else self._compressor(row):
                whole = (number + share) / len(rows)
                passed_s = time.perf_counter() - began
                left_s = passed_s * (1 - whole) / whole if whole else None
                yield Progress(words=row.name, detail=detail, share=whole, left_s=left_s)

    def _model(self, row: Row) -> Generator[tuple[float, str], None, None]:
        folder = paths.shipped_models() / row.name
        stored = read_folder(folder)
        settings, text = stored.config.architecture, self._data[self._cut :]
        ids = np.array(stored.tokenizer.encode(text.decode("utf-8")), dtype=np.int64)
        pieces = pieces_of(ids, settings.block_size, settings.vocab_size)
        steps = measuring(forward_of(settings, stored.weights, row.name), pieces)
        (reliability,) = yield from _watched(steps, "windows", 0.0, 0.2)
        self._add(row, "window", reliability.loss)
        if settings.supports_sliding:
            done = yield from _watched(packing(text, open_predictor(folder)), "packed", 0.2, 0.8)
            self._add(row, "rolling", done.nats / len(ids))

    def _compressor(self, row: Row) -> Iterator[tuple[float, str]]:
        yield 0.0, "the whole text and its first nine tenths"
        compress = COMPRESSORS[row.name]
        size = len(compress(self._data)) - len(compress(self._data[: self._cut]))
        self._add(row, "adaptive", size * 8 * math.log(2) / self._records.text.characters)

    def _add(self, row: Row, column: str, loss: float) -> None:
        self._found.append(Found(name=row.name, column=column, table=getattr(row, column), loss=loss))


def _watched(
    steps: Generator[float, None, R], detail: str, start: float, size: float
) -> Generator[tuple[float, str], None, R]:
    """Map the shares of `steps` to a part of the whole."""
    while True:
        try:
            yield start + next(steps) * size, detail
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
