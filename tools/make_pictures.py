"""Make the README's pictures from the running app: `python tools/make_pictures.py` writes `docs/*.svg`.

The app runs as it is, with a real engine process and the shipped models; only the terminal is not there.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from tinygpt_tui.paths import HOME_VARIABLE, shipped_models
from tinygpt_tui.runs.index import list_runs
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.inspect.screen import InspectScreen
from tinygpt_tui.ui.race.screen import RaceScreen
from tinygpt_tui.ui.senses.screen import SensesScreen
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.train.screen import TrainScreen

DOCS = Path(__file__).resolve().parents[1] / "docs"
SIZE = (120, 34)
PATIENCE_S = 120.0


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Let the app run until `condition` holds. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await pilot.pause(0.05)


async def generate(pilot: Pilot[None]) -> None:
    """Write some Shakespeare, and stop in the middle of it."""
    screen = pilot.app.screen
    assert isinstance(screen, GenerateScreen)
    await until(pilot, lambda: "shakespeare" in str(screen.pane.output.border_title))
    await pilot.press(*"ROMEO:", "enter")
    await until(pilot, lambda: screen.pane.writing.tokens >= 420)
    (DOCS / "generate.svg").write_text(pilot.app.export_screenshot(title="tinygpt-tui"), encoding="utf-8")
    await pilot.press("escape")
    await until(pilot, lambda: not screen.pane.writing.busy)


async def microscope(pilot: Pilot[None]) -> None:
    """Colour that text by surprise, and look at a character of it."""
    screen = pilot.app.screen
    assert isinstance(screen, GenerateScreen)
    await pilot.press("f6", "f5", *["right"] * 12)
    looking, output = screen.pane.glass.index, screen.pane.output
    await until(pilot, lambda: output.cursor is not None and looking.info(output.cursor).state == "known")
    await until(pilot, lambda: looking.question is None)
    await pilot.pause(1.0)
    (DOCS / "microscope.svg").write_text(pilot.app.export_screenshot(title="tinygpt-tui"), encoding="utf-8")
    await pilot.press("escape", "f6")


async def race(pilot: Pilot[None]) -> None:
    """Let the model run against its untrained copy."""
    await pilot.press("f4")
    await until(pilot, lambda: isinstance(pilot.app.screen, RaceScreen))
    screen = pilot.app.screen
    assert isinstance(screen, RaceScreen)
    await until(pilot, lambda: all(lane.contender.model for lane in screen.race.lanes))
    await pilot.press("ctrl+u", *"To be", "enter", "alt+up", "alt+up")  # at full speed
    await until(pilot, lambda: all(len(pane.output.text) > 400 for pane in screen.panes))
    (DOCS / "race.svg").write_text(pilot.app.export_screenshot(title="tinygpt-tui"), encoding="utf-8")
    await pilot.press("escape")


async def train(pilot: Pilot[None]) -> None:
    """Open the shipped model's run."""
    await pilot.press("f3")
    await until(pilot, lambda: isinstance(pilot.app.screen, TrainScreen))
    screen = pilot.app.screen
    assert isinstance(screen, TrainScreen)
    await pilot.press("ctrl+o")
    await until(pilot, lambda: pilot.app.screen is not screen)
    place = [run.name for run in list_runs()].index("shakespeare")
    await pilot.press(*["down"] * place, "enter")
    await until(pilot, lambda: pilot.app.screen is screen)
    await until(pilot, lambda: screen.session and screen.session.name == "shakespeare" and screen.session.history.ended)
    await pilot.pause(1.0)
    (DOCS / "train.svg").write_text(pilot.app.export_screenshot(title="tinygpt-tui"), encoding="utf-8")


async def inspect(pilot: Pilot[None]) -> None:
    """Walk through the first block's attention over a line of Shakespeare."""
    await pilot.press("f2")
    await until(pilot, lambda: isinstance(pilot.app.screen, GenerateScreen))
    pilot.app.screen.query_one(PromptBox).text = "ROMEO: what light"
    await pilot.press("f10")
    await until(pilot, lambda: isinstance(pilot.app.screen, InspectScreen))
    screen = pilot.app.screen
    assert isinstance(screen, InspectScreen)
    await until(pilot, lambda: screen.walked.steps)
    await pilot.press(*["down"] * 3, "right", "down", "down", "right", *["down"] * 8)
    await pilot.pause(1.0)
    (DOCS / "inspect.svg").write_text(pilot.app.export_screenshot(title="tinygpt-tui"), encoding="utf-8")


async def senses(pilot: Pilot[None]) -> None:
    """Turn a sense of every character off, and see the text change."""
    await pilot.press("f2")
    await until(pilot, lambda: isinstance(pilot.app.screen, GenerateScreen))
    generate = pilot.app.screen
    assert isinstance(generate, GenerateScreen)
    generate.choose(str(shipped_models() / "shakespeare-senses"))
    await until(pilot, lambda: generate.check_action("senses", ()))
    generate.query_one(PromptBox).text = "ROMEO:"
    await pilot.press("ctrl+d")
    await until(pilot, lambda: isinstance(pilot.app.screen, SensesScreen))
    screen = pilot.app.screen
    assert isinstance(screen, SensesScreen)
    await until(pilot, lambda: screen.written("plain"))
    await pilot.press("down", "a", "0")
    await until(pilot, lambda: screen.written("turned"))
    (DOCS / "senses.svg").write_text(pilot.app.export_screenshot(title="tinygpt-tui"), encoding="utf-8")
    await pilot.press("escape")


async def main() -> None:
    """Make all pictures."""
    assert (shipped_models() / "shakespeare").is_dir(), "the pictures show the shipped model"
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ[HOME_VARIABLE] = home
        async with TinyGPTApp().run_test(size=SIZE) as pilot:
            await generate(pilot)
            await microscope(pilot)
            await race(pilot)
            await train(pilot)
            await inspect(pilot)
            await senses(pilot)


if __name__ == "__main__":
    asyncio.run(main())
