"""A film of drawings for sharing: one SVG that moves, or a recording of a terminal (asciicast)."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console, RenderableType
from rich.segment import Segment, SegmentLines

from tinygpt_tui.charts.export import recording_console
from tinygpt_tui.words import printable

TEXT = re.compile(r'<text class="(\S+?)" x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"[^>]*>(.*?)</text>')
RECT = re.compile(r'<rect fill="(#\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"[^>]*/>')
STYLE = re.compile(r"\.(terminal-\d+-r\d+) \{ (.*?) \}")
MATRIX = re.compile(r'<g class="terminal-\d+-matrix">(.*)</g>', re.DOTALL)
BACKGROUND = "#14171d"
CELL_WIDTH, CELL_HEIGHT, MARGIN = 12.2, 24.4, 10  # in the units of Rich's pictures
# Escape sequences: hide the cursor and clear the screen; go to the corner; show the cursor again.
START, HOME, END = "\x1b[?25l\x1b[2J", "\x1b[H", "\x1b[0m\x1b[?25h\r\n"


class Frame(NamedTuple):
    """A drawing, and the seconds for which it is shown."""

    drawing: RenderableType
    seconds: float


def film_svg(frames: Sequence[Frame], width: int, height: int) -> str:
    """Return the frames as one SVG that plays them again and again, each in width x height cells."""
    return animate([(_drawn(frame, width, height).export_svg(), frame.seconds) for frame in frames], width, height)


def film_cast(frames: Sequence[Frame], width: int, height: int, title: str) -> str:
    """Return the frames as an asciicast of version 2: a header, then one JSON line for each frame."""
    header = {"version": 2, "width": width, "height": height, "title": printable(title, lines=False)}
    lines: list[object] = [header]
    at = 0.0
    for number, frame in enumerate(frames):
        shown = _drawn(frame, width, height).export_text(styles=True).rstrip("\n").replace("\n", "\r\n")
        lines.append([round(at, 3), "o", f"{START if not number else ''}{HOME}{shown}"])
        at += frame.seconds
    lines.append([round(at, 3), "o", END])  # without it a player would end as soon as the last frame is there
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)


def animate(frames: Sequence[tuple[str, float]], width: int, height: int) -> str:
    """Return one SVG that shows pictures of a terminal one after another, each for its seconds, and starts again.

    The pictures are SVGs that Rich exported. A line that stays the same is stored once, with the times at which it is
    visible.
    """
    styles: dict[str, str] = {}
    drawn = [_lines_of(shown, styles) for shown, _ in frames]
    ends = [sum(seconds for _, seconds in frames[: number + 1]) for number in range(len(frames))]
    total = ends[-1]
    rules: dict[str, None] = {}
    body = []
    for place in sorted({place for lines in drawn for place in lines}):
        number = 0
        while number < len(frames):
            first, content = number, drawn[number].get(place, "")
            while number < len(frames) and drawn[number].get(place, "") == content:
                number += 1
            if not content:
                continue
            if first == 0 and number == len(frames):
                body.append(f"<g>{content}</g>")
                continue
            name = f"f{first}-{number}"
            start, end = 100 * (ends[first - 1] if first else 0.0) / total, 100 * ends[number - 1] / total
            before = "0%{visibility:hidden}" if first else ""
            after = f"{end:.3f}%{{visibility:hidden}}" if number < len(frames) else ""
            rule = f"@keyframes {name}{{{before}{start:.3f}%{{visibility:visible}}{after}}}"
            rules[f"{rule}.{name}{{animation:{name} {total:.2f}s step-end infinite}}"] = None
            body.append(f'<g class="{name}">{content}</g>')
    wide, high = width * CELL_WIDTH + 2 * MARGIN, height * CELL_HEIGHT + 2 * MARGIN
    looks = "".join(f".{name}{{{style}}}" for style, name in styles.items())
    return (
        f'<svg viewBox="0 0 {wide:.0f} {high:.0f}" xmlns="http://www.w3.org/2000/svg">'
        f"<style>text{{font:20px 'Fira Code',Menlo,Consolas,monospace;white-space:pre}}{looks}{''.join(rules)}</style>"
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>'
        f'<g transform="translate({MARGIN},{MARGIN})">{"".join(body)}</g></svg>\n'
    )


def _drawn(frame: Frame, width: int, height: int) -> Console:
    """Draw a frame, cut or filled to width x height cells, in a console that recorded it."""
    console = recording_console(width, height)
    lines = console.render_lines(frame.drawing, console.options.update(height=None))
    console.print(SegmentLines(Segment.set_shape(lines, width, height), new_lines=True), end="")
    return console


def _lines_of(shown: str, styles: dict[str, str]) -> dict[float, str]:
    """Return the SVG of each line of a picture by its place from above; `styles` names every style that was met."""
    own = dict(STYLE.findall(shown))
    matrix = MATRIX.search(shown)
    assert matrix is not None, "the picture has no text"
    lines: defaultdict[float, list[str]] = defaultdict(list)
    for colour, x, y, width, height in RECT.findall(shown):
        lines[float(y) - 1.5].append(f'<rect fill="{colour}" x="{x}" y="{y}" width="{width}" height="{height}"/>')
    for name, x, y, length, text in TEXT.findall(matrix[1]):
        if text.replace("&#160;", "").strip():
            style = styles.setdefault(own[name], f"s{len(styles)}")
            top = round((float(y) - 20) / CELL_HEIGHT) * CELL_HEIGHT
            near = min(lines, key=lambda place: abs(place - top), default=top)
            place = near if abs(near - top) < 2 else top
            lines[place].append(f'<text class="{style}" x="{x}" y="{y}" textLength="{length}">{text}</text>')
    return {place: "".join(parts) for place, parts in lines.items()}
