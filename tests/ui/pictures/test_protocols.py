"""Pictures as terminals read them: decoded again, they are the same."""

from __future__ import annotations

import base64
import re
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from tinygpt_tui.ui.pictures import kitty, sixel


def picture(height: int, width: int, colours: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(height * width)
    palette = random.integers(0, 256, (colours, 3))
    pixels = np.empty((height, width, 4), dtype=np.uint8)
    pixels[..., :3] = palette[random.integers(0, colours, (height, width))]
    pixels[: height // 2, : width // 2, :3] = palette[0]  # runs
    pixels[..., 3] = 255
    pixels[0, :3, 3] = 0
    return pixels


def from_sixels(sequence: str) -> NDArray[np.int64]:
    """Return the colours (H, W, 3) in percent that a VT340 would show; -1 where nothing is drawn."""
    match = re.fullmatch(r'\x1bP0;1;0q"1;1;(\d+);(\d+)(.*)\x1b\\', sequence, re.DOTALL)
    assert match is not None
    width, height = int(match[1]), int(match[2])
    shown = np.full((height + 6, width, 3), -1)
    palette: dict[int, tuple[int, ...]] = {}
    row = column = number = 0
    for part in re.finditer(r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)(.)|([?-~])|([$-])", match[3]):
        if part[1]:
            number = int(part[1])
            if part[2]:
                palette[number] = int(part[2]), int(part[3]), int(part[4])
        elif part[8]:
            column = 0
            row += 6 if part[8] == "-" else 0
        else:
            count, bits = (int(part[5]), ord(part[6]) - 63) if part[5] else (1, ord(part[7]) - 63)
            for bit in range(6):
                if bits >> bit & 1:
                    shown[row + bit, column : column + count] = palette[number]
            column += count
    return shown[:height]


@pytest.mark.parametrize(("size", "colours"), [((12, 40), 5), ((13, 300), 9), ((6, 1), 1), ((64, 64), 1000)])
def test_sixels_are_the_picture(size: tuple[int, int], colours: int) -> None:
    pixels = picture(*size, colours)
    shown = from_sixels(sixel.encode(pixels))
    opaque = pixels[..., 3] > 0
    assert (shown[~opaque] == -1).all()
    difference = np.abs(shown[opaque] - pixels[..., :3][opaque] / 2.55)
    assert difference.max() <= (1 if colours < 256 else 25)  # rounded to percent; to fewer colours


def test_kitty_receives_the_picture_in_pieces() -> None:
    pixels = picture(90, 120, 1000)
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", kitty.place(pixels, 7, 12, 5))
    assert len(parts) > 2
    assert all(len(data) <= 4096 for _, data in parts)
    assert [dict(pair.split("=") for pair in keys.split(","))["m"] for keys, _ in parts] == ["1"] * (len(parts) - 1) + [
        "0"
    ]
    first = dict(pair.split("=") for pair in parts[0][0].split(","))
    assert [first[key] for key in "aifsvcrCq"] == ["T", "7", "32", "120", "90", "12", "5", "1", "2"]
    data = zlib.decompress(base64.b64decode("".join(data for _, data in parts)))
    assert data == pixels.tobytes()
    assert kitty.delete(7) == "\x1b_Ga=d,d=I,i=7,q=2\x1b\\"
