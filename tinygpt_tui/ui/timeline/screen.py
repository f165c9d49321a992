"""The time machine: a cursor on a run's loss curve, and what the model of that step writes to your prompt."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import msgspec
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import Static, TextArea

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import EngineFailed, EngineReady, GenerationEnded, GenerationEvent, GenerationStarted
from tinygpt_tui.events.requests import Generate
from tinygpt_tui.runs.timeline import Moment, list_moments
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.jobs.news import EngineNews
from tinygpt_tui.ui.jobs.training_session import Look, TrainingSession
from tinygpt_tui.ui.shared.generation_view import Asked, Phase, Writing
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shared.run_head import SIGNS
from tinygpt_tui.ui.shell.tab_screen import TabScreen
from tinygpt_tui.ui.timeline.moment_chart import MomentChart
from tinygpt_tui.ui.timeline.moment_text import MomentText
from tinygpt_tui.ui.timeline.moments import BIG_STEP, TimeMachine, Wish, slider, standing

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Job

LIVE_S, IDLE_S = 0.5, 3.0  # how often the run is looked at
TYPING_S = 0.12  # a pause in typing after which the text follows
STALE_AFTER_S = 0.4  # from then on the text of another step is dim
NONE_KEPT = (
    "This run kept no checkpoints along the way, so there is nothing to travel through. Trainings begun by now keep "
    "some forty of them, unless `timeline mb` is 0."
)
NONE_YET = "The first checkpoint comes as soon as the untrained model was measured."
OF_ALL = "They count for every step alike. An empty seed draws one now; it stays the same from step to step."


class TimeMachineScreen(TabScreen):
    """Moves, asks the engine, and shows what comes; the newest wish alone counts."""

    CSS_PATH = "screen.tcss"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-high"), (32, "-tall")]  # noqa: RUF012 (declared so by Textual)
    AUTO_FOCUS = "#moment-chart"
    HELP = MomentChart.HELP
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("alt+left", "go(-1)", "Earlier", id="machine.left", show=False, tooltip="The checkpoint before"),
        Binding("alt+right", "go(1)", "Later", id="machine.right", show=False, tooltip="The checkpoint after"),
        Binding(
            "alt+shift+left", f"go(-{BIG_STEP})", "Far back", id="machine.far_left", show=False, tooltip="Five back"
        ),
        Binding("alt+shift+right", f"go({BIG_STEP})", "Far on", id="machine.far_right", show=False, tooltip="Five on"),
        Binding("slash,p", "prompt", "Prompt", id="machine.prompt", tooltip="Write another beginning"),
        Binding("ctrl+t", "sampling", "Sampling", id="machine.sampling", tooltip="Temperature, length, seed and more"),
        Binding(
            "ctrl+r", "again", "New seed", id="machine.again", tooltip="Other random numbers, the same at each step"
        ),
        Binding("f8", "copy", "Copy", id="machine.copy", tooltip="Copy the selected text, or all of it"),
        Binding("pageup", "page(-1)", "Page up", id="machine.page_up", show=False, tooltip="Scroll the text up"),
        Binding("pagedown", "page(1)", "Page down", id="machine.page_down", show=False, tooltip="Scroll the text down"),
        Binding("escape", "back", "Back", id="machine.back", tooltip="Back to the curve; from there, leave"),
    ]

    def __init__(self, session: TrainingSession, tab: str) -> None:
        """`session` is the caller's no longer: it is followed here; `tab` is the one it was opened in."""
        self.TAB = tab
        super().__init__()
        self._session = session
        self.machine = TimeMachine()
        self._writing = Writing()
        self._wish: Wish | None = None  # what is written now
        self._text = ""
        self._typing: Timer | None = None

    def compose_body(self) -> ComposeResult:
        """Yield where we are, the curve, the text, the prompt."""
        yield Static("", id="moment-head", markup=False)
        yield MomentChart(id="moment-chart")
        yield Static("", id="moment-slider", markup=False)
        yield MomentText(id="moment-text")
        yield PromptBox(self.workbench.prompts, id="moment-prompt")

    def on_mount(self) -> None:
        """Listen to the engine, look at the run."""
        self.workbench.news.listen(self)
        self._show()
        self._follow()

    def on_unmount(self) -> None:
        """Listen no longer."""
        self.workbench.news.leave(self)

    def on_resize(self) -> None:
        """Fit the lines."""
        self.call_after_refresh(self._show)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show only the keys that do something now."""
        if action in ("copy", "again"):
            return self.machine.step is not None
        return True

    # The run

    @work(exit_on_error=False)
    async def _follow(self) -> None:
        # One for the screen's life, never cancelled between reading the journal and taking what was read.
        while self.is_attached:
            if self.is_current:
                try:
                    found = await asyncio.to_thread(self._look)
                except TinyGPTError as error:
                    self.show_error(error)
                    return
                self._take_look(*found)
            await asyncio.sleep(LIVE_S if self._session.phase.live else IDLE_S)

    def _look(self) -> tuple[Look, list[Moment]]:
        return self._session.look(), list_moments(self._session.run)

    def _take_look(self, look: Look, moments: list[Moment]) -> None:
        if not self.query(MomentText):
            return  # while the app closes, a screen is still there when its widgets are gone
        news = self._session.take(look)
        first = not self.machine.moments
        grown = len(moments) != len(self.machine.moments)
        if self.machine.know(moments):
            self._ask()
        if news or grown or first:
            self._show()
        if first or grown:
            self.refresh_bindings()

    # Moving

    @on(MomentChart.Moved)
    def _moved(self, message: MomentChart.Moved) -> None:
        self.action_go(message.by)

    @on(MomentChart.Pointed)
    def _pointed(self, message: MomentChart.Pointed) -> None:
        if self.machine.look_at(message.step):
            self._arrived()

    def action_go(self, by: int) -> None:
        """Go so many moments on."""
        if self.machine.move(by):
            self._arrived()

    def _arrived(self) -> None:
        self._show()
        self._ask()

    def action_prompt(self) -> None:
        """Go to the prompt."""
        self.query_one(PromptBox).focus()

    def action_back(self) -> None:
        """Go back to the curve, or leave."""
        chart = self.query_one(MomentChart)
        if chart.has_focus:
            self.app.pop_screen()
        else:
            chart.focus()

    def action_page(self, pages: int) -> None:
        """Scroll the text."""
        text = self.query_one(MomentText)
        text.scroll_relative(y=pages * max(1, text.size.height - 1), animate=False)

    # What is written

    @on(TextArea.Changed, "#moment-prompt")
    def _typed(self, message: TextArea.Changed) -> None:
        message.stop()
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPING_S, self._take_prompt)

    @on(PromptBox.Submitted)
    def _submitted(self, message: PromptBox.Submitted) -> None:
        message.stop()
        self.workbench.remember_prompt(message.prompt)
        self._take_prompt()
        self.query_one(MomentChart).focus()

    def _take_prompt(self) -> None:
        prompt = self.query_one(PromptBox).text
        if prompt != self.machine.prompt:
            self.machine.prompt = prompt
            self._ask()

    def action_again(self) -> None:
        """Draw with other random numbers."""
        seed = (self.machine.sampling.seed or 0) + 1
        self._use(msgspec.structs.replace(self.machine.sampling, seed=seed))

    def action_sampling(self) -> None:
        """Let the settings be changed."""
        from tinygpt_tui.ui.shared.edit_sampling import EditSampling

        self.app.push_screen(EditSampling(self.machine.sampling, OF_ALL), self._use)

    def _use(self, sampling: SamplingSettings | None) -> None:
        if sampling is None:
            return
        if sampling.seed is None:
            sampling = msgspec.structs.replace(sampling, seed=(self.machine.sampling.seed or 0) + 1)
        self.machine.sampling = sampling
        self._show()
        self._ask()

    def _ask(self) -> None:
        """Show what is wished for: at once where it was written before, else as it comes."""
        wish, written = self.machine.wish, self.machine.written()
        self._wish = wish
        if wish is None:
            return
        self.query_one(MomentText).set_hint("")
        self._writing.stop()
        if written is not None:
            self._writing = Writing()
            self._put(written)
            return
        engine = self.workbench.engine
        phase: Phase = "reading" if engine.is_ready else "starting"
        writing = self._writing = Writing(Asked(wish.prompt, len(wish.prompt)), phase)
        self.set_timer(STALE_AFTER_S, lambda: self._dim(writing))
        model = str(self._session.run.model)
        writing.job = engine.start(Generate(model, wish.prompt, wish.sampling, at_step=wish.step))
        self._follow_job(writing, writing.job)

    def _dim(self, writing: Writing) -> None:
        """Dim the text of the step before, where that of this one takes long."""
        if writing is self._writing and writing.busy and not writing.tokens:
            self.query_one(MomentText).add_class("-stale")

    @work(exit_on_error=False)
    async def _follow_job(self, writing: Writing, job: Job) -> None:
        async for batch in job:
            if writing is not self._writing:
                return
            self._take(batch)

    def on_engine_news(self, message: EngineNews) -> None:
        """Show that the engine is ready, or failed."""
        for event in message.events:
            if isinstance(event, EngineReady):
                self._writing.engine_is_ready()
            elif isinstance(event, EngineFailed) and not event.model and self.is_current:
                self.show_error(TinyGPTError(event.message, event.hint))

    def _take(self, events: list[GenerationEvent]) -> None:
        text = self.query_one(MomentText)
        new = ""
        for event in events:
            if isinstance(event, GenerationStarted):
                self._text = ""
            new += self._writing.take(event, len(self._text) + len(new))
            if isinstance(event, GenerationEnded) and self._wish is not None:
                self._ended(event, self._wish, self._text + new)
        if not new:
            return
        prompt = self._wish.prompt if self._wish else ""
        begins = not self._text
        self._text += new
        text.remove_class("-stale")
        if begins:  # until the first letter comes the text of the step before stays: nothing flickers
            text.reset(prompt + new, len(prompt))
        else:
            text.append(new)

    def _ended(self, event: GenerationEnded, wish: Wish, written: str) -> None:
        if event.reason == "failed":
            self._text = ""
            self.query_one(MomentText).remove_class("-stale")
            self.query_one(MomentText).reset()
            self.query_one(MomentText).set_hint(f"{event.message}. {event.hint}")
        elif event.reason != "stopped":
            self.machine.remember(wish, written)
            if not written:
                self._put("")

    def _put(self, written: str) -> None:
        self._text = written
        self.query_one(MomentText).remove_class("-stale")
        prompt = self._wish.prompt if self._wish else ""
        self.query_one(MomentText).reset(prompt + written, len(prompt))

    def action_copy(self) -> None:
        """Copy the selection, or all."""
        text = self.get_selected_text() or self.query_one(MomentText).text
        self.app.copy_to_clipboard(text.encode("utf-8", "replace").decode("utf-8"))
        self.notify(f"copied {len(text)} characters", timeout=3)

    # Where we are

    def _show(self) -> None:
        machine, session = self.machine, self._session
        step, text = machine.step, self.query_one(MomentText)
        head, width = self.query_one("#moment-head", Static), self.size.width - 2
        if step is None:
            words = "reading its journal…" if not session.looked else NONE_YET if session.phase.live else NONE_KEPT
            head.update(session.name)
            text.set_hint(words)
        else:
            live = f"{SIGNS[session.phase]} " if session.phase.live else ""
            total = f" of {session.history.steps:,}" if session.history.steps else ""
            head.update(f"{live}step {step:,}{total} · {standing(session.history, step)}")
        sampling = machine.sampling
        count = len(machine.moments)
        said = (
            f"  {machine.at + 1} of {count} · seed {sampling.seed} · temperature {sampling.temperature:g}"
            if count
            else ""
        )
        self.query_one("#moment-slider", Static).update(slider(machine, width - len(said)) + said)
        text.border_title = session.name if step is None else f"{session.name} at step {step:,} writes"
        self.query_one(MomentChart).show(session.history, step, "waiting for the first step")
