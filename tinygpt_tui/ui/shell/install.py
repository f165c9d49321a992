"""Offers to copy the command that installs a package which is missing."""

from __future__ import annotations

from textual.app import App

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.packages import command_in
from tinygpt_tui.ui.shared.confirm import ConfirmScreen


def offer_install(app: App[None], error: TinyGPTError) -> bool:
    """Ask whether the command in the error's hint is to be copied; return False where there is none."""
    command = command_in(error.hint)
    if not command:
        return False
    if not isinstance(app.screen, ConfirmScreen):

        def copy(agreed: bool | None) -> None:
            if agreed:
                app.copy_to_clipboard(command)
                app.notify("copied: run it in a terminal, then try again", timeout=5)

        app.push_screen(ConfirmScreen("a package is missing", f"{error.message}.\n\n{command}", "Copy command"), copy)
    return True
