"""Make the README's moving picture: `python tools/make_animation.py` writes `docs/tinygpt-tui.svg`.

The app runs with a real engine process and the shipped models. Its screenshots are the frames; a line of the screen
that stays the same is stored once, with the times at which it is visible.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from tinygpt_tui.paths import HOME_VARIABLE
from tinygpt_tui.ui.app import TinyGPTApp

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "tinygpt-tui.svg"
SIZE = (100, 28)
PATIENCE_S = 120.0
TOKENS = 330  # fill the pane
LARGEST_BYTES = 1_500_000
TEXT = re.compile(r'<text class="(\S+?)" x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"[^>]*>(.*?)</text>')
RECT = re.compile(r'<rect fill="(#\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"[^>]*/>')
STYLE = re.compile(r"\.(terminal-\d+-r\d+) \{ (.*?) \}")
MATRIX = re.compile(r'<g class="terminal-\d+-matrix">(.*)</g>', re.DOTALL)


class Film:
    """The frames of a visit to the app, each with the seconds for which it is shown."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self.pilot = pilot
        self.frames: list[tuple[str, float]] = []

    def shoot(self, seconds: float) -> None:
        """Take a frame."""
        self.frames.append((self.pilot.app.export_screenshot(), seconds))

    async def press(self, *keys: str, seconds: float = 0.15) -> None:
        """Press keys, with a frame after each."""
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause(0.1)
            self.shoot(seconds)

    async def until(self, condition: Callable[[str], object], each: float = 0.0) -> None:
        """Wait until a condition of the screen's text holds; with `each`, take a frame whenever the screen changes."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition(shown := self.pilot.app.export_screenshot()):
                if each and (not self.frames or self.frames[-1][0] != shown):
                    self.frames.append((shown, each))
                await self.pilot.pause(0.15)


async def visit(film: Film) -> None:
    """Write some Shakespeare, look at it through the microscope, then at the run that trained the model."""
    await film.until(lambda shown: "shakespeare" in shown and "engine" not in shown)
    film.shoot(1.5)
    await film.press(*"ROMEO:")
    await film.pilot.press("enter")
    await film.until(lambda shown: tokens_of(shown) >= TOKENS, each=0.2)
    await film.pilot.press("escape")
    await film.pilot.pause(0.5)
    film.shoot(1.5)
    await film.press("f6", seconds=2.0)
    await film.press("f5", *["right"] * 8, seconds=0.5)
    film.shoot(2.0)
    await film.press("escape", "f6")
    await film.press("f7", seconds=0.5)
    await film.until(lambda shown: "shakespeare-small" in shown)
    film.shoot(1.5)
    await film.pilot.press("enter")
    await film.until(lambda shown: "training&#160;loss" in shown or "validation" in shown)
    await film.pilot.pause(1.0)
    film.shoot(3.0)


def tokens_of(shown: str) -> int:
    """Return how many tokens the status line of a frame counts."""
    found = re.search(r"(\d+)&#160;tok", shown)
    return int(found[1]) if found else 0


def lines_of(shown: str, styles: dict[str, str]) -> dict[float, str]:
    """Return the SVG of each line of a frame by its place from above; `styles` names every style that was met."""
    own = dict(STYLE.findall(shown))
    matrix = MATRIX.search(shown)
    assert matrix is not None, "the screenshot has no text"
    lines: defaultdict[float, list[str]] = defaultdict(list)
    for colour, x, y, width, height in RECT.findall(shown):
        lines[float(y) - 1.5].append(f'<rect fill="{colour}" x="{x}" y="{y}" width="{width}" height="{height}"/>')
    for name, x, y, length, text in TEXT.findall(matrix[1]):
        if text.replace("&#160;", "").strip():
            style = styles.setdefault(own[name], f"s{len(styles)}")
            top = round((float(y) - 20) / 24.4) * 24.4
            near = min(lines, key=lambda place: abs(place - top), default=top)
            place = near if abs(near - top) < 2 else top
            lines[place].append(f'<text class="{style}" x="{x}" y="{y}" textLength="{length}">{text}</text>')
    return {place: "".join(parts) for place, parts in lines.items()}


def animate(frames: list[tuple[str, float]]) -> str:
    """Return one SVG that shows the frames one after another, and starts again."""
    styles: dict[str, str] = {}
    drawn = [lines_of(shown, styles) for shown, _ in frames]
    ends = [sum(seconds for _, seconds in frames[: number + 1]) for number in range(len(frames))]
    total = ends[-1]
    rules, body = [], []
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
            rule += f".{name}{{animation:{name} {total:.2f}s step-end infinite}}"
            if rule not in rules:
                rules.append(rule)
            body.append(f'<g class="{name}">{content}</g>')
    width, height = SIZE[0] * 12.2 + 20, SIZE[1] * 24.4 + 20
    looks = "".join(f".{name}{{{style}}}" for style, name in styles.items())
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" xmlns="http://www.w3.org/2000/svg">'
        f"<style>text{{font:20px 'Fira Code',Menlo,Consolas,monospace;white-space:pre}}{looks}{''.join(rules)}</style>"
        '<rect width="100%" height="100%" rx="8" fill="#14171d"/>'
        f'<g transform="translate(10,10)">{"".join(body)}</g></svg>\n'
    )


async def main() -> None:
    """Make the picture."""
    with tempfile.TemporaryDirectory() as home:
        os.environ[HOME_VARIABLE] = home
        async with TinyGPTApp().run_test(size=SIZE) as pilot:
            film = Film(pilot)
            await visit(film)
    picture = animate(film.frames)
    assert len(picture) < LARGEST_BYTES, f"{len(picture):,} bytes; take fewer frames"
    PICTURE.write_text(picture, encoding="utf-8")
    seconds = sum(shown_s for _, shown_s in film.frames)
    print(f"{PICTURE}: {len(film.frames)} frames, {seconds:.1f} s, {len(picture):,} bytes")


if __name__ == "__main__":
    asyncio.run(main())
