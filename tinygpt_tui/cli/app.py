"""tinygpt-tui: open the app; nothing of the other commands is imported on the way."""

from __future__ import annotations

import gc
import sys

from tinygpt_tui.cli.output import say, say_error
from tinygpt_tui.errors import ExitCode, TinyGPTError
from tinygpt_tui.settings.computing import AUTO


def open_app(device: str = AUTO) -> int:
    """Open the app where there is a terminal to open it in; return the exit code. Its models compute on `device`."""
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        say("tinygpt-tui: the app needs a terminal; see `tinygpt-tui --help` for commands that do not")
        return int(ExitCode.USAGE)
    # Nothing that is made while starting is garbage, and looking for some costs a tenth of the time to the first
    # picture; the app turns the collector on again behind it.
    gc.disable()
    from tinygpt_tui.ui.app import run

    try:
        return run(device)
    except TinyGPTError as error:  # text that could not be saved
        say_error(error)
        return int(error.exit_code)
    finally:
        _hand_over()


def _hand_over() -> None:
    """Give the platform's trash what was thrown away: nobody can take it back with a key any more."""
    from tinygpt_tui.runs.trash import hand_over

    hand_over()
