"""A view as it is drawn now: its cells, and the pictures over them; as SVG, and with Pillow as PNG."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from rich.segment import Segment, Segments
from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tinygpt_tui.charts.export import recording_console
from tinygpt_tui.ui.pictures.view import PictureView

if TYPE_CHECKING:
    from tinygpt_tui.ui.pictures.pixels import Pixels

CELL = (16, 32)  # pixels of a cell in a file
SVG_CELL, SVG_TOP = (12.2, 24.4), 1.5  # of Rich's pictures, in their own units

Placed: TypeAlias = "tuple[Region, Pixels]"


class Snapshot(NamedTuple):
    """(width, height) cells as lines of `strips`, pictures over them, and the colours where nothing is drawn."""

    size: tuple[int, int]
    strips: Sequence[Strip]
    pictures: Sequence[Placed]
    ground: Color
    ink: Color


def snapshot_of(view: Widget) -> Snapshot:
    """Return what a view shows now."""
    width, height = view.outer_size
    corner = view.content_region.offset - view.region.offset
    pictures = view.pictures() if isinstance(view, PictureView) else ()
    placed = [(picture.region.translate(corner), picture.draw(CELL)) for picture in pictures]
    background = view.background_colors[1]
    strips = view.render_lines(Region(0, 0, width, height))
    return Snapshot((width, height), strips, placed, background, background + view.styles.color)


def to_svg(shot: Snapshot, title: str) -> str:
    """Return the picture of a terminal of that size, with a title bar."""
    console = recording_console(*shot.size)
    lines = [[*strip, Segment.line()] for strip in shot.strips]
    console.print(Segments([segment for line in lines for segment in line]), end="")
    svg = console.export_svg(title=title)
    images = "".join(_image(region, pixels) for region, pixels in shot.pictures)
    end = svg.rindex("</g>")  # of what is moved to the place of the terminal
    return f"{svg[:end]}{images}{svg[end:]}"


def _image(region: Region, pixels: Pixels) -> str:
    (wide, high), data = SVG_CELL, base64.b64encode(png_of(pixels)).decode("ascii")
    return (
        f'<image x="{region.x * wide:.1f}" y="{region.y * high + SVG_TOP:.1f}" width="{region.width * wide:.1f}" '
        f'height="{region.height * high:.1f}" preserveAspectRatio="none" href="data:image/png;base64,{data}"/>'
    )


def png_of(pixels: Pixels) -> bytes:
    """Return pixels as a PNG file. Source: https://www.w3.org/TR/png/"""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # 0: each row as it is
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # 8 bits each of red, green, blue and opacity
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
