"""The graphics protocol of kitty, which Ghostty, WezTerm and Konsole have, too: sent whole, placed by a number.

Source: the documentation of kitty, "Terminal graphics protocol"
"""

from __future__ import annotations

import base64
import zlib

from tinygpt_tui.ui.pictures.pixels import Pixels

CHUNK = 4096  # characters of data in one sequence, at most


def place(pixels: Pixels, number: int, columns: int, rows: int) -> str:
    """Return what shows a picture over that many cells from the cursor on, in the place of the one with its number.

    The cursor stays, and the terminal answers nothing.
    """
    height, width = pixels.shape[:2]
    data = base64.b64encode(zlib.compress(pixels.tobytes(), 1)).decode("ascii")
    chunks = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
    first = f"a=T,i={number},p=1,f=32,o=z,s={width},v={height},c={columns},r={rows},C=1,q=2"
    parts = []
    for at, chunk in enumerate(chunks):
        more = int(at + 1 < len(chunks))
        parts.append(f"\x1b_G{f'{first},' if not at else ''}m={more};{chunk}\x1b\\")
    return "".join(parts)


def delete(number: int) -> str:
    """Return what takes a picture away and frees its data."""
    return f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\"
