"""All heads of all layers as one picture, and the chosen head large beside it, a square of pixels a weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from rich.style import Style
from textual.geometry import Offset, Region

from tinygpt_tui.events.tracing import Picture as Numbers
from tinygpt_tui.events.tracing import TraceStep
from tinygpt_tui.ui.inspect.drawing import Line
from tinygpt_tui.ui.inspect.heat import EXPONENT, SOFTER, Palette
from tinygpt_tui.ui.inspect.step_view import label_cells, label_of
from tinygpt_tui.ui.pictures.pixels import HALF_CELL, Pixels, blank, half_blocks, outline
from tinygpt_tui.ui.pictures.view import Picture
from tinygpt_tui.ui.shared.microscope import name_of

LARGE_SHARE = 0.6  # of the width, at most, for the chosen head
GAP, NUMBER = 2, 3  # cells between the chosen head and the others; of a layer's number
PAST = 0.07  # strength of a weight of 0, so that the past is a triangle
LEAST_COLUMNS = 3  # of a small map


class Layout(NamedTuple):
    """Where the chosen head and all heads are drawn, the cells of a small map, and which of them have room."""

    large: Region
    small: Region
    tile: tuple[int, int]
    layers: range
    heads: range


def lay_out(
    width: int, height: int, margin: int, counts: tuple[int, int], chosen: tuple[int, int], cell: tuple[int, int]
) -> Layout:
    """Divide (width, height) cells: a line above both, and `margin` cells for names at the left, stay free.

    `counts` and `chosen` are of layers and heads, `cell` the size of a cell, in pixels.
    """
    tall = cell[1] / cell[0]
    rows = max(1, height - 1)
    columns = max(1, min(round(rows * tall), int((width - margin) * LARGE_SHARE)))
    large = Region(margin, 1, columns, max(1, min(rows, round(columns / tall))))
    left = large.right + GAP + NUMBER
    room = max(LEAST_COLUMNS, width - left)
    tile_rows = max(1, min(rows // counts[0], int(room / counts[1] / tall)))
    tile = max(LEAST_COLUMNS, round(tile_rows * tall)), tile_rows
    layers = _around(chosen[0], counts[0], rows // tile[1])
    heads = _around(chosen[1], counts[1], room // tile[0])
    return Layout(large, Region(left, 1, tile[0] * len(heads), tile[1] * len(layers)), tile, layers, heads)


def _around(chosen: int, count: int, room: int) -> range:
    shown = max(1, min(count, room))
    start = max(0, min(chosen - shown // 2, count - shown))
    return range(start, start + shown)


class HeadsPicture:
    """The picture of one pass: its two parts, and the lines below them, in half-blocks and with names around."""

    def __init__(
        self,
        steps: Sequence[TraceStep],
        labels: Sequence[str],
        chosen: tuple[int, int],
        token: int,
        palette: Palette,
        cell: tuple[int, int],
        size: tuple[int, int],
    ) -> None:
        """`chosen` are a layer and a head; `cell` is the size of a cell in pixels, `size` that of the view in cells."""
        self._steps = [step.pictures for step in steps]
        self._labels, self._chosen, self._token, self._palette = labels, chosen, token, palette
        counts = len(self._steps), max(map(len, self._steps))
        self._layout = lay_out(*size, label_cells(labels) + 1, counts, chosen, cell)

    def _large(self, cell: tuple[int, int]) -> Pixels:
        layer, head = self._chosen
        return draw_large(self._steps[layer][head], self._token, self._layout, self._palette, cell)

    def _small(self, cell: tuple[int, int]) -> Pixels:
        return draw_small(self._steps, self._chosen, self._layout, self._palette, cell)

    def pictures(self, below: int, key: object) -> list[Picture]:
        """Return both parts, for a view with `below` lines above them; `key` is another one for every drawing."""
        down = Offset(0, below)
        return [
            Picture(self._layout.large.translate(down), (key, "large"), self._large),
            Picture(self._layout.small.translate(down), (key, "small"), self._small),
        ]

    def lines(self, marked: Style, muted: Style) -> list[Line]:
        """Return the lines; a name is beside the middle of its row, as far as there is room for names."""
        layout, labels, rows = self._layout, self._labels, self._layout.large.height
        names = {(2 * at + 1) * rows // (2 * len(labels)): at for at in [*range(len(labels)), self._token]}
        first = Line()
        before = self._steps[self._chosen[0]][self._chosen[1]].columns - len(labels)
        columns = {
            (2 * (at + before) + 1) * layout.large.width // (2 * (len(labels) + before)): at
            for at in [*range(len(labels)), self._token]
        }
        for column, at in sorted(columns.items()):
            if layout.large.x + column >= first.cells and cell_len(name_of(labels[at])) == 1:
                first.pad(layout.large.x + column).append(name_of(labels[at]), marked if at == self._token else muted)
        first.pad(layout.small.x)
        for head in layout.heads:
            first.append(set_cell_size(str(head + 1), layout.tile[0]), marked if head == self._chosen[1] else muted)
        lines, large, small = [first], half_blocks(self._large(HALF_CELL)), half_blocks(self._small(HALF_CELL))
        for row in range(max(len(large), len(small))):
            line = Line()
            if (at := names.get(row)) is not None:
                is_token = at == self._token
                line = label_of(labels, at, label_cells(labels), marked if is_token else muted, marked=is_token)
            _add(line, layout.large.x, large, row)
            if row % layout.tile[1] == 0 and row < len(small):
                layer = layout.layers[row // layout.tile[1]]
                style = marked if layer == self._chosen[0] else muted
                line.pad(layout.small.x - NUMBER).append(str(layer + 1).rjust(NUMBER - 1), style)
            _add(line, layout.small.x, small, row)
            lines.append(line)
        return lines


def _add(line: Line, column: int, rows: Sequence[Sequence[tuple[str, Style]]], row: int) -> None:
    """Add a line of half-blocks at a column, if the picture is so high."""
    if row < len(rows):
        line.pad(column)
        for text, style in rows[row]:
            line.append(text, style)


def draw_large(numbers: Numbers, token: int, layout: Layout, palette: Palette, cell: tuple[int, int]) -> Pixels:
    """Return the chosen head's map, with the row of a token framed."""
    pixels = blank(layout.large.width, layout.large.height, cell, palette.ground)
    high, wide = pixels.shape[:2]
    pixels[..., :3] = _heat(numbers, high, wide, palette)
    top, bottom = token * high // numbers.rows, (token + 1) * high // numbers.rows
    if cell != HALF_CELL and bottom - top > 2:
        outline(pixels, (0, top, wide, bottom), palette.below, max(1, cell[0] // 8))
    return pixels


def draw_small(
    steps: Sequence[Sequence[Numbers]], chosen: tuple[int, int], layout: Layout, palette: Palette, cell: tuple[int, int]
) -> Pixels:
    """Return the maps of the shown heads of the shown layers, the chosen one framed."""
    pixels = blank(layout.small.width, layout.small.height, cell, palette.ground)
    wide, high = layout.tile[0] * cell[0], layout.tile[1] * cell[1]
    edge = max(1, cell[0] // 3) if cell != HALF_CELL else 0
    for row, layer in enumerate(layout.layers):
        for column, head in enumerate(layout.heads):
            if head >= len(steps[layer]):
                continue
            left, top, right, bottom = column * wide, row * high, (column + 1) * wide, (row + 1) * high
            map_of = _heat(steps[layer][head], high - 2 * edge, wide - 2 * edge - (edge == 0), palette)
            pixels[top + edge : bottom - edge, left + edge : right - edge - (edge == 0), :3] = map_of
            if (layer, head) == chosen and edge:
                outline(pixels, (left, top, right, bottom), palette.below, edge)
    return pixels


def _heat(numbers: Numbers, high: int, wide: int, palette: Palette) -> NDArray[np.uint8]:
    """Return the colours (high, wide, 3) of attention weights; the future has the colour of the ground."""
    weights = np.frombuffer(numbers.values, dtype="<f2").reshape(numbers.rows, numbers.columns).astype(np.float64)
    strength = np.maximum(np.clip(weights, 0, 1) ** (SOFTER * EXPONENT), PAST)
    future = np.arange(numbers.columns)[None] > np.arange(numbers.rows)[:, None] + numbers.columns - numbers.rows
    strength[future & (weights == 0)] = 0
    strength = strength[np.arange(high) * numbers.rows // high][:, np.arange(wide) * numbers.columns // wide]
    ground, ink = (np.array([c.r, c.g, c.b], dtype=np.float64) for c in (palette.ground, palette.above))
    colours: NDArray[np.uint8] = np.rint(ground + strength[..., None] * (ink - ground)).astype(np.uint8)
    return colours
