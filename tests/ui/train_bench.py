"""The Train tab in use, and runs with a journal that a test writes itself."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from fakes import FakeEngine
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Button, Collapsible, Input, Static
from wait import AppInUse, wait_until

from tinygpt_tui.events.training import Evaluation, RunEnded, RunStarted, Sample, Step, TrainingEvent
from tinygpt_tui.runs.control import process_started_at
from tinygpt_tui.runs.folder import CorpusReference, RunFolder, RunSettings, RunState, RunStatus
from tinygpt_tui.runs.index import create_run
from tinygpt_tui.runs.journal import Journal
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.jobs.training_session import Phase
from tinygpt_tui.ui.shared.setting_row import SettingRow
from tinygpt_tui.ui.train.form import TrainForm
from tinygpt_tui.ui.train.screen import TrainScreen

STEPS = 100


class TrainBench(AppInUse):
    """The app with its Train tab open."""

    def __init__(self, app: TinyGPTApp, pilot: Pilot[None], talked: list[str]) -> None:
        """`talked` are the models that the tab asked the app to talk to."""
        super().__init__(app, pilot)
        self.talked = talked

    @property
    def screen(self) -> TrainScreen:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, TrainScreen)
        return screen

    @property
    def form(self) -> TrainForm:
        return self.screen.form

    @property
    def phase(self) -> Phase | None:
        return self.screen.session.phase if self.screen.session else None

    @property
    def start_enabled(self) -> bool:
        return not self.form.query_one("#start", Button).disabled

    @property
    def keys(self) -> set[str]:
        """The descriptions of the keys that work now."""
        return {active.binding.description for active in self.screen.active_bindings.values()}

    def text(self, selector: str) -> str:
        """What a static part of the screen says."""
        content = self.screen.query_one(selector, Static).render()
        return getattr(content, "plain", str(content))

    def problem(self, name: str) -> str:
        """What the form says is wrong with a setting."""
        return self.row(name).problem

    def row(self, name: str) -> SettingRow:
        """The form's row of a setting."""
        return next(row for row in self.screen.query(SettingRow) if row.setting.name == name)

    async def read(self) -> None:
        """Wait until the chosen text is read."""
        await self.until(lambda: self.form.state.facts is not None)

    async def set(self, name: str, text: str) -> None:
        """Type a setting, after opening the drawer it is in."""
        if not self.screen.query(f"#setting-{name}"):
            self.screen.query_one(Collapsible).collapsed = False
            await self.until(lambda: self.screen.query(f"#setting-{name}"))
        self.row(name).box.value = text
        await self.pilot.pause()

    async def choose(self, path: Path | str) -> None:
        """Choose a text file through the dialog."""
        await self.pilot.press("alt+o")
        await self.until(lambda: self.app.screen.is_modal)
        self.app.screen.query_one("#path", Input).value = str(path)
        self.app.screen.query_one("#path").focus()
        await self.pilot.press("enter")
        await self.until(lambda: not self.app.screen.is_modal)


@asynccontextmanager
async def train_tab(size: tuple[int, int] = (140, 40)) -> AsyncIterator[TrainBench]:
    """The app, at its Train tab."""
    app = TinyGPTApp(FakeEngine())
    talked: list[str] = []

    def hear(message: Message) -> None:
        if isinstance(message, TrainScreen.TalkTo):
            talked.append(message.model_path)

    async with app.run_test(size=size, message_hook=hear) as pilot:
        await pilot.press("f3")
        await wait_until(pilot, lambda: isinstance(app.screen, TrainScreen) and app.screen.is_mounted)
        yield TrainBench(app, pilot, talked)


class ScriptedRun:
    """A run whose trainer is the test itself: its process is alive, and it writes what it likes."""

    def __init__(self, name: str = "scripted", entropy: float | None = 0.5) -> None:
        training = TrainingSettings(architecture=GPTSettings(vocab_size=65), steps=STEPS, evaluate_every=10)
        corpus = CorpusReference(name="a text", path="/nowhere.txt", characters=1000, entropy=entropy)
        settings = RunSettings(name=name, created=time.time(), preset="quick", corpus=corpus, training=training)
        self.folder: RunFolder = create_run(settings)
        self._birth = process_started_at()

    def write(self, events: Iterable[TrainingEvent]) -> None:
        """Append to the journal."""
        journal = Journal(self.folder.events)
        journal.append(events)
        journal.close()

    def say(self, state: RunState, step: int = 0, pid: int = 0, message: str = "") -> None:
        """Write the status; `pid` 0 is the test's own process."""
        self.folder.write_status(
            RunStatus(
                state=state,
                step=step,
                steps=STEPS,
                pid=pid or os.getpid(),
                pid_created=self._birth,
                time=time.time(),
                message=message,
            )
        )

    def live(self, until: int = 40) -> None:
        """Be in training, after so many steps."""
        self.say("running", until)
        self.write(beginning())
        self.write(steps(1, until))

    def end(self, reason: str, step: int, message: str = "", hint: str = "") -> None:
        """End the run."""
        state: RunState = reason  # type: ignore[assignment]
        self.write([RunEnded(time.time(), step, reason, step, loss_at(step), step * 0.1, message, hint)])  # type: ignore[arg-type]
        self.say(state, step, message=message)


def beginning(step: int = 0) -> list[TrainingEvent]:
    """What a trainer says before its first step."""
    started: list[TrainingEvent] = [RunStarted(time.time(), step, STEPS, 54_977, 900, 100, "cpu", 1)]
    return started if step else [*started, Evaluation(0, 4.2, 4.2, 0, 4.2, 0.1), Sample(0, "qzx wv!")]


def loss_at(step: int) -> float:
    """A loss that falls."""
    return 1.5 + 2.7 / (1 + step / 10)


def steps(first: int, last: int) -> list[TrainingEvent]:
    """The steps from `first` to `last`, evaluated at every tenth."""
    events: list[TrainingEvent] = []
    for step in range(first, last + 1):
        events.append(Step(step, loss_at(step), 1e-3, 0.5, 12_345.0, step * 0.1))
        if step % 10 == 0:
            events.append(Evaluation(step, loss_at(step), loss_at(step), step, loss_at(step), 0.1))
            events.append(Sample(step, f"words of step {step}"))
    return events
