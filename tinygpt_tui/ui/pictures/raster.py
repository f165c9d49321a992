"""A snapshot as PNG, drawn with Pillow: lines and blocks as shapes, words in a font of the system."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.style import Style
from textual.color import Color

from tinygpt_tui.ui.pictures.snapshot import CELL, Snapshot

if TYPE_CHECKING:
    from PIL import ImageDraw

Rgb = tuple[int, int, int]

# Fonts of a fixed width that systems have; without one of them words are in Pillow's own.
FONTS = ("DejaVuSansMono", "Menlo", "consola", "LiberationMono-Regular", "NotoSansMono-Regular", "UbuntuMono-R")
FONT_SIZE = 26
BRAILLE, BRAILLE_DOTS = 0x2800, ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
# Parts of a cell that are filled: left, top, right, bottom in eighths.
BLOCKS = {"▀": (0, 0, 8, 4), "▄": (0, 4, 8, 8), "█": (0, 0, 8, 8), "▌": (0, 0, 4, 8), "▐": (4, 0, 8, 8)}
# Lines from the middle of a cell to its left, top, right and bottom.
LINES = {"─": "lr", "╌": "lr", "━": "lr", "│": "tb", "┤": "ltb", "├": "rtb", "┬": "lrb", "┴": "lrt", "┼": "lrtb"} | {
    "└": "rt", "┘": "lt", "┌": "rb", "┐": "lb", "╰": "rt", "╯": "lt", "╭": "rb", "╮": "lb"
}  # fmt: skip


def to_png(shot: Snapshot) -> bytes:
    """Return a snapshot as a PNG file. Raises ImportError without Pillow, which is optional."""
    from PIL import Image, ImageDraw

    wide, high = CELL
    image = Image.new("RGB", (shot.size[0] * wide, shot.size[1] * high), shot.ground.rgb)
    drawing = ImageDraw.Draw(image)
    for row, strip in enumerate(shot.strips):
        column = 0
        for text, style, _ in strip:
            ink, ground = _colours(style, shot)
            cells = cell_len(text)
            drawing.rectangle((column * wide, row * high, (column + cells) * wide - 1, (row + 1) * high - 1), ground)
            for sign in text:
                if not sign.isspace():
                    _draw(drawing, sign, column * wide, row * high, ink)
                column += cell_len(sign)
    for region, pixels in shot.pictures:
        over = Image.fromarray(pixels, "RGBA")
        image.paste(over, (region.x * wide, region.y * high), over)
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _draw(drawing: ImageDraw.ImageDraw, sign: str, left: int, top: int, ink: Rgb) -> None:
    wide, high = CELL
    middle_x, middle_y = left + wide // 2, top + high // 2
    if (block := BLOCKS.get(sign)) is not None:
        x, y, right, bottom = block
        drawing.rectangle((left + x * wide // 8, top + y * high // 8, left + right * wide // 8 - 1,
                           top + bottom * high // 8 - 1), ink)  # fmt: skip
    elif (arms := LINES.get(sign)) is not None:
        ends = {"l": (left, middle_y), "r": (left + wide, middle_y), "t": (middle_x, top), "b": (middle_x, top + high)}
        for arm in arms:
            drawing.line([(middle_x, middle_y), ends[arm]], ink, 2)
    elif 0 < (dots := ord(sign) - BRAILLE) < 256:
        for bit, (column, row) in enumerate(BRAILLE_DOTS):
            if dots >> bit & 1:
                x, y = left + (2 * column + 1) * wide // 4, top + (2 * row + 1) * high // 8
                drawing.ellipse((x - 2, y - 2, x + 2, y + 2), ink)
    else:
        drawing.text((left + wide * cell_len(sign) / 2, top + high * 0.78), sign, ink, _font(), "ms")


@lru_cache(maxsize=1)
def _font() -> Any:
    from PIL import ImageFont

    for name in FONTS:
        for suffix in (".ttf", ".ttc"):
            try:
                return ImageFont.truetype(name + suffix, FONT_SIZE)
            except OSError:
                continue
    return ImageFont.load_default(FONT_SIZE)


def _colours(style: Style | None, shot: Snapshot) -> tuple[Rgb, Rgb]:
    """Return the colours of a piece of text and of the cells behind it."""
    ink, ground = shot.ink, shot.ground
    if style is None:
        return ink.rgb, ground.rgb
    if style.bgcolor is not None and not style.bgcolor.is_default:
        ground = Color.from_rich_color(style.bgcolor)
    if style.color is not None and not style.color.is_default:
        ink = Color.from_rich_color(style.color)
    if style.dim:
        ink = ground.blend(ink, 0.5)
    return (ground.rgb, ink.rgb) if style.reverse else (ink.rgb, ground.rgb)
