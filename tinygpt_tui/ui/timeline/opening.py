"""Opens the time machine over a tab."""

from __future__ import annotations

from pathlib import Path

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.ui.shell.tab_screen import TabScreen

SHOWN_RUN = "shakespeare"  # the bundled model whose training is shown to those who have no run yet


def open_time_machine(screen: TabScreen, model: Path, *, prompt: str = "", play: bool = False) -> None:
    """Open the time machine of the run that trained `model`; `screen` shows why that is impossible."""
    from tinygpt_tui.ui.timeline.screen import TimeMachineScreen

    try:
        machine = TimeMachineScreen.of_model(model, screen.TAB, prompt=prompt, play=play)
    except TinyGPTError as error:
        screen.show_error(error)
    else:
        screen.app.push_screen(machine)
