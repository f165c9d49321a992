"""The loss chart of a run, in whatever space it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rich.style import Style, StyleType
from textual.reactive import reactive
from textual.widget import Widget

from tinygpt_tui.charts.chart import LossChart
from tinygpt_tui.charts.view import View, pan, zoom
from tinygpt_tui.runs.aspects import ASPECTS, STYLES, Comparison, chart_of
from tinygpt_tui.runs.ghosts import Overlay
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.ui.shared.binding import bind_hidden
from tinygpt_tui.ui.shared.chart_picture import ChartView

SMOOTHINGS = (0.0, 0.9, 0.98)
# What the y axis fits until the user zooms.
FITS = ("the floor", "the curves", "the newest half")
CHOICES: dict[str, tuple[object, ...]] = {
    "aspect": tuple(ASPECTS),
    "yardsticks": (True, False),
    "log_x": (False, True),
    "log_y": (False, True),
    "smoothing": SMOOTHINGS,
    "fit": FITS,
}
ZOOM_FACTOR, PAN_SHARE = 1.5, 0.25


class TrainChart(ChartView, Widget, can_focus=True):
    """Draws from the history's own buffers; what the user chooses is reactive."""

    COMPONENT_CLASSES = {
        "train-chart--train",
        "train-chart--validation",
        "train-chart--level",
        "train-chart--ghost",
    }
    DEFAULT_CSS = "TrainChart { height: 1fr; width: 1fr; }"
    HELP = """## Loss

How surprised the model is by the next character, in nats: lower is better. The *train* curve is the loss of each
step's batch, the *validation* marks are the loss on text that is never trained on. ◆ is the best of them: those
weights are saved.

The dashed lines are *yardsticks* (y): how well one does on this text by pure guessing (ln V), by counting letters
(*unigram*), or by counting what follows the last letter (*bigram*), two (*trigram*) or four (*5-gram*), on the same
split, with interpolated Kneser–Ney smoothing. Where a grammar of chances wrote the text, a line shows its *entropy*:
no model can get below it.

v shows other curves: nats per token where tokens are longer than characters, bits, perplexity, the gap between
validation and training (below zero where dropout makes training harder), learning rate, gradient norm, speed.
c lays other runs over it, or published results: faint curves, known by the letters on them.

The arrow keys move what is seen, + and - zoom around the newest steps, 0 shows everything again.
"""
    BINDINGS = [
        bind_hidden("left", "pan(-1)", "Earlier", "chart.left", "Move to earlier steps"),
        bind_hidden("right", "pan(1)", "Later", "chart.right", "Move to later steps"),
        bind_hidden("up", "pan_loss(1)", "Higher", "chart.up", "Move to higher losses"),
        bind_hidden("down", "pan_loss(-1)", "Lower", "chart.down", "Move to lower losses"),
        bind_hidden("ctrl+up", "zoom_loss(1)", "Loss in", "chart.loss-in", "Zoom into the loss"),
        bind_hidden("ctrl+down", "zoom_loss(-1)", "Loss out", "chart.loss-out", "Zoom the loss out"),
    ]

    aspect: reactive[str] = reactive("loss")
    yardsticks: reactive[bool] = reactive(True)
    overlays: reactive[tuple[Overlay, ...]] = reactive(())
    log_x: reactive[bool] = reactive(False)
    log_y: reactive[bool] = reactive(False)
    smoothing: reactive[float] = reactive(SMOOTHINGS[1])
    fit: reactive[str] = reactive(FITS[0])
    view: reactive[View] = reactive(View())

    def __init__(self, history: RunHistory) -> None:
        super().__init__(id="chart")
        self._history = history
        self._beside = Comparison()
        self._waiting = ""

    def show_run(self, history: RunHistory, beside: Comparison, waiting: str) -> None:
        """Draw `history` from now on, and its comparisons; `waiting` is shown while there are no points."""
        if history is not self._history:
            self.view = View()
        self._history, self._beside, self._waiting = history, beside, waiting
        self.refresh()

    def render(self) -> LossChart:
        return self.note_chart(self.chart(self.size.width, self.size.height))

    def picture(self, width: int, height: int) -> LossChart:
        """Return the chart in colours that suit any background, for saving."""
        return self.chart(width, height, STYLES)

    def chart(self, width: int, height: int, styles: Mapping[str, StyleType] | None = None) -> LossChart:
        """Return the chart for this many cells, in the theme's colours or in `styles`."""
        aspect = ASPECTS[self.aspect]
        styles = styles or {part: self._style(part) for part in STYLES}
        beside = replace(self._beside, overlays=self.overlays)
        if not self.yardsticks:
            beside = replace(beside, floors=(), vocab_size=0, entropy=None)
        chart = chart_of(self._history, beside, aspect, styles, width)
        return replace(
            chart,
            log_x=self.log_x,
            log_y=self.log_y,
            view=self._fitted(),
            smoothing=self.smoothing if aspect.measured != "learning_rate" else 0.0,
            empty=self._waiting if not len(self._history.losses[0]) else chart.empty,
            width=max(1, width),
            height=max(1, height),
        )

    def describe(self) -> str:
        """What is not as usual, in words, for the title of the pane."""
        parts = []
        if self.log_y:
            parts.append(f"log {'loss' if self.aspect == 'loss' else 'axis'}")
        if self.log_x:
            parts.append("log steps")
        parts.append(f"smoothed {self.smoothing:g}" if self.smoothing else "as measured")
        if self.view != View():
            parts.append("zoomed (0: all)")
        elif self.fit != FITS[0]:
            parts.append(f"fits {self.fit}")
        if not self.yardsticks:
            parts.append("no yardsticks")
        return f"{ASPECTS[self.aspect].title}: {', '.join(parts)}"

    def cycle(self, what: str, by: int = 1) -> None:
        """Use the next of the `CHOICES` of a property, or with -1 the previous one."""
        choices = CHOICES[what]
        if what == "aspect":
            choices = tuple(name for name in ASPECTS if ASPECTS[name].is_in(self._history) or name == self.aspect)
        setattr(self, what, choices[(choices.index(getattr(self, what)) + by) % len(choices)])
        if what == "aspect":  # what was seen of one unit says nothing about another
            self.view = replace(self.view, y_min=None, y_max=None)

    def zoom_steps(self, direction: int) -> None:
        """Zoom the step axis in (1) or out (-1); the newest step stays."""
        self._zoom(direction, "x")

    def reset(self) -> None:
        self.view = View()
        self.fit = FITS[0]

    def action_pan(self, direction: int) -> None:
        if (extent := self.chart(1, 1).extent()) is not None:
            self.view = pan(self.view, extent, direction * PAN_SHARE, "x", self.log_x)

    def action_pan_loss(self, direction: int) -> None:
        if (extent := self.chart(1, 1).extent()) is not None:
            self.view = pan(self.view, extent, direction * PAN_SHARE, "y", self.log_y)

    def action_zoom_loss(self, direction: int) -> None:
        """Zoom the loss axis; the lowest loss stays."""
        self._zoom(direction, "y")

    def _zoom(self, direction: int, axis: str) -> None:
        extent = self.chart(1, 1).extent()
        if extent is None:
            return
        factor = ZOOM_FACTOR**direction
        if axis == "x":
            self.view = zoom(self.view, extent, factor, 1.0, "x", self.log_x)
        else:
            self.view = zoom(self.view, extent, factor, 0.0, "y", self.log_y)

    def _fitted(self) -> View:
        """The user's view, with the floor visible unless the user chose otherwise."""
        view = self.view
        if self.fit == FITS[2]:
            return View(view.x_min, view.x_max, view.y_min, view.y_max, focus=0.5)
        entropy = self._beside.entropy if self.yardsticks and self.aspect == "loss" else None
        if self.fit == FITS[0] and entropy and view == View():
            return View(y_min=entropy * 0.6)
        return view

    def _style(self, part: str) -> Style:
        # Only the ink: the background is the widget's own, and the chart is fastest with ink alone.
        return Style(color=self.get_component_rich_style(f"train-chart--{part}").color)
