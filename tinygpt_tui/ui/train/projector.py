"""A run on a projector: its curve, step, loss and verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygpt_tui.doctor.verdict import verdict_of
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.ui.shared.loss_chart import TrainChart
from tinygpt_tui.ui.shared.projector import ProjectorScreen, numbers_of

if TYPE_CHECKING:
    from tinygpt_tui.ui.train.run_page import RunPage


class TrainProjector(ProjectorScreen):
    """Shows the run of the page below, which follows it."""

    def __init__(self, page: RunPage) -> None:
        super().__init__()
        self._page = page

    def chart(self) -> TrainChart:
        """Return the curve, drawn as on the page."""
        below = self._page.query_one(TrainChart)
        chart = TrainChart(RunHistory())
        for choice in ("aspect", "yardsticks", "overlays", "log_x", "log_y", "smoothing", "fit", "view"):
            chart.set_reactive(getattr(TrainChart, choice), getattr(below, choice))
        return chart

    def update_view(self) -> None:
        """Show the run as it is now."""
        session = self._page.session
        if session is None:
            return
        history, beside = session.history, session.beside
        evaluation = history.last_evaluation
        self.query_one(TrainChart).show_run(history, beside, session.phase.value)
        loss = None if evaluation is None else evaluation.validation_loss
        verdict = verdict_of(history, beside.floors, beside.entropy).text
        self.show_numbers(numbers_of(history.step, loss), f"{session.name}: {verdict or session.phase.value}")
