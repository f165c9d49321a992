"""The words and lines around a plot: axes with their ticks, the heading, the names of curves and levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.cells import cell_len

from tinygpt_tui.charts.data import AXIS_STYLE, TITLE_STYLE
from tinygpt_tui.charts.labels import Label, spread
from tinygpt_tui.charts.layout import Frame
from tinygpt_tui.charts.scale import Scale
from tinygpt_tui.charts.sheet import Sheet, plain, shortened
from tinygpt_tui.charts.ticks import Tick

HEADING_GAP = 3


def short(label: str, room: int) -> str:
    """A label of an axis in full, or without what follows a comma."""
    return label if cell_len(label) <= room else label.split(",")[0].strip()


def draw_y_axis(sheet: Sheet, frame: Frame, ticks: Sequence[Tick]) -> None:
    """The line at the left of the plot, with its numbers."""
    line, tick_line = ("|", "+") if sheet.ascii else ("│", "┤")
    codes = np.full((frame.rows, 1), ord(line), dtype=np.uint32)
    sheet.paste(frame.top, frame.left - 1, codes, np.full(codes.shape, sheet.style(AXIS_STYLE)))
    for tick in ticks:
        row = frame.top + frame.rows - 1 - tick.cell
        sheet.write(row, frame.left - 1, tick_line, AXIS_STYLE)
        sheet.write(row, frame.left - 2 - len(tick.text), tick.text, AXIS_STYLE)


def draw_x_axis(sheet: Sheet, frame: Frame, ticks: Sequence[Tick], label: str) -> None:
    """The line below the plot, with its numbers, and its name where no number is."""
    corner, line, tick_line = ("+", "-", "+") if sheet.ascii else ("└", "─", "┬")
    row, end = frame.top + frame.rows, frame.left + frame.columns
    sheet.write(row, frame.left - 1, corner + line * frame.columns, AXIS_STYLE)
    free = 0
    first = sheet.width
    for tick in ticks:
        start = frame.left + tick.cell - len(tick.text) // 2
        start = max(0, min(start, sheet.width - len(tick.text)))
        if start >= free:
            sheet.write(row, frame.left + tick.cell, tick_line, AXIS_STYLE)
            sheet.write(row + 1, start, tick.text, AXIS_STYLE)
            first, free = min(first, start), start + len(tick.text) + 1
    label = plain(label, sheet.ascii)
    if frame.gutter:
        sheet.write(row, end + 1, shortened(short(label, frame.gutter - 1), frame.gutter - 1, sheet.ascii), AXIS_STYLE)
    elif cell_len(brief := short(label, 0)) < first:
        sheet.write(row + 1, 0, brief, AXIS_STYLE)
    elif cell_len(brief) + 1 < frame.columns // 2:
        sheet.write(row, end - cell_len(brief) - 1, f" {brief}", AXIS_STYLE)


def draw_heading(sheet: Sheet, y_label: str, title: str, legend: Sequence[Label]) -> None:
    """The top line: what the y axis shows, the title, and the names of the curves where they have no other place."""
    y_label = plain(short(y_label, sheet.width // 4), sheet.ascii)
    y_label = shortened(y_label, sheet.width // 3, sheet.ascii)
    sheet.write(0, 0, y_label, AXIS_STYLE)
    start = sheet.width - _draw_legend(sheet, legend, sheet.width - cell_len(y_label) - HEADING_GAP)
    room = start - cell_len(y_label) - 2 * HEADING_GAP
    title = plain(title, sheet.ascii)
    if room >= min(8, cell_len(title)):
        title = shortened(title, room, sheet.ascii)
        centred = (sheet.width - cell_len(title)) // 2
        column = max(cell_len(y_label) + HEADING_GAP, min(centred, start - HEADING_GAP - cell_len(title)))
        sheet.write(0, column, title, TITLE_STYLE)


def _draw_legend(sheet: Sheet, legend: Sequence[Label], room: int) -> int:
    """Names at the right end of the top line; returns the cells they take."""
    widths = [cell_len(label.text(room, sheet.ascii)) for label in legend]
    if sum(widths) + 2 * len(legend) > room:
        each = max(3, room // max(1, len(legend)) - 2)
        widths = [min(width, each) for width in widths]
    texts = [label.text(width, sheet.ascii) for label, width in zip(legend, widths, strict=True)]
    while texts and sum(map(cell_len, texts)) + 2 * (len(texts) - 1) > room:
        texts.pop()
    size = sum(map(cell_len, texts)) + 2 * max(0, len(texts) - 1)
    column = sheet.width - size
    for label, text in zip(legend, texts, strict=False):
        sheet.write(0, column, text, label.style)
        column += cell_len(text) + 2
    return size


def draw_gutter(sheet: Sheet, frame: Frame, labels: Sequence[Label], y: Scale) -> None:
    """Names at the right, each beside the end of its curve or level; the first ones where there are too many."""
    shown = sorted(labels[: frame.rows], key=lambda label: -label.y)
    wanted = [(y.dots - 1 - y.dot(label.y)) * frame.rows // y.dots for label in shown]
    for label, row in zip(shown, spread(wanted, frame.rows), strict=True):
        text = label.text(frame.gutter - 1, sheet.ascii)
        sheet.write(frame.top + row, frame.left + frame.columns + 1, text, label.style)
