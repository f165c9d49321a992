"""A view as a file: the cells and the pictures over them are where they are on the screen."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.widgets import Static

from tinygpt_tui.ui.pictures.pixels import Pixels
from tinygpt_tui.ui.pictures.snapshot import CELL, png_of, snapshot_of, to_svg
from tinygpt_tui.ui.pictures.view import Picture, PictureView

RED = (200, 10, 10, 255)


class View(PictureView, Static):
    DEFAULT_CSS = "View { width: 12; height: 5; padding: 1; background: #102030; color: #ffffff; }"

    def pictures(self) -> Sequence[Picture]:
        return [Picture(Region(2, 1, 3, 1), "one", draw)]


class Bench(App[None]):
    def compose(self) -> ComposeResult:
        yield View("▀█ab│⣿")


def draw(cell: tuple[int, int]) -> Pixels:
    return np.full((cell[1], 3 * cell[0], 4), RED, dtype=np.uint8)


async def test_a_view_becomes_an_svg_and_a_png() -> None:
    app = Bench()
    async with app.run_test(size=(40, 12)):
        shot = snapshot_of(app.query_one(View))
    svg = to_svg(shot, "title")
    assert "▀█ab│⣿" in svg
    assert '<image x="36.6" y="50.3" width="36.6" height="24.4"' in svg
    if importlib.util.find_spec("PIL") is None:
        pytest.skip("PNG needs Pillow")
    from PIL import Image

    from tinygpt_tui.ui.pictures.raster import to_png

    wide, high = CELL
    image = Image.open(BytesIO(to_png(shot))).convert("RGB")
    assert image.size == (12 * wide, 5 * high)
    assert image.getpixel((0, 0)) == (0x10, 0x20, 0x30)
    found = np.asarray(image)
    assert (found[2 * high : 3 * high, 3 * wide : 6 * wide] == RED[:3]).all()
    assert (found[high : high + high // 2, wide : 2 * wide] == 255).all()  # the upper half
    assert (found[high + high // 2 : 2 * high, wide : 2 * wide] == (0x10, 0x20, 0x30)).all()
    assert (found[high : 2 * high, 2 * wide : 3 * wide] == 255).all()
    pixels = draw((8, 16))
    pixels[0, 0] = (1, 2, 3, 4)
    assert (np.asarray(Image.open(BytesIO(png_of(pixels)))) == pixels).all()
