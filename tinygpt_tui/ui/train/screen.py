"""The Train tab: the form of a new training, or a run to look at, live or past."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import ContentSwitcher

from tinygpt_tui import paths
from tinygpt_tui.charts import export_svg
from tinygpt_tui.doctor.rounds import changes_in_words
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.files import write_text
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.folder import CorpusReference, StartingModel
from tinygpt_tui.runs.index import RunCard
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.ui.jobs.pace import Pace
from tinygpt_tui.ui.jobs.training_session import ONE_BATCH, Phase, TrainingSession
from tinygpt_tui.ui.shared.choose_file import ChooseFileScreen
from tinygpt_tui.ui.shared.confirm import ConfirmScreen
from tinygpt_tui.ui.shared.loss_chart import TrainChart
from tinygpt_tui.ui.shared.text_place import TextPlaceScreen
from tinygpt_tui.ui.shell.tab_screen import TabScreen
from tinygpt_tui.ui.train.choose_overlays import ChooseOverlaysScreen
from tinygpt_tui.ui.train.choose_run import ChooseRunScreen
from tinygpt_tui.ui.train.doctor import TrainDoctor
from tinygpt_tui.ui.train.draft_doctor import DraftDoctorScreen
from tinygpt_tui.ui.train.foot import TrainFoot
from tinygpt_tui.ui.train.form import TrainForm
from tinygpt_tui.ui.train.live import TrainLive
from tinygpt_tui.ui.train.more_steps import MoreStepsScreen
from tinygpt_tui.ui.train.overlays import offers, overlays_of
from tinygpt_tui.ui.train.run_list import live_runs, moved_to, run_rows
from tinygpt_tui.ui.train.samples import TrainSamples
from tinygpt_tui.ui.train.start import begin
from tinygpt_tui.workers.draft_examiner import Case
from tinygpt_tui.workers.examiner import text_of

# How often the disk is looked at: while a run is live and shown, and while there is nothing to miss.
BUSY_S, IDLE_S = 0.15, 2.0
# Of a core, for drawing a run while it trains: a picture costs as much as a step, and the trainer may want that core.
SHARE, LONGEST_S = 0.025, 1.5
PICTURE_COLUMNS, PICTURE_ROWS = 120, 36


class TrainScreen(TabScreen):
    """Knows which of its two faces is shown and what can be done now; the trainer is a process of its own."""

    TAB = "train"
    HELP = """# Train

Choose a text, a name and a preset, change what you like, and start. The training is a process of its own: it goes
on when you leave the app, and is found again when you come back. Pausing keeps it in memory; stopping keeps the best
weights, and you can go on from there later.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+t", "start", "Start", id="train.start", tooltip="Begin the training in the form"),
        Binding("ctrl+l", "choose_file", "Text file", id="train.file", tooltip="Choose a text file to learn from"),
        Binding("ctrl+y", "doctor", "Doctor", id="train.doctor", tooltip="What may be wrong with it, before it starts"),
        Binding("escape", "cancel_download", "Cancel", id="train.cancel", tooltip="Stop fetching or reading the text"),
        Binding("p", "pause", "Pause", id="train.pause", tooltip="The trainer waits in memory"),
        Binding("p", "end_pause", "Go on", id="train.end-pause", tooltip="End the pause"),
        Binding("s", "stop", "Stop", id="train.stop", tooltip="Evaluate once more, keep the best weights, and end"),
        Binding("g", "go_on", "Go on", id="train.go-on", tooltip="Start the trainer again where it left off"),
        Binding("t", "talk", "Talk", id="train.talk", tooltip="Open this model in Generate"),
        Binding(
            "h", "time_machine", "History", id="train.history", tooltip="The time machine: what it wrote at each step"
        ),
        Binding("w", "sample_now", "Write", id="train.sample", show=False, tooltip="Have the model write a sample now"),
        Binding("b", "save_now", "Save", id="train.save", show=False, tooltip="Keep the state to go on from, now"),
        Binding("x", "extend", "More steps", id="train.extend", tooltip="Give the run more steps, and go on"),
        Binding("e", "export", "Picture", id="train.export", show=False, tooltip="Keep the chart as an SVG picture"),
        Binding("o", "compare", "Compare", id="train.compare", tooltip="Lay other runs or published results over it"),
        Binding("n", "new", "New", id="train.new", tooltip="The form of a new training; this one goes on"),
        Binding("escape", "back", "Back", id="train.back", tooltip="Back to the run that was shown"),
        Binding("ctrl+o", "runs", "Runs", id="train.runs", tooltip="Look at another run, live or past"),
    ]

    class TalkTo(Message):
        """The user wants to generate with this model."""

        def __init__(self, model_path: str) -> None:
            super().__init__()
            self.model_path = model_path

    def __init__(self) -> None:
        super().__init__()
        self._session: TrainingSession | None = None
        self._live: list[RunCard] = []
        self._may_attach = True  # to a live run by itself: until the form was used, or seen
        self._compared: list[str] = []

    def compose_body(self) -> ComposeResult:
        """Yield the two faces."""
        with ContentSwitcher(initial="form"):
            yield TrainForm()
            yield TrainLive()

    def on_mount(self) -> None:
        """Look for runs."""
        self._look_around()

    def on_screen_resume(self) -> None:
        """Catch up with what happened while something else was shown."""
        self.form.look_for_torch()
        self._look_around()
        if self._session is not None:
            moved = moved_to(self._session.run.model, self._session.settings.created)
            if moved is not None:
                with suppress(TinyGPTError):
                    self._session = TrainingSession.open(moved)
        if self._session is not None:
            self._follow(self._session)

    @property
    def form(self) -> TrainForm:
        """The form of a new training."""
        return self.query_one(TrainForm)

    @property
    def live(self) -> TrainLive:
        """The view of a run."""
        return self.query_one(TrainLive)

    @property
    def session(self) -> TrainingSession | None:
        """The run that is looked at; None while the form is shown."""
        return self._session if self.query_one(ContentSwitcher).current == "live" else None

    # What can be done now

    def possible(self) -> set[str]:
        """Return the actions that make sense now."""
        if not self.is_mounted or self.session is None:
            return self._possible_in_form()
        session = self.session
        actions = {"new", "runs", "export", "compare", "time_machine"}
        if session.phase in (Phase.TRAINING, Phase.PAUSED, Phase.STOPPING, Phase.PAUSING):
            actions |= {"stop"}
        if session.phase is Phase.TRAINING:
            actions |= {"pause"}
        if session.phase in (Phase.TRAINING, Phase.PAUSED):
            actions |= {"sample_now", "save_now"}
        if session.can_be_extended:
            actions |= {"extend"}
        if session.phase in (Phase.PAUSED, Phase.PAUSING):
            actions |= {"end_pause"}
        if session.can_go_on:
            actions |= {"go_on"}
        if session.has_weights:
            actions |= {"talk"}
        return actions

    def _possible_in_form(self) -> set[str]:
        actions = {"choose_file", "runs"}
        if not self.is_mounted:
            return actions
        if not self.form.problem:
            actions |= {"start", "doctor"}
        if self.form.corpus.fetching or self.form.corpus.reading:
            actions |= {"cancel_download"}
        elif self._session is not None:
            actions |= {"back"}
        return actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Let only those keys work that make sense now."""
        own = {binding.action for binding in self.BINDINGS if isinstance(binding, Binding)}
        return action in self.possible() if action in own else super().check_action(action, parameters)

    # The form

    def on_train_form_changed(self, message: TrainForm.Changed) -> None:
        """The form can be started now, or not any more."""
        message.stop()
        self.refresh_bindings()

    def on_train_form_start_wanted(self, message: TrainForm.StartWanted) -> None:
        """Start by the button."""
        message.stop()
        self.action_start()

    def on_train_corpus_picker_file_wanted(self) -> None:
        """Choose a file by the button."""
        self.action_choose_file()

    def action_start(self) -> None:
        """Begin the training that the form describes."""
        form = self.form
        form.name_row.check()
        form.check()
        if form.settings is not None and form.facts is not None:
            self._begin(form.name_row.text, form.preset_name, form.facts.reference, form.settings, form.start)

    @work(exclusive=True, group="begin", exit_on_error=False)
    async def _begin(
        self, name: str, preset: str, corpus: CorpusReference, training: TrainingSettings, start: StartingModel | None
    ) -> None:
        try:
            session = await asyncio.to_thread(begin, name, preset, corpus, training, start)
        except TinyGPTError as error:
            self.show_error(error)
            return
        self._open(session)

    def action_doctor(self) -> None:
        """Have the training in the form examined, and what helps put into it."""
        form = self.form
        if form.settings is None or form.facts is None:
            return
        case = Case(corpus=form.facts.reference, training=form.settings, start=form.start)

        def mend(changes: dict[str, str] | None) -> None:
            if changes:
                form.change(changes)
                self.notify(f"{changes_in_words(changes)}: in the form now", markup=False)

        self.app.push_screen(DraftDoctorScreen(case, form.draft.advice(form.facts, form.machine)), mend)

    def action_choose_file(self) -> None:
        """Let the user choose a text file."""

        def choose(path: Path | None) -> None:
            if path is None:
                return
            try:
                self.form.corpus.choose_file(str(path))
            except TinyGPTError as error:
                self.show_error(error)

        self.app.push_screen(ChooseFileScreen(Path.cwd()), choose)

    def action_cancel_download(self) -> None:
        """Stop fetching or reading the corpus."""
        self.form.corpus.cancel()

    def action_back(self) -> None:
        """Look at the run again."""
        if self._session is not None:
            self._open(self._session)

    # The run

    def _open(self, session: TrainingSession) -> None:
        """Look at a run."""
        self._session = session
        self.query_one(ContentSwitcher).current = "live"
        self._show()
        self.live.focus_pane()
        self._follow(session)

    def _show(self) -> None:
        """Show where the run stands."""
        session = self.session
        if session is None:
            return
        self.live.show(session)
        self.live.show_actions(self.possible(), self._line(session))
        self.refresh_bindings()

    def _line(self, session: TrainingSession) -> str:
        others = [card.name for card in self._live if card.path != str(session.run.model)]
        also = f"{', '.join(others)} is being trained too: ctrl+o shows it. " if others else ""
        if not session.phase.live:
            where = f"are in {session.run.model}" if session.own else "came with the program"
            return f"{also}The model and its run {where}."
        return f"{also}Training goes on when you quit; stop it with s or `{own_command('stop', session.name)}`."

    def _is_shown(self) -> bool:
        # While the app closes, a screen is still on the stack when its widgets are gone.
        return self.is_attached and self in self.app.screen_stack and bool(self.query(TrainLive))

    @work(exclusive=True, group="follow", exit_on_error=False)
    async def _follow(self, session: TrainingSession) -> None:
        pace = Pace(share=SHARE, longest_s=LONGEST_S)
        while self._is_shown():
            pace.begin()
            try:
                look = await asyncio.to_thread(session.look)
            except TinyGPTError as error:
                self.show_error(error)
                return
            if session is not self._session or not self._is_shown():
                return
            if session.take(look):
                self._show()
            await asyncio.sleep(BUSY_S if session.phase.live else IDLE_S)
            if session.phase is Phase.TRAINING:
                while (rest_s := pace.rest_s()) > 0:
                    await asyncio.sleep(rest_s)

    @work(exclusive=True, group="around", exit_on_error=False)
    async def _look_around(self) -> None:
        while self._is_shown():
            found = await asyncio.to_thread(live_runs)
            if not self._is_shown():
                return
            changed = [card.path for card in found] != [card.path for card in self._live]
            self._live = found
            self._consider()
            if changed:
                self._show()
            await asyncio.sleep(IDLE_S)

    def _consider(self) -> None:
        """Attach to a live run, but only in place of a form that was neither used nor seen without it; else offer it.

        Keys that are typed for the form must not reach a run that took its place.
        """
        may_attach, self._may_attach = self._may_attach, False
        form = self.form
        if may_attach and self.session is None and self._live and self.is_current and not form.touched:
            self._open_path(self._live[0].path)
            return
        names = ", ".join(card.name for card in self._live)
        form.show_news(f"▶ {names} is being trained now: ctrl+o shows it" if names else "")

    def on_key(self) -> None:
        """The form is in use from the first key on."""
        self._may_attach = False

    def on_mouse_down(self) -> None:
        """The mouse is used as well."""
        self._may_attach = False

    def start_from(self, path: str, name: str) -> None:
        """Open the form of a new training that starts from the model at `path`, from another tab."""
        self._may_attach = False
        if self.session is not None:
            self.action_new()
        self.form.start_from(path, name)

    def look_at(self, path: str) -> None:
        """Look at the run of the model folder `path`, from another tab."""
        self._open_path(path)

    def _open_path(self, path: str) -> None:
        try:
            session = TrainingSession.open(Path(path))
        except TinyGPTError as error:
            self.show_error(error)
            return
        self._open(session)

    def on_train_foot_pressed(self, message: TrainFoot.Pressed) -> None:
        """Do what the button says, as far as it can be done."""
        message.stop()
        if message.action in self.possible():
            getattr(self, f"action_{message.action}")()

    def action_pause(self) -> None:
        """Ask the trainer to wait."""
        self._ask("pause")

    def action_end_pause(self) -> None:
        """Let the trainer go on."""
        self._ask("end_pause")

    def action_sample_now(self) -> None:
        """Ask the trainer for a sample."""
        self.query_one(TrainSamples).follow()
        self._ask("sample")

    def action_save_now(self) -> None:
        """Ask the trainer to save its state."""
        self._ask("save")

    def action_extend(self) -> None:
        """Ask how many more steps, then go on with them."""
        session = self.session
        if session is None:
            return

        def go_on(steps: str | None) -> None:
            if steps is not None:
                self._ask("extend", steps)

        self.app.push_screen(MoreStepsScreen(session.name, session.history.step, session.history.steps), go_on)

    def action_stop(self) -> None:
        """Ask the user, then the trainer; the second time at once."""
        session = self.session
        if session is None or session.phase is Phase.STOPPING:
            self._ask("stop")
            return
        question = (
            f"Stop training {session.name} at step {session.history.step:,} of {session.history.steps:,}?\n"
            "It is evaluated once more and the best weights are kept. You can go on later."
        )

        def stop(agreed: bool | None) -> None:
            if agreed:
                self._ask("stop")

        self.app.push_screen(ConfirmScreen("stop and keep", question, "Stop"), stop)

    def action_go_on(self) -> None:
        """Start the trainer again where it left off."""
        self._ask("launch")

    def _ask(self, wish: str, *more: str) -> None:
        """Do something to the run that may fail, and show what came of it."""
        session = self.session
        if session is None:
            return
        try:
            getattr(session, wish)(*more)
        except TinyGPTError as error:
            self.show_error(error)
        self._show()
        self._follow(session)

    def action_talk(self) -> None:
        """Go to Generate with this model."""
        if self.session is not None:
            self.post_message(self.TalkTo(str(self.session.run.model)))

    def on_train_doctor_wanted(self, message: TrainDoctor.Wanted) -> None:
        """Do what helps against a finding."""
        message.stop()
        session, finding = self.session, message.finding
        if session is None:
            return
        if finding.check == ONE_BATCH:
            session.try_one_batch()
            self._show()
        elif finding.remedy:
            self._begin_like(session, finding.remedy)
        elif finding.place is not None:
            self._show_place(session, finding.place)

    def _begin_like(self, session: TrainingSession, changes: dict[str, str]) -> None:
        """Open the form with a run's text and settings, some of them changed."""
        self.action_new()
        self.form.fill(session.settings.training, changes)
        if (start := session.settings.start) is not None:
            self.form.start_from(start.path, start.name, keep=True)
        try:
            self.form.corpus.choose_again(session.settings.corpus)
        except TinyGPTError as error:
            self.show_error(error)
        changed = changes_in_words(changes)
        live = " Training goes on meanwhile: stop it there if you like." if session.phase.live else ""
        self.notify(f"The settings of {session.name}, with {changed}.{live}", markup=False)

    @work(exclusive=True, group="place", exit_on_error=False)
    async def _show_place(self, session: TrainingSession, place: int) -> None:
        corpus = session.settings.corpus
        try:
            found = await asyncio.to_thread(text_of, corpus)
        except TinyGPTError as error:
            self.show_error(error)
            return
        self.app.push_screen(TextPlaceScreen(corpus.name, corpus.path, found.text, place))

    def action_time_machine(self) -> None:
        """Walk along the run, and see what the model wrote at each step."""
        if self.session is None:
            return
        from tinygpt_tui.ui.timeline.screen import TimeMachineScreen

        try:
            session = TrainingSession.open(self.session.run.model)
        except TinyGPTError as error:
            self.show_error(error)
            return
        self.app.push_screen(TimeMachineScreen(session, self.TAB))

    def action_new(self) -> None:
        """Show the form of a new training."""
        self._may_attach = False
        self.form.renew()
        self.query_one(ContentSwitcher).current = "form"
        self._consider()
        self.refresh_bindings()
        self.set_focus(None)
        self.call_after_refresh(self.focus_next)

    @work(exclusive=True, group="list", exit_on_error=False)
    async def action_runs(self) -> None:
        """Let the user choose a run."""
        rows = await asyncio.to_thread(run_rows)

        def choose(path: str | None) -> None:
            if path is not None:
                self._open_path(path)

        self.app.push_screen(ChooseRunScreen(rows), choose)

    @work(exclusive=True, group="compare", exit_on_error=False)
    async def action_compare(self) -> None:
        """Let the user choose what is laid over the chart."""
        session = self.session
        if session is None:
            return
        offered = await asyncio.to_thread(offers, str(session.run.model), session.settings.corpus.name)
        chosen = await self.app.push_screen_wait(ChooseOverlaysScreen(offered, self._compared))
        if chosen is not None:
            self._compared = chosen
            found = await asyncio.to_thread(overlays_of, chosen)
            self.query_one(TrainChart).overlays = tuple(found)

    @work(exclusive=True, group="export", exit_on_error=False)
    async def action_export(self) -> None:
        """Keep the chart as a picture, in the model's folder or, where that is not ours, in the home of the program."""
        session = self.session
        if session is None:
            return
        path = session.run.model / "loss.svg" if session.own else paths.home() / f"{session.name}-loss.svg"
        chart = self.query_one(TrainChart).picture(PICTURE_COLUMNS, PICTURE_ROWS)
        try:
            svg = await asyncio.to_thread(export_svg, chart, PICTURE_COLUMNS, PICTURE_ROWS, session.name)
            await asyncio.to_thread(write_text, path, svg)
        except TinyGPTError as error:
            self.show_error(error)
            return
        self.notify(f"The chart is in {path}", markup=False)
