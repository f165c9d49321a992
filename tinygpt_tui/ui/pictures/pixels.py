"""Pixels of a picture: a plain ground, frames, and the same picture in half-blocks, two pixels a cell."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.color import Color as RichColor
from rich.style import Style
from textual.color import Color

Pixels: TypeAlias = NDArray[np.uint8]
"""Red, green, blue and opacity (H, W, 4); below a pixel of opacity 0 the cells are seen."""

Point: TypeAlias = tuple[float, float]
HALF_CELL = (1, 2)  # pixels of a cell that is a half-block
UPPER_HALF = "▀"


def blank(columns: int, rows: int, cell: tuple[int, int], colour: Color) -> Pixels:
    """Return a picture of one colour over columns x rows of cells."""
    pixels = np.empty((rows * cell[1], columns * cell[0], 4), dtype=np.uint8)
    pixels[:] = (colour.r, colour.g, colour.b, 255)
    return pixels


def outline(pixels: Pixels, box: tuple[int, int, int, int], colour: Color, thick: int) -> None:
    """Draw a frame inside `box`: left, top, right and bottom in pixels."""
    left, top, right, bottom = box
    ink = (colour.r, colour.g, colour.b, 255)
    pixels[top : top + thick, left:right] = pixels[bottom - thick : bottom, left:right] = ink
    pixels[top:bottom, left : left + thick] = pixels[top:bottom, right - thick : right] = ink


def line(pixels: Pixels, start: Point, end: Point, colour: Color, thick: float, strength: float = 1.0) -> None:
    """Draw a smooth straight line between two points, x and y in pixels; a dot where they are one."""
    reach = thick / 2 + 1
    (x, y), (to_x, to_y) = start, end
    left, top = max(0, int(min(x, to_x) - reach)), max(0, int(min(y, to_y) - reach))
    part = pixels[top : int(max(y, to_y) + reach) + 1, left : int(max(x, to_x) + reach) + 1, :3]
    across = np.arange(part.shape[1])[None] + left - x
    down = np.arange(part.shape[0])[:, None] + top - y
    along_x, along_y = to_x - x, to_y - y
    length = along_x**2 + along_y**2
    along = np.clip((across * along_x + down * along_y) / length, 0, 1) if length else 0.0
    distance = np.hypot(across - along * along_x, down - along * along_y)
    share = strength * np.clip(thick / 2 + 0.5 - distance, 0, 1)[..., None]
    part[:] = np.rint(part + share * (np.array(colour.rgb) - part.astype(np.float64)))


def half_blocks(pixels: Pixels) -> list[list[tuple[str, Style]]]:
    """Return the lines of a picture for cells of HALF_CELL: two pixels a cell, as a half-block in two colours."""
    lines = []
    for upper, lower in zip(pixels[::2, :, :3].tolist(), pixels[1::2, :, :3].tolist(), strict=True):
        line: list[tuple[str, Style]] = []
        for above, below in zip(upper, lower, strict=True):
            style = _two(tuple(above), tuple(below))
            if line and line[-1][1] is style:
                line[-1] = (line[-1][0] + UPPER_HALF, style)
            else:
                line.append((UPPER_HALF, style))
        lines.append(line)
    return lines


@lru_cache(maxsize=4096)
def _two(above: tuple[int, int, int], below: tuple[int, int, int]) -> Style:
    return Style(color=RichColor.from_rgb(*above), bgcolor=RichColor.from_rgb(*below))
