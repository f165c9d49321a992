"""The screen of each tab and the palette, each imported when it is first shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

if TYPE_CHECKING:
    from textual.command import Provider

    from tinygpt_tui.ui.shell.tab_screen import TabScreen


def _generate() -> TabScreen:
    from tinygpt_tui.ui.generate.screen import GenerateScreen

    return GenerateScreen()


def _train() -> TabScreen:
    from tinygpt_tui.ui.train.screen import TrainScreen

    return TrainScreen()


def _race() -> TabScreen:
    from tinygpt_tui.ui.race.screen import RaceScreen

    return RaceScreen()


def _runs() -> TabScreen:
    from tinygpt_tui.ui.runs.screen import RunsScreen

    return RunsScreen()


def _inspect() -> TabScreen:
    from tinygpt_tui.ui.inspect.screen import InspectScreen

    return InspectScreen()


def palette() -> type[Provider]:
    from tinygpt_tui.ui.find.palette import Palette

    return Palette


SCREENS: dict[str, str | Callable[[], Screen[Any]]] = {  # as App.MODES has it
    "generate": _generate,
    "train": _train,
    "race": _race,
    "runs": _runs,
    "inspect": _inspect,
}
