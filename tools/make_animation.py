"""Make the README's moving picture: `python tools/make_animation.py` writes `docs/tinygpt-tui.svg`.

The app runs with a real engine process and the shipped models. Its screenshots are the frames.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from tinygpt_tui.charts.film import animate
from tinygpt_tui.paths import HOME_VARIABLE
from tinygpt_tui.ui.app import TinyGPTApp

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "tinygpt-tui.svg"
SIZE = (100, 28)
PATIENCE_S = 120.0
TOKENS = 330  # fill the pane
LARGEST_BYTES = 1_500_000


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


async def main() -> None:
    """Make the picture."""
    with tempfile.TemporaryDirectory() as home:
        os.environ[HOME_VARIABLE] = home
        async with TinyGPTApp().run_test(size=SIZE) as pilot:
            film = Film(pilot)
            await visit(film)
    picture = animate(film.frames, *SIZE)
    assert len(picture) < LARGEST_BYTES, f"{len(picture):,} bytes; take fewer frames"
    PICTURE.write_text(picture, encoding="utf-8")
    seconds = sum(shown_s for _, shown_s in film.frames)
    print(f"{PICTURE}: {len(film.frames)} frames, {seconds:.1f} s, {len(picture):,} bytes")


if __name__ == "__main__":
    asyncio.run(main())
