"""A run on the Train tab: follows its journal, and passes the user's commands to its trainer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from textual import getters, work
from textual.app import ComposeResult
from textual.containers import Vertical

from tinygpt_tui import paths
from tinygpt_tui.charts.export import export_svg
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.files import write_text
from tinygpt_tui.runs.texts import text_of
from tinygpt_tui.ui.jobs.draw_pace import DrawPace
from tinygpt_tui.ui.jobs.training_session import ONE_BATCH, Phase, TrainingSession
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shared.confirm import ConfirmScreen
from tinygpt_tui.ui.shared.failed import Failed, pass_to_screen
from tinygpt_tui.ui.shared.loss_chart import TrainChart
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.text_place import TextPlaceScreen
from tinygpt_tui.ui.train.choose_overlays import ChooseOverlaysScreen
from tinygpt_tui.ui.train.doctor import TrainDoctor
from tinygpt_tui.ui.train.foot import TrainFoot
from tinygpt_tui.ui.train.live import TrainLive
from tinygpt_tui.ui.train.more_steps import MoreStepsScreen
from tinygpt_tui.ui.train.overlays import offers, overlays_of
from tinygpt_tui.ui.train.run_actions import ACTIONS, place_line, possible
from tinygpt_tui.ui.train.run_list import moved_to
from tinygpt_tui.ui.train.samples import TrainSamples

# How often the run folder is read: while it is live, and when nothing is expected.
BUSY_S, IDLE_S = 0.15, 2.0
# The share of a core for drawing a live run: a picture takes as long as a step, and the trainer may need that core.
SHARE, LONGEST_S = 0.025, 1.5
PICTURE_COLUMNS, PICTURE_ROWS = 120, 36


class RunPage(Vertical):
    """Shows one run at a time; the trainer is a process of its own."""

    DEFAULT_CSS = "RunPage { height: 1fr; }"
    BINDINGS = [
        bind("space", "pause", "Pause", "train.pause", "The trainer waits in memory"),
        bind("space", "end_pause", "Continue", "train.end-pause", "End the pause"),
        bind("s", "stop", "Stop", "train.stop", "Evaluate a last time, save the best weights, and end"),
        bind("space", "resume", "Resume", "train.go-on", "Start the trainer again from the last checkpoint"),
        bind("g", "talk", "Generate", "train.talk", "Open this model in Generate"),
        bind("h", "time_machine", "History", "train.history", "Time machine: its text at each step"),
        bind_hidden("w", "sample_now", "Write", "train.sample", "Have the model write a sample now"),
        bind_hidden("f9", "save_now", "Save", "train.save", "Save a checkpoint to resume from, now"),
        bind("P", "project", "Projector", "train.project", "Large, for a class: the curve and numbers"),
        bind("x", "extend", "More steps", "train.extend", "Give the run more steps, and resume it"),
        bind_hidden("e", "export", "Export", "train.export", "Save the chart as an SVG picture"),
        bind("c", "compare", "Compare", "train.compare", "Add other runs or published results"),
    ]
    panes = getters.query_one(TrainLive)

    class Updated(Message):
        """The run has changed, or another one is shown."""

    class TalkRequested(Message):
        """The user wants to generate with the run's model."""

    class HistoryRequested(Message):
        """The user wants to open the run's time machine."""

    class NewRunRequested(Message):
        """The user wants a new run with the settings of this one and some `changes`."""

        session: TrainingSession
        changes: dict[str, str]

    def __init__(self) -> None:
        super().__init__(id="live")
        self.session: TrainingSession | None = None
        self.live_names: list[str] = []  # of all runs that are in training
        self._compared: list[str] = []

    def compose(self) -> ComposeResult:
        yield TrainLive()

    @property
    def actions(self) -> set[str]:
        return possible(self.session) if self.session is not None else set()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action in self.actions if action in ACTIONS else True

    # Following

    def open_session(self, session: TrainingSession) -> None:
        self.session = session
        self.update_run()
        self.panes.focus_pane()
        self.follow_run()

    def continue_following(self) -> None:
        """Follow the run again after another tab was shown; it may have been renamed there."""
        if self.session is None:
            return
        moved = moved_to(self.session.run.model, self.session.settings.created)
        if moved is not None:
            with suppress(TinyGPTError):
                self.session = TrainingSession.open(moved)
        self.follow_run()

    def update_run(self) -> None:
        """Show the run as it is now."""
        if self.session is None or not self.display:
            return
        self.panes.show_session(self.session)
        self.panes.show_actions(self.actions | {"new"}, place_line(self.session, self.live_names))
        self.refresh_bindings()
        self.post_message(self.Updated())

    @property
    def _is_shown(self) -> bool:
        # While the app closes, a screen is still on the stack when its widgets are gone.
        return self.is_attached and self.screen in self.app.screen_stack and bool(self.query(TrainLive))

    def follow_run(self) -> None:
        """Read the run folder until another run is shown."""
        if self.session is not None:
            self._follow(self.session)

    @work(exclusive=True, group="follow", exit_on_error=False)
    async def _follow(self, session: TrainingSession) -> None:
        pace = DrawPace(share=SHARE, longest_s=LONGEST_S)
        while self._is_shown:
            pace.begin()
            update = await asyncio.to_thread(session.read_update)
            if session is not self.session or not self._is_shown:
                return
            if session.apply_update(update):
                self.update_run()
            await asyncio.sleep(BUSY_S if session.phase.live else IDLE_S)
            if session.phase is Phase.TRAINING:
                while (rest_s := pace.rest_s()) > 0:
                    await asyncio.sleep(rest_s)

    on_worker_state_changed = pass_to_screen

    # Commands to the trainer

    def _command(self, command: Callable[[], object]) -> None:
        """Do something to the run that may fail, and show the result."""
        try:
            command()
        except TinyGPTError as error:
            self.post_message(Failed(error))
        self.update_run()
        self.follow_run()

    def on_train_foot_pressed(self, message: TrainFoot.Pressed) -> None:
        """Do what the button says, if it is possible; the screen does what is not the run's."""
        if message.action in self.actions:
            message.stop()
            getattr(self, f"action_{message.action}")()

    def action_pause(self) -> None:
        if self.session is not None:
            self._command(self.session.watch.pause)

    def action_end_pause(self) -> None:
        if self.session is not None:
            self._command(self.session.watch.resume)

    def action_sample_now(self) -> None:
        if self.session is not None:
            self.query_one(TrainSamples).follow_newest()
            self._command(self.session.watch.sample)

    def action_save_now(self) -> None:
        if self.session is not None:
            self._command(self.session.watch.save)

    def action_resume(self) -> None:
        """Start the trainer again from the last checkpoint."""
        if self.session is not None:
            self._command(self.session.launch)

    def action_extend(self) -> None:
        session = self.session
        if session is None:
            return

        def extend(steps: str | None) -> None:
            if steps is not None:
                self._command(lambda: session.extend(steps))

        self.app.push_screen(MoreStepsScreen(session.name, session.history.step, session.history.steps), extend)

    def action_stop(self) -> None:
        """Stop after a confirmation; the second time at once, without the last evaluation."""
        session = self.session
        if session is None:
            return
        if session.phase is Phase.STOPPING:
            self._command(session.stop)
            return
        question = (
            f"Stop training {session.name} at step {session.history.step:,} of {session.history.steps:,}?\n"
            "It is evaluated a last time and the best weights are saved. You can resume it later."
        )

        def stop(agreed: bool | None) -> None:
            if agreed:
                self._command(session.stop)

        self.app.push_screen(ConfirmScreen("stop and save", question, "Stop"), stop)

    # The doctor

    def on_train_doctor_remedy_requested(self, message: TrainDoctor.RemedyRequested) -> None:
        """Do what helps against a finding."""
        message.stop()
        session, finding = self.session, message.finding
        if session is None:
            return
        if finding.check == ONE_BATCH:
            session.try_one_batch()
            self.update_run()
        elif finding.remedy:
            self.post_message(self.NewRunRequested(session, finding.remedy))
        elif finding.place is not None:
            self._show_place(session, finding.place)

    @work(exclusive=True, group="place", exit_on_error=False)
    async def _show_place(self, session: TrainingSession, place: int) -> None:
        corpus = session.settings.corpus
        excerpt = await asyncio.to_thread(lambda: text_of(corpus).around(place))
        self.app.push_screen(TextPlaceScreen(corpus.name, corpus.path, excerpt))

    # Model and chart

    def action_talk(self) -> None:
        self.post_message(self.TalkRequested())

    def action_time_machine(self) -> None:
        self.post_message(self.HistoryRequested())

    def action_project(self) -> None:
        from tinygpt_tui.ui.train.projector import TrainProjector

        if self.session is not None:
            self.app.push_screen(TrainProjector(self))

    @work(exclusive=True, group="compare", exit_on_error=False)
    async def action_compare(self) -> None:
        session = self.session
        if session is None:
            return
        offered = await asyncio.to_thread(offers, str(session.run.model), session.settings.corpus.name)
        chosen = await self.app.push_screen_wait(ChooseOverlaysScreen(offered, self._compared))
        if chosen is not None:
            self._compared = chosen
            self.query_one(TrainChart).overlays = tuple(await asyncio.to_thread(overlays_of, chosen))

    @work(exclusive=True, group="export", exit_on_error=False)
    async def action_export(self) -> None:
        """Save the chart as a picture in the model's folder, or for a shipped model in the program's home."""
        session = self.session
        if session is None:
            return
        path = session.run.model / "loss.svg" if session.own else paths.home() / f"{session.name}-loss.svg"
        chart = self.query_one(TrainChart).picture(PICTURE_COLUMNS, PICTURE_ROWS)
        svg = await asyncio.to_thread(export_svg, chart, PICTURE_COLUMNS, PICTURE_ROWS, session.name)
        await asyncio.to_thread(write_text, path, svg)
        self.notify(f"The chart is in {path}", markup=False)
