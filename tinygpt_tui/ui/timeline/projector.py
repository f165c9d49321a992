"""The time machine on a projector: the curve with its cursor, step and loss, and what the model of that step writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.projector import ProjectorScreen, numbers_of
from tinygpt_tui.ui.timeline.moment_chart import MomentChart
from tinygpt_tui.ui.timeline.time_machine import loss_at

if TYPE_CHECKING:
    from tinygpt_tui.ui.timeline.screen import TimeMachineScreen


class MomentProjector(ProjectorScreen):
    """Shows the moment that is selected in the time machine below, which plays and moves as there."""

    BINDINGS = [
        bind("space", "play", "Play", "machine.play", "Play all steps, or pause"),
    ]

    def __init__(self, below: TimeMachineScreen) -> None:
        super().__init__()
        self._below = below

    def chart(self) -> MomentChart:
        return MomentChart(id="moment-chart")

    def update_view(self) -> None:
        """Show the selected moment, and the beginning of its text."""
        machine, history = self._below.machine, self._below.history
        step = machine.step
        self.query_one(MomentChart).show_step(history, step, "waiting for the first step")
        written = machine.written()
        if step is not None and written is not None:
            self.show_numbers(numbers_of(step, loss_at(history, step)), f"{machine.prompt}{written}".strip())

    def action_play(self) -> None:
        below = self._below
        if below.is_playing:
            below.action_pause()
        else:
            below.action_play()

    @on(MomentChart.Moved)
    def _moved(self, message: MomentChart.Moved) -> None:
        self._below.action_go(message.by)
        self.update_view()

    @on(MomentChart.Pointed)
    def _pointed(self, message: MomentChart.Pointed) -> None:
        self._below.select_step(message.step)
        self.update_view()
