"""Ten questions that a beginner has, each answered within five keys from the Generate tab."""

from __future__ import annotations

import pytest
from fakes import FakeEngine
from textual.pilot import Pilot
from wait import wait_until

from tinygpt_tui.events.generation import TextChecked
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.inspect.screen import InspectScreen
from tinygpt_tui.ui.shell.help import HelpScreen
from tinygpt_tui.ui.timeline.screen import TimeMachineScreen

MOST_KEYS = 5


class Asker:
    """A beginner with questions: the app with the shipped models, and ways to press keys and read the screen."""

    def __init__(self, pilot: Pilot[None], engine: FakeEngine) -> None:
        self.pilot, self.engine = pilot, engine

    @property
    def screen(self) -> GenerateScreen:
        screen = self.pilot.app.screen_stack[0]
        assert isinstance(screen, GenerateScreen)
        return screen

    async def press(self, *keys: str) -> None:
        assert len(keys) <= MOST_KEYS
        await self.pilot.press(*keys)

    async def sees(self, *words: str) -> None:
        try:
            await wait_until(self.pilot, lambda: all(word in self.shown for word in words))
        except AssertionError:
            pytest.fail(f"{words} are not in\n{self.shown}")

    @property
    def shown(self) -> str:
        return "\n".join(strip.text for strip in self.pilot.app.screen._compositor.render_strips())

    async def writes(self, text: str) -> None:
        await wait_until(self.pilot, lambda: self.screen.pane.writing.job)
        self.engine.begin()
        self.engine.write(text)
        self.engine.end()
        await wait_until(self.pilot, lambda: not self.screen.pane.writing.busy)

    async def goes_back(self) -> None:
        await self.pilot.press("f2")
        await wait_until(self.pilot, lambda: isinstance(self.pilot.app.screen, GenerateScreen))


async def test_each_question_is_answered_within_five_keys() -> None:
    engine = FakeEngine()
    app = TinyGPTApp(engine)
    async with app.run_test(size=(100, 40)) as pilot:
        asker = Asker(pilot, engine)
        screen = asker.screen
        await wait_until(pilot, lambda: screen.pane.prompt.text == "ROMEO:")

        # What else could stand here, and which letters surprised it?
        await asker.press("f5")
        await asker.writes("\nBut soft, what light")
        await wait_until(pilot, lambda: screen.pane.glass.is_open)
        await wait_until(pilot, lambda: engine.asked_why)
        engine.explain_next()
        await asker.sees("microscope", "rank 2", "entropy")
        await asker.press("f6")
        await asker.sees("surprise in bits")

        # What is the window, and what has fallen out of it?
        await asker.press("escape", "shift+tab", "f1")
        await wait_until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await asker.sees("window")
        await pilot.press("escape")

        # What would it write untrained?
        await asker.press("alt+u", "ctrl+r")
        await asker.writes("x9;Q")
        assert engine.asked[-1].untrained
        await pilot.press("alt+u")

        # Why does it repeat itself?
        await asker.press("ctrl+f")
        await wait_until(pilot, lambda: engine.checked)
        engine.say(TextChecked(engine.checked[-1].job, 1.0, loop_start=4, loop_period=153))
        await asker.sees("Repeats every 153 characters")
        await asker.press("ctrl+f")

        # How did it become what it is?
        await asker.press("alt+h")
        await wait_until(pilot, lambda: isinstance(app.screen, TimeMachineScreen))
        await pilot.press("escape", "escape")
        await wait_until(pilot, lambda: app.screen is screen)

        # Is it overfitting, and how good is its loss?
        await asker.press("f7", "enter")
        await asker.sees("Better than a 5-gram", "validation")
        await asker.goes_back()

        # What does it look at, also for a letter that it wrote, and where are its parameters?
        await asker.press("alt+5", "2")
        await wait_until(pilot, lambda: isinstance(app.screen, InspectScreen) and engine.traced)
        await asker.sees("▌2 Attention")
        await asker.press("alt+5", "4")
        await asker.sees("▌4 Parameters", "transformer")
