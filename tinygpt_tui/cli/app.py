"""tinygpt-tui: open the app, without importing anything for the other commands."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

from tinygpt_tui.cli.output import is_plain, notify, print_error
from tinygpt_tui.errors import ExitCode, TinyGPTError
from tinygpt_tui.settings.computing import AUTO


def open_app(device: str = AUTO, lessons_from: tuple[Path, str] | None = None) -> int:
    """Open the app, whose models compute on `device`; return the exit code. Needs a terminal.

    `lessons_from` is a folder of lessons and their language: the app opens with the list of them.
    """
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        notify("tinygpt-tui: the app needs a terminal; `tinygpt-tui --help` lists commands that do not")
        return int(ExitCode.USAGE)
    if is_plain():
        notify(
            f"tinygpt-tui: the app draws, and this terminal (TERM={os.environ['TERM']}) only prints lines; "
            "`tinygpt-tui generate` writes after each prompt, `train` and `watch` report in lines"
        )
        return int(ExitCode.USAGE)
    # Starting creates no garbage, and collecting takes a tenth of the time to the first picture. The app turns the
    # collector on again after that picture.
    gc.disable()
    from tinygpt_tui.ui.app import run

    try:
        return run(device, lessons_from)
    except TinyGPTError as error:  # text that could not be saved
        print_error(error)
        return int(error.exit_code)
    finally:
        _hand_over()


def _hand_over() -> None:
    """Move deleted runs to the system trash: undo ends with the app."""
    from tinygpt_tui.runs.trash import hand_over

    hand_over()
