"""A run as panes: chart, numbers, sample, doctor and log; side by side if there is room, else one at a time."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tinygpt_tui.doctor.verdict import verdict_of
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.ui.jobs.training_session import Phase, TrainingSession
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shared.loss_chart import TrainChart
from tinygpt_tui.ui.shared.run_head import TrainHead
from tinygpt_tui.ui.train.doctor import TrainDoctor
from tinygpt_tui.ui.train.foot import TrainFoot
from tinygpt_tui.ui.train.log import TrainLog
from tinygpt_tui.ui.train.meters import TrainMeters
from tinygpt_tui.ui.train.notice import TrainNotice
from tinygpt_tui.ui.train.panes import PANES, TrainPaneBar
from tinygpt_tui.ui.train.samples import TrainSamples
from tinygpt_tui.ui.train.verdict import TrainVerdict

# From this size on all panes are shown.
WIDE_COLUMNS, WIDE_ROWS = 110, 30
RIGHT = frozenset({"log", "doctor"})


class TrainLive(Vertical):
    """Shows a session; call `show_session` again whenever there is news."""

    DEFAULT_CSS = """
    TrainLive {
        padding: 0 1;
        & > #panes { height: 1fr; }
        & #left { width: 1fr; height: 1fr; }
        & #right { width: 43; height: 1fr; }
        & #chart-pane { height: 3fr; }
        & TrainSamples { height: 2fr; }
        & #meters-pane { height: auto; }
        & TrainLog { height: 4fr; }
        & TrainDoctor { height: 5fr; }
        & .-pane { height: 1fr; width: 1fr; padding: 0 1; border: round $border; scrollbar-size-vertical: 1; }
        & TrainPaneBar { display: none; }
        & .-brief { display: none; }
        &.-narrow {
            & TrainPaneBar { display: block; }
            & .-brief { display: block; height: 2; }
            & #right { display: none; width: 1fr; }
            &.-at-right #right { display: block; }
            &.-at-right #left { display: none; }
            & .-pane { display: none; padding: 0; border: none; }
            & .-pane.-chosen { display: block; }
        }
    }
    """
    BINDINGS = [
        bind("l", "cycle('log_y')", "Log loss", "chart.log-y", "Logarithmic loss axis on or off"),
        bind_hidden("L", "cycle('log_x')", "Log steps", "chart.log-x", "Logarithmic step axis"),
        bind("M", "cycle('smoothing')", "Smooth", "chart.smooth", "How much to smooth the training curve"),
        bind("v", "cycle('aspect')", "View", "chart.view", "Other curves: bits, gap, rate, speed …"),
        bind_hidden("V", "cycle('aspect', -1)", "View back", "chart.view-back", "The previous curves"),
        bind("y", "cycle('yardsticks')", "Yardsticks", "chart.yardsticks", "Reference losses on or off"),
        bind_hidden("f", "cycle('fit')", "Fit", "chart.fit", "What the loss axis is fitted to"),
        bind("plus,equals_sign", "zoom(1)", "Zoom", "chart.zoom-in", "See fewer steps", display="+"),
        bind_hidden("minus", "zoom(-1)", "Zoom out", "chart.zoom-out", "See more steps", display="-"),
        bind_hidden("0", "reset_chart", "All", "chart.reset", "See everything again"),
        bind_hidden("left_square_bracket", "sample(-1)", "Older", "sample.older", "The previous sample", display="["),
        bind_hidden("right_square_bracket", "sample(1)", "Newer", "sample.newer", "The next sample", display="]"),
        *(
            bind_hidden(str(number), f"pane('{pane}')", title, f"pane.{pane}", f"Go to: {title}")
            for number, (pane, title) in enumerate(PANES.items(), start=1)
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._session: TrainingSession | None = None
        self._pane = "chart"

    def compose(self) -> ComposeResult:
        yield TrainHead("")
        yield TrainNotice()
        yield TrainMeters("", classes="-brief", markup=False)
        yield TrainPaneBar()
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                with Vertical(classes="-pane -chosen", id="chart-pane"):
                    yield TrainChart(RunHistory())
                    yield TrainVerdict()
                yield TrainSamples().add_class("-pane")
            with Vertical(id="right"):
                with Vertical(classes="-pane", id="meters-pane"):
                    yield TrainMeters("", markup=False, id="meters")
                yield TrainDoctor().add_class("-pane")
                yield TrainLog().add_class("-pane")
        yield TrainFoot()

    def on_mount(self) -> None:
        self.query_one("#meters-pane").border_title = "numbers"
        self.query_one(TrainLog).border_title = "log"
        self.query_one(TrainPaneBar).show_chosen(self._pane)
        chart = self.query_one(TrainChart)
        for choice in ("log_x", "log_y", "smoothing", "fit", "view", "aspect", "yardsticks"):
            self.watch(chart, choice, self._name_chart, init=False)
        self._name_chart()

    def show_session(self, session: TrainingSession) -> None:
        """Show a session as it is now."""
        new = session is not self._session
        self._session = session
        if new:
            self.query_one(TrainSamples).follow_newest()
        history, beside = session.history, session.beside
        self._draw_head()
        self.query_one(TrainNotice).show_notice(session)
        self.query_one(TrainChart).show_run(history, beside, _waiting(session))
        self.query_one(TrainVerdict).show_verdict(verdict_of(history, beside.floors, beside.entropy))
        self._show_numbers()
        self.query_one(TrainSamples).show_samples(history.samples)
        self.query_one(TrainLog).show_lines(history.log)
        findings = session.findings
        self.query_one(TrainDoctor).show_findings(findings)
        wrong = sum(finding.level in ("bad", "warning") for finding in findings)
        self.query_one(TrainPaneBar).show_note("doctor", f": {wrong} !" if wrong else "")

    def show_actions(self, actions: set[str], line: str) -> None:
        """Offer what can be done now."""
        self.query_one(TrainFoot).show_actions(actions, line)

    def focus_pane(self) -> None:
        self.query_one(f"#{self._pane}").focus(scroll_visible=False)

    def on_resize(self, event: events.Resize) -> None:
        """Show all panes, or one if there is no room."""
        narrow = event.size.width < WIDE_COLUMNS or event.size.height < WIDE_ROWS
        self.set_class(narrow, "-narrow")
        self.refresh_bindings()
        self.call_after_refresh(self._draw_head)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The chart's keys do nothing while only another pane is shown."""
        return self._pane == "chart" or not self.has_class("-narrow") or action not in ("cycle", "reset_chart", "zoom")

    def on_click(self) -> None:
        """Keep the keys working when the user clicks where nothing can have the focus."""
        if self.screen.focused is None:
            self.focus_pane()

    def on_train_pane_bar_chosen(self, message: TrainPaneBar.Chosen) -> None:
        message.stop()
        self.action_pane(message.pane)

    def action_pane(self, pane: str) -> None:
        self._pane = pane
        self.refresh_bindings()
        self.set_class(pane in RIGHT, "-at-right")
        for name in PANES:
            part = self.query_one(f"#{name}-pane" if name == "chart" else f"#{name}")
            part.set_class(name == pane, "-chosen")
        self.query_one(TrainPaneBar).show_chosen(pane)
        self.call_after_refresh(self.focus_pane)

    def action_cycle(self, what: str, by: int = 1) -> None:
        self.query_one(TrainChart).cycle(what, by)

    def action_reset_chart(self) -> None:
        self.query_one(TrainChart).reset()

    def action_zoom(self, direction: int) -> None:
        self.query_one(TrainChart).zoom_steps(direction)

    def action_sample(self, direction: int) -> None:
        self.query_one(TrainSamples).move(direction)

    def _name_chart(self) -> None:
        chart = self.query_one(TrainChart)
        self.query_one("#chart-pane").border_title = chart.describe()
        self._show_numbers()

    def _show_numbers(self) -> None:
        """Show the numbers, the train loss as the chart draws it."""
        if (session := self._session) is not None:
            smoothing, live = self.query_one(TrainChart).smoothing, session.phase.live
            for meters in self.query(TrainMeters):
                meters.show_numbers(session.history, smoothing, live=live, table=meters.id == "meters")

    def _draw_head(self) -> None:
        if self._session is None:
            return
        session = self._session
        preset = f"{session.settings.preset}, " if session.settings.preset else ""
        start, teachers = session.settings.start, session.settings.teachers
        names = " and ".join(teacher.name for teacher in teachers)
        preset = f"from {start.name}, " if start else f"learns from {names}, " if teachers else preset
        about = f"{preset}trained on {session.settings.corpus.name}"
        self.query_one(TrainHead).show_run(session.name, about, session.phase, session.history)


def _waiting(session: TrainingSession) -> str:
    """Return what the chart says while there is nothing to draw."""
    if not session.was_read:
        return "reading its journal…"
    if session.phase is Phase.READING:
        return f"{session.phase.value}"
    if session.phase is Phase.STARTING:
        return f"{session.phase.value} this takes a few seconds"
    return "measuring the untrained model before the first step…" if session.phase.live else "no steps yet"
