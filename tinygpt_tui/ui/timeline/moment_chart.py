"""The loss curve with a cursor that goes from moment to moment."""

from __future__ import annotations

from dataclasses import replace

from rich.style import Style, StyleType
from textual import events
from textual.widget import Widget

from tinygpt_tui.charts.chart import LossChart
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shared.chart_picture import ChartView
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.timeline.time_machine import BIG_STEP, chart_at


class MomentChart(ChartView, Widget, can_focus=True):
    """Draws from the history's own buffers; posts where the user wants to go."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"moment-chart--train", "moment-chart--validation", "moment-chart--cursor"}
    DEFAULT_CSS = "MomentChart { height: 1fr; width: 1fr; }"
    HELP = """## Time machine

During training the weights are saved from time to time: more often at the start, when the model learns fastest. The
cursor ▼ is at one of these steps, and below is what the model of *that* step writes to your prompt, with the same
random numbers at every step: the texts differ only by what it had learned.

Space plays: the steps follow one another from the untrained model to the last, each shown for one to three seconds
after its text is complete (the line under the curve says how long). Space again pauses.

Left and Right go from step to step, with Shift five at a time; Home is the untrained model, End the last. A click on
the curve or the mouse wheel moves there, too. Type into the prompt, and the text follows.

F9 saves all steps as a film: an SVG that moves, or a terminal recording for asciinema (`.cast`).
"""
    BINDINGS = [
        bind("left", "go(-1)", "Earlier", "time.left", "The previous checkpoint"),
        bind("right", "go(1)", "Later", "time.right", "The next checkpoint"),
        bind_hidden("shift+left", f"go(-{BIG_STEP})", "Far back", "time.far_left", "Five back"),
        bind_hidden("shift+right", f"go({BIG_STEP})", "Far on", "time.far_right", "Five on"),
        bind_hidden("home", "go(-1000)", "Untrained", "time.home", "Before the first step"),
        bind_hidden("end", "go(1000)", "Last", "time.end", "The last checkpoint there is"),
    ]

    class Moved(Message):
        """The user wants to move by that many moments."""

        by: int

    class Pointed(Message):
        """The user points at a step."""

        step: float

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._history = RunHistory()
        self._step: int | None = None
        self._empty = ""

    def show_step(self, history: RunHistory, step: int | None, empty: str) -> None:
        """Draw `history` with the cursor at `step`; `empty` is shown while it has no points."""
        self._history, self._step, self._empty = history, step, empty
        self.refresh()

    def render(self) -> LossChart:
        styles: dict[str, StyleType] = {part: self._style(part) for part in ("train", "validation")}
        styles["cursor"] = self._style("cursor") + Style(bold=True)
        chart = chart_at(self._history, self._step, styles)
        width, height = max(1, self.size.width), max(1, self.size.height)
        return self.note_chart(replace(chart, empty=self._empty, width=width, height=height))

    def action_go(self, by: int) -> None:
        self.post_message(self.Moved(by))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Go where the user points, and follow the mouse while its button is down."""
        self.capture_mouse()
        self._point(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if event.button and self.app.mouse_captured is self:
            self._point(event.x)

    def on_mouse_up(self) -> None:
        self.release_mouse()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_go(-1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_go(1)

    def _point(self, column: int) -> None:
        step = self.render().x_at(column - self.gutter.left, self.size.width, self.size.height)
        if step is not None:
            self.post_message(self.Pointed(step))

    def _style(self, part: str) -> Style:
        # Only the ink: the background is the widget's own, and the chart is fastest with ink alone.
        return Style(color=self.get_component_rich_style(f"moment-chart--{part}").color)
