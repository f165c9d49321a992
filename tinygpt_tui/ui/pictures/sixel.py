"""Sixel: a picture as bands of six rows of pixels, a colour at a time.

Source: DEC, VT330/VT340 Programmer Reference Manual, volume 2, chapter 14
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.ui.pictures.pixels import Pixels

MOST_COLOURS = 255
BAND = 6
SEEN = 128  # from this opacity on a pixel is drawn
RUN = re.compile(rb"(.)\1{3,255}")  # a longer run is several


def encode(pixels: Pixels) -> str:
    """Return what draws a picture from the cursor on; below pixels that are not opaque the cells stay."""
    height, width = pixels.shape[:2]
    colours, numbers = _palette(pixels)
    numbers = np.pad(numbers, ((0, -height % BAND), (0, 0)), constant_values=-1)
    parts = [f'\x1bP0;1;0q"1;1;{width};{height}'.encode()]
    percent = np.rint(colours * (100 / 255)).astype(int).tolist()
    parts += [b"#%d;2;%d;%d;%d" % (number, *colour) for number, colour in enumerate(percent)]
    weights = (1 << np.arange(BAND, dtype=np.uint8))[:, None]
    for top in range(0, len(numbers), BAND):
        band = numbers[top : top + BAND]
        for number in np.unique(band[band >= 0]).tolist():
            bits = ((band == number) * weights).sum(axis=0, dtype=np.uint8)  # (W,)
            end = int(np.flatnonzero(bits)[-1]) + 1
            parts.append(b"#%d" % number + RUN.sub(_short, (bits[:end] + 63).tobytes()) + b"$")
        parts.append(b"-")
    return b"".join(parts).decode("ascii") + "\x1b\\"


def _palette(pixels: Pixels) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """Return at most MOST_COLOURS colours (N, 3), and the number of each pixel's colour (H, W); -1: not opaque."""
    opaque = pixels[..., 3] >= SEEN
    for bits in (7, 6, 5, 4, 3, 2):
        rough = (pixels[..., :3] >> (8 - bits)).astype(np.uint32)
        keys = (rough[..., 0] << 16 | rough[..., 1] << 8 | rough[..., 2])[opaque]
        found, first, which = np.unique(keys, return_index=True, return_inverse=True)
        if len(found) <= MOST_COLOURS:
            break
    numbers = np.full(pixels.shape[:2], -1, dtype=np.int16)
    numbers[opaque] = which
    return pixels[..., :3][opaque][first], numbers


def _short(run: re.Match[bytes]) -> bytes:
    return b"!%d%c" % (len(run[0]), run[1][0])
