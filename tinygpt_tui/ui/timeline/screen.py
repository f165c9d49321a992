"""The time machine: a cursor on a run's loss curve, and what the model of that step writes to your prompt."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.timer import Timer
from textual.widgets import Static, TextArea
from textual.worker import Worker

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import EngineFailed
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.timeline import Moment, list_moments
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.jobs.news import EngineNews
from tinygpt_tui.ui.jobs.training_session import RunUpdate, TrainingSession
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shared.run_head import SIGNS
from tinygpt_tui.ui.shell.tab_screen import TabScreen
from tinygpt_tui.ui.timeline.bindings import BINDINGS
from tinygpt_tui.ui.timeline.moment_chart import MomentChart
from tinygpt_tui.ui.timeline.moment_text import MomentText
from tinygpt_tui.ui.timeline.player import Player, seconds_each
from tinygpt_tui.ui.timeline.time_machine import TimeMachine, slider, state_at

LIVE_S, IDLE_S = 0.5, 3.0  # how often the run is read
TYPING_S = 0.12  # a pause in typing after which the text follows
NO_MOMENTS = (
    "This run has no checkpoints in its history, so there is nothing to show. A new run saves about forty of them, "
    "unless `timeline mb` is 0."
)
NO_MOMENT_YET = "The first checkpoint is saved once the untrained model is evaluated."
OF_ALL = "They apply to every step. An empty seed draws one now; it is the same at every step."


class TimeMachineScreen(TabScreen):
    """Moves, sends requests to the engine, and shows the text of the newest one."""

    CSS_PATH = "screen.tcss"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-high"), (32, "-tall")]
    AUTO_FOCUS = "#moment-chart"
    HELP = MomentChart.HELP
    BINDINGS: ClassVar[list[BindingType]] = BINDINGS

    def __init__(self, session: TrainingSession, tab: str, *, prompt: str = "", play: bool = False) -> None:
        """The screen follows `session` itself; `tab` is the one it was opened in. With `play` it plays at once."""
        self.TAB = tab
        super().__init__()
        self._session = session
        self.machine = TimeMachine()
        self.machine.prompt = prompt
        self._player = Player(self.machine, self._step_changed)
        self._playing: Worker[None] | None = None
        self._play_when_read = play
        self._typing: Timer | None = None

    @classmethod
    def of_model(cls, path: Path, tab: str, *, prompt: str = "", play: bool = False) -> TimeMachineScreen:
        """Return the time machine of the run that trained the model at `path`. Raises NotFoundError, RunError."""
        return cls(TrainingSession.open(path), tab, prompt=prompt, play=play)

    @property
    def history(self) -> RunHistory:
        return self._session.history

    def compose_body(self) -> ComposeResult:
        yield Static("", id="moment-head", markup=False)
        yield MomentChart(id="moment-chart")
        yield Static("", id="moment-slider", markup=False)
        yield MomentText(id="moment-text")
        yield PromptBox(self.workbench.prompts, id="moment-prompt")

    def on_mount(self) -> None:
        self.workbench.news.listen(self)
        self.query_one(PromptBox).text = self.machine.prompt
        self._show_state()
        self._follow()

    def on_unmount(self) -> None:
        self.workbench.news.leave(self)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_state)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "copy" | "again" | "save":
                return self.machine.step is not None
            case "play":
                return len(self.machine.moments) > 1 and not self.is_playing
            case "pause":
                return self.is_playing
        return True

    # The run

    @work(exit_on_error=False)
    async def _follow(self) -> None:
        # One for the screen's life, never cancelled between reading the journal and using what was read.
        while self.is_attached:
            if self in self.app.screen_stack:
                self._apply_update(*await asyncio.to_thread(self._read))
            await asyncio.sleep(LIVE_S if self._session.phase.live else IDLE_S)

    def _read(self) -> tuple[RunUpdate, list[Moment]]:
        return self._session.read_update(), list_moments(self._session.run)

    def _apply_update(self, update: RunUpdate, moments: list[Moment]) -> None:
        if not self.query(MomentText):
            return  # while the app closes, a screen is still there when its widgets are gone
        news = self._session.apply_update(update)
        first = not self.machine.moments
        grown = len(moments) != len(self.machine.moments)
        if self.machine.update_moments(moments):
            self._request_text()
        if moments and self._play_when_read:
            self._play_when_read = False
            self.action_play()
        if news or grown or first:
            self._show_state()
        if first or grown:
            self.refresh_bindings()

    # Moving

    @on(MomentChart.Moved)
    def _moved(self, message: MomentChart.Moved) -> None:
        self.action_go(message.by)

    @on(MomentChart.Pointed)
    def _pointed(self, message: MomentChart.Pointed) -> None:
        self.select_step(message.step)

    def select_step(self, step: float) -> None:
        """Move to the moment nearest to `step`."""
        self.action_pause()
        if self.machine.select_step(step):
            self._step_changed()

    def action_go(self, by: int) -> None:
        self.action_pause()
        if self.machine.move(by):
            self._step_changed()

    def _step_changed(self) -> None:
        self._show_state()
        self._request_text()

    # Playing

    @property
    def is_playing(self) -> bool:
        """Whether the moments follow one another by themselves."""
        return self._playing is not None and not self._playing.is_finished

    def action_play(self) -> None:
        """Play from here; from the last moment, all."""
        self._playing = self._play()
        self._show_state()

    @work(exclusive=True, group="play", exit_on_error=False)
    async def _play(self) -> None:
        await self._player.run()

    def action_pause(self) -> None:
        if self._playing is not None:
            self._playing.cancel()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        if event.worker is self._playing and self.query(MomentText):
            self._show_state()
            self.refresh_bindings()

    def action_project(self) -> None:
        from tinygpt_tui.ui.timeline.projector import MomentProjector

        self.app.push_screen(MomentProjector(self))

    def action_prompt(self) -> None:
        self.query_one(PromptBox).focus()

    def action_back(self) -> None:
        chart = self.query_one(MomentChart)
        if chart.has_focus:
            self.app.pop_screen()
        else:
            chart.focus()

    def action_page(self, pages: int) -> None:
        text = self.query_one(MomentText)
        text.scroll_relative(y=pages * max(1, text.size.height - 1), animate=False)

    # The text

    @on(TextArea.Changed, "#moment-prompt")
    def _typed(self, message: TextArea.Changed) -> None:
        message.stop()
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPING_S, self._use_prompt)

    @on(PromptBox.Submitted)
    def _submitted(self, message: PromptBox.Submitted) -> None:
        message.stop()
        self.workbench.remember_prompt(message.prompt)
        self._use_prompt()
        self.query_one(MomentChart).focus()

    def _use_prompt(self) -> None:
        prompt = self.query_one(PromptBox).text
        if prompt != self.machine.prompt:
            self.machine.prompt = prompt
            self._request_text()

    def action_again(self) -> None:
        seed = (self.machine.sampling.seed or 0) + 1
        self._use_sampling(msgspec.structs.replace(self.machine.sampling, seed=seed))

    def action_sampling(self) -> None:
        from tinygpt_tui.ui.shared.edit_sampling import EditSampling

        self.app.push_screen(EditSampling(self.machine.sampling, OF_ALL), self._use_sampling)

    def _use_sampling(self, sampling: SamplingSettings | None) -> None:
        if sampling is None:
            return
        if sampling.seed is None:
            sampling = msgspec.structs.replace(sampling, seed=(self.machine.sampling.seed or 0) + 1)
        self.machine.sampling = sampling
        self._show_state()
        self._request_text()

    def _request_text(self) -> None:
        """Show the text for the selected step and prompt: at once if it is cached, else as it arrives."""
        request, written = self.machine.request, self.machine.written()
        if request is None:
            return
        text = self.query_one(MomentText)
        if written is not None:
            text.show_written(request, written)
            self._player.complete.set()
        else:
            self._player.complete.clear()
            text.write(request, self.workbench.engine, str(self._session.run.model))

    @on(MomentText.Ended)
    def _text_ended(self, message: MomentText.Ended) -> None:
        message.stop()
        if message.failed:
            self.action_pause()
            return
        self.machine.cache_text(message.request, message.text)
        if message.request == self.machine.request:
            self._player.complete.set()

    def on_engine_news(self, message: EngineNews) -> None:
        for event in message.events:
            if isinstance(event, EngineFailed) and not event.model and self.is_current:
                self.show_error(TinyGPTError(event.message, event.hint))

    @work(exclusive=True, group="film", exit_on_error=False)
    async def action_save(self) -> None:
        """Save all moments as a film; the texts that are missing are written first."""
        from tinygpt_tui.ui.timeline.recording import film_dialog, film_of, pages, write_missing

        self.action_pause()
        model = self._session.run.model
        self.notify("writing the texts of all steps for the film…", timeout=3)
        failed = await write_missing(self.machine, self.workbench.engine, str(model))
        if failed is not None:
            self.show_error(TinyGPTError(failed.message, failed.hint))
            return
        frames = film_of(self.machine, self.history, model.name)
        dialog = film_dialog(
            model.name, await asyncio.to_thread(pages, frames, model.name), self.query_one(MomentText).text
        )
        await self.app.push_screen(dialog)

    def action_copy(self) -> None:
        self.copy_or_all(self.query_one(MomentText).text)

    # Showing

    def _show_state(self) -> None:
        machine, session = self.machine, self._session
        step, text = machine.step, self.query_one(MomentText)
        head, width = self.query_one("#moment-head", Static), self.size.width - 2
        if step is None:
            words = (
                "reading its journal…" if not session.was_read else NO_MOMENT_YET if session.phase.live else NO_MOMENTS
            )
            head.update(session.name)
            text.set_hint(words)
        else:
            live = f"{SIGNS[session.phase]} " if session.phase.live else ""
            total = f" of {session.history.steps:,}" if session.history.steps else ""
            head.update(f"{live}step {step:,}{total} · {state_at(session.history, step)}")
        sampling = machine.sampling
        count = len(machine.moments)
        pace = f"▶ {seconds_each(count):.2g} s each · " if self.is_playing else ""
        said = (
            f"  {pace}{machine.at + 1} of {count} · seed {sampling.seed} · temperature {sampling.temperature:g}"
            if count
            else ""
        )
        self.query_one("#moment-slider", Static).update(slider(machine, width - len(said)) + said)
        text.border_title = session.name if step is None else f"{session.name} at step {step:,} writes"
        self.query_one(MomentChart).show_step(session.history, step, "waiting for the first step")
