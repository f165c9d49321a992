"""The Train tab: the form of a new run, or a run to look at, live or past."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual import getters, work
from textual.app import ComposeResult
from textual.widgets import ContentSwitcher

from tinygpt_tui.doctor.rounds import changes_in_words
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.runs.facts import FactsReader
from tinygpt_tui.runs.index import RunCard
from tinygpt_tui.ui.jobs.training_session import TrainingSession
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shell.tab_screen import TabScreen
from tinygpt_tui.ui.timeline.opening import open_time_machine
from tinygpt_tui.ui.train.choose_run import ChooseRunScreen
from tinygpt_tui.ui.train.foot import TrainFoot
from tinygpt_tui.ui.train.form import TrainForm
from tinygpt_tui.ui.train.run_list import live_runs
from tinygpt_tui.ui.train.run_page import RunPage

LOOK_EVERY_S = 2.0  # for live runs


class TrainScreen(TabScreen):
    """Switches between the form and a run, and offers the runs that are live."""

    TAB = "train"
    HELP = """# Train

Choose a text, a name and a preset, change what you like, and start. Training is a process of its own: it continues when
you leave the app, and the app finds it again when you come back. Pausing keeps it in memory; stopping saves the best
weights, and you can resume later.
"""
    BINDINGS = [
        bind("n", "new", "New", "train.new", "The form of a new run; this one continues"),
        bind_hidden("alt+o", "choose_file", "Open", "train.file", "Choose a text file to learn from"),
        bind("escape", "back", "Back", "train.back", "Back to the run shown before"),
        bind("ctrl+o", "runs", "Other run", "train.runs", "Open another run, live or past"),
    ]
    form = getters.query_one(TrainForm)
    page = getters.query_one(RunPage)

    def __init__(self) -> None:
        super().__init__()
        self._live: list[RunCard] = []
        self._may_attach = True  # to a live run by itself: until the form was used, or seen

    def compose_body(self) -> ComposeResult:
        with ContentSwitcher(initial="form"):
            yield TrainForm()
            yield RunPage()

    def on_mount(self) -> None:
        self._watch_live_runs()

    def on_screen_resume(self) -> None:
        self.form.check_packages()
        self._watch_live_runs()
        self.page.continue_following()

    @property
    def session(self) -> TrainingSession | None:
        """The run that is shown; None while the form is."""
        return self.page.session if self.query_one(ContentSwitcher).current == "live" else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action not in ("new", "choose_file", "back"):
            return super().check_action(action, parameters)
        if not self.is_mounted:
            return False
        if action != "back":
            return self.session is not None
        return self.session is None and self.page.session is not None and not self.form.corpus.busy

    # The form

    def on_train_form_changed(self, message: TrainForm.Changed) -> None:
        message.stop()
        self.refresh_bindings()

    def on_train_form_started(self, message: TrainForm.Started) -> None:
        message.stop()
        self._open_session(message.session)

    def action_new(self) -> None:
        self._may_attach = False
        self.form.prepare_next()
        self.query_one(ContentSwitcher).current = "form"
        self._offer_live_runs()
        self.refresh_bindings()
        self.set_focus(None)
        self.call_after_refresh(self.focus_next)

    def action_choose_file(self) -> None:
        """Open the form of a new run, and let the user choose its text."""
        self.action_new()
        self.form.action_choose_file()

    def start_from(self, path: str, name: str) -> None:
        """Open the form of a new run that starts from the model at `path`, from another tab."""
        self._may_attach = False
        if self.session is not None:
            self.action_new()
        self.form.start_from(path, name)

    def on_run_page_new_run_requested(self, message: RunPage.NewRunRequested) -> None:
        """Open the form with a run's text and settings, some of them changed."""
        message.stop()
        session = message.session
        self.action_new()
        self.form.fill(session.settings.training, message.changes)
        if (start := session.settings.start) is not None:
            self.form.start_from(start.path, start.name, keep=True)
        try:
            self.form.corpus.choose_again(session.settings.corpus)
        except TinyGPTError as error:
            self.show_error(error)
        changed = changes_in_words(message.changes)
        live = " The old run continues: stop it in its view if you like." if session.phase.live else ""
        self.notify(f"The settings of {session.name}, with {changed}.{live}", markup=False)

    # The run

    def open_run(self, path: str) -> None:
        """Show the run of the model folder `path`."""
        try:
            session = TrainingSession.open(Path(path))
        except TinyGPTError as error:
            self.show_error(error)
        else:
            self._open_session(session)

    def _open_session(self, session: TrainingSession) -> None:
        self.query_one(ContentSwitcher).current = "live"
        self.page.open_session(session)

    def action_back(self) -> None:
        if self.page.session is not None:
            self._open_session(self.page.session)

    def on_run_page_updated(self, message: RunPage.Updated) -> None:
        message.stop()
        self.refresh_bindings()

    def on_train_foot_pressed(self, message: TrainFoot.Pressed) -> None:
        message.stop()
        if message.action == "new":
            self.action_new()

    def on_run_page_talk_requested(self, message: RunPage.TalkRequested) -> None:
        message.stop()
        if self.session is not None:
            self.post_message(self.TalkTo(str(self.session.run.model)))

    def on_run_page_history_requested(self, message: RunPage.HistoryRequested) -> None:
        message.stop()
        if self.session is not None:
            open_time_machine(self, self.session.run.model)

    @work(exclusive=True, group="list", exit_on_error=False)
    async def action_runs(self) -> None:
        rows = await asyncio.to_thread(FactsReader().read)

        def choose(path: str | None) -> None:
            if path is not None:
                self.open_run(path)

        corpus = self.session.settings.corpus.name if self.session else ""
        self.app.push_screen(ChooseRunScreen(rows, corpus), choose)

    # Live runs

    def _is_shown(self) -> bool:
        # While the app closes, a screen is still on the stack when its widgets are gone.
        return self.is_attached and self in self.app.screen_stack and bool(self.query(RunPage))

    @work(exclusive=True, group="around", exit_on_error=False)
    async def _watch_live_runs(self) -> None:
        while self._is_shown():
            found = await asyncio.to_thread(live_runs)
            if not self._is_shown():
                return
            changed = [card.path for card in found] != [card.path for card in self._live]
            self._live = found
            self.page.live_names = [card.name for card in found]
            self._offer_live_runs()
            if changed:
                self.page.update_run()
            await asyncio.sleep(LOOK_EVERY_S)

    def _offer_live_runs(self) -> None:
        """Show a live run in place of a form that was neither used nor seen without one; else offer it in a line.

        Keys that are typed for the form must not reach a run that took its place.
        """
        may_attach, self._may_attach = self._may_attach, False
        if may_attach and self.session is None and self._live and self.is_current and not self.form.touched:
            self.open_run(self._live[0].path)
            return
        names = ", ".join(card.name for card in self._live)
        self.form.show_news(
            f"▶ {names} {'is' if len(self._live) == 1 else 'are'} training: ctrl+o opens it" if names else ""
        )

    def on_key(self) -> None:
        """The form is in use from the first key on."""
        self._may_attach = False

    def on_mouse_down(self) -> None:
        self._may_attach = False
