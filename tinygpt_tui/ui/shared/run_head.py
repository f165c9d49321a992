"""The top of the live view: which run it is, what it is doing, and how far it has come."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.ui.jobs.training_session import Phase
from tinygpt_tui.words import bar, shortened

SIGNS = {
    Phase.READING: "◌",
    Phase.STARTING: "◌",
    Phase.TRAINING: "▶",
    Phase.PAUSING: "‖",
    Phase.PAUSED: "‖",
    Phase.STOPPING: "■",
    Phase.FINISHED: "✓",
    Phase.STOPPED: "■",
    Phase.FAILED: "✗",
    Phase.DIED: "✗",
}


class TrainHead(Static):
    """Two lines: name and phase, then the steps as a bar."""

    DEFAULT_CSS = "TrainHead { height: 2; text-wrap: nowrap; text-overflow: ellipsis; }"

    def show_run(self, name: str, about: str, phase: Phase, history: RunHistory) -> None:
        """Show the state and progress of the run; where there is little room, what it is about is cut."""
        doing = f"{SIGNS[phase]} {_phase_words(phase, history)}"
        room = (self.size.width or len(about) + 80) - cell_len(name) - cell_len(doing) - 4
        first = Content.from_markup(
            "[b]$name[/]  [$foreground-muted]$about[/]  [b]$doing[/]",
            name=name,
            about=shortened(about, max(1, room)),
            doing=doing,
        )
        self.update(Content("\n").join([first, self._bar(history)]))

    def _bar(self, history: RunHistory) -> Content:
        share = history.step / history.steps if history.steps else 0.0
        said = f"step {history.step:,} of {history.steps:,}"
        room = max(0, self.size.width - len(said) - 9)
        drawn = bar(share, room)
        return Content.from_markup(
            "$said  [$primary]$drawn[/][$panel-lighten-2]$rest[/] $percent",
            said=said,
            drawn=drawn,
            rest="·" * (room - len(drawn)),
            percent=f"{int(share * 100):3} %",
        )


def _phase_words(phase: Phase, history: RunHistory) -> str:
    """Return what the run is doing, with the progress of slow steps."""
    if not history.progress_words or not phase.live:
        return phase.value
    if phase is Phase.STARTING:
        return history.progress_words
    return f"{phase.value.rstrip('…').partition(':')[0]}: {history.progress_words}"
