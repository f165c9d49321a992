"""A rectangle of styled characters, and the Rich segments it becomes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.segment import Segment
from rich.style import Style, StyleType


class Sheet:
    """Always exactly `height` lines of `width` cells; what is written beyond them is cut."""

    def __init__(self, width: int, height: int, ascii: bool) -> None:
        self.width, self.height, self.ascii = width, height, ascii
        self.codes = np.full((height, width), ord(" "), dtype=np.uint32)
        self.styles = np.zeros((height, width), dtype=np.int64)
        self.names: dict[StyleType, int] = {"": 0}
        # Where a segment always ends: in a picture each is stretched to its cells, and signs of two fonts in one
        # segment would leave their columns.
        self.borders: list[int] = [0]

    def style(self, name: StyleType) -> int:
        """The number that stands for a style in `styles`."""
        return self.names.setdefault(name, len(self.names))

    def paste(self, row: int, column: int, codes: NDArray[np.uint32], styles: NDArray[np.int64]) -> None:
        """Put a rectangle of characters and their styles (rows, columns) with its corner at a cell."""
        rows, columns = codes.shape
        self.codes[row : row + rows, column : column + columns] = codes
        self.styles[row : row + rows, column : column + columns] = styles

    def write(self, row: int, column: int, text: str, style: StyleType = "") -> None:
        if column < 0 or not 0 <= row < self.height:
            return
        text = shortened(plain(text, self.ascii), self.width - column, self.ascii)
        size = cell_len(text)
        codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
        if size != len(text):
            # The second cell of a wide character is nothing, and leaves the line as it is joined.
            sizes = np.array([cell_len(sign) for sign in text])
            spaced = np.zeros(size, dtype=np.uint32)
            spaced[np.cumsum(sizes) - sizes] = codes
            codes = spaced
        self.codes[row, column : column + size] = codes
        self.styles[row, column : column + size] = self.style(style)

    def segments(self, console: Console) -> Iterator[Segment]:
        """The lines from top to bottom, each run of one style as one segment."""
        styles = [_style(console, name) for name in self.names]
        text = self.codes.astype("<u4").tobytes().decode("utf-32-le")
        flat = (self.styles if console.record else self._joined(styles)).ravel()
        starts = np.ones(flat.shape, dtype=np.bool_)
        starts[1:] = flat[1:] != flat[:-1]
        starts.reshape(self.styles.shape)[:, self.borders] = True
        cuts = np.flatnonzero(starts)
        owners = flat[cuts].tolist()
        ends = [*cuts.tolist()[1:], flat.size]
        wide = "\0" in text
        newline, start = Segment.line(), 0
        for end, owner in zip(ends, owners, strict=True):
            run = text[start:end]
            yield Segment(run.replace("\0", "") if wide else run, styles[owner])
            if end % self.width == 0:
                yield newline
            start = end

    def _joined(self, styles: list[Style | None]) -> NDArray[np.int64]:
        """The numbers of the styles (height, width), where blanks have the style before them.

        It cannot be seen, as long as a style is only ink, and halves the number of segments.
        """
        ink = np.array([style is None or _is_ink(style) for style in styles])
        blank = (self.codes == ord(" ")) & ink[self.styles]
        columns = np.where(blank, 0, np.arange(self.width))
        joined = np.take_along_axis(self.styles, np.maximum.accumulate(columns, axis=1), axis=1)
        return np.where(blank & ~ink[joined], self.styles, joined)


@lru_cache(maxsize=1024)
def plain(text: str, ascii: bool) -> str:
    """Text of which every character has a place: no control signs, nothing of no width, only ASCII if asked."""
    if ascii:
        text = unicodedata.normalize("NFKD", text)
        text = "".join(sign for sign in text if not unicodedata.combining(sign)).encode("ascii", "replace").decode()
    elif text.isascii() and text.isprintable():
        return text
    text = "".join(" " if sign.isspace() else sign for sign in text)
    return "".join(sign for sign in text if sign.isprintable() and cell_len(sign) > 0)


def shortened(text: str, width: int, ascii: bool) -> str:
    """Text of at most `width` cells, with a sign that something was left out."""
    if cell_len(text) <= width:
        return text
    if width < 1:
        return ""
    return set_cell_size(text, width - 1).rstrip() + ("." if ascii else "…")


def _style(console: Console, name: StyleType) -> Style | None:
    """A style by name, definition or value; None for one that says nothing or is not known."""
    style = console.get_style(name, default="")
    return None if style == Style.null() else style


def _is_ink(style: Style) -> bool:
    return not (style.bgcolor or style.reverse or style.underline or style.underline2 or style.overline or style.strike)
