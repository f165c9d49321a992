"""The app at its Generate tab with a fake engine, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fakes import FakeEngine, make_model
from textual.pilot import Pilot
from wait import AppInUse

from tinygpt_tui import paths
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.generate.status_line import StatusLine
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shared.setting_row import SettingRow


class Bench(AppInUse):
    """The app in use, its fake engine, and what stands on its screen."""

    def __init__(self, app: TinyGPTApp, engine: FakeEngine, pilot: Pilot[None]) -> None:
        super().__init__(app, pilot)
        self.engine = engine

    @property
    def screen(self) -> GenerateScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, GenerateScreen)
        return screen

    @property
    def text(self) -> str:
        return self.screen.pane.output.text

    @property
    def status(self) -> str:
        return self.screen.query_one(StatusLine).render().plain

    @property
    def keys(self) -> set[str]:
        """The descriptions in the footer."""
        return {active.binding.description for active in self.screen.active_bindings.values() if active.binding.show}

    async def ask(self, prompt: str) -> None:
        """Type a prompt, press Enter, wait for the request."""
        count = len(self.engine.asked)
        self.screen.query_one(PromptBox).text = prompt
        await self.pilot.press("enter")
        await self.until(lambda: len(self.engine.asked) > count)

    async def write(self, prompt: str, text: str) -> None:
        """Have a whole generation happen."""
        await self.ask(prompt)
        self.engine.begin()
        self.engine.write(text)
        self.engine.end()
        await self.until(lambda: not self.screen.pane.writing.busy)


@asynccontextmanager
async def opened(
    size: tuple[int, int] = (140, 40), ready: bool = True, models: tuple[str, ...] = ("one",)
) -> AsyncIterator[Bench]:
    """Open the app on a home with some models."""
    for name in models:
        if not (paths.models_folder() / name).exists():
            make_model(name)
    engine = FakeEngine(ready)
    app = TinyGPTApp(engine)
    async with app.run_test(size=size) as pilot:
        bench = Bench(app, engine, pilot)
        if models:
            await bench.until(lambda: bench.screen.pane.output.border_title in models)
        await bench.until(lambda: bench.screen.query(SettingRow))  # they come behind the first picture
        yield bench
