"""The tabs of the app: title, key, and the screen behind each; a new screen is a row here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tinygpt_tui.ui.screens.base import TabScreen


class Tab(NamedTuple):
    """One tab. `make` imports its screen only when the tab is first shown."""

    title: str
    key: str
    make: Callable[[], TabScreen]


def _generate() -> TabScreen:
    from tinygpt_tui.ui.screens.generate import GenerateScreen

    return GenerateScreen()


def _train() -> TabScreen:
    from tinygpt_tui.ui.screens.train import TrainScreen

    return TrainScreen()


def _race() -> TabScreen:
    from tinygpt_tui.ui.screens.race import RaceScreen

    return RaceScreen()


def _runs() -> TabScreen:
    from tinygpt_tui.ui.screens.runs import RunsScreen

    return RunsScreen()


def _inspect() -> TabScreen:
    from tinygpt_tui.ui.screens.inspect import InspectScreen

    return InspectScreen()


TABS: dict[str, Tab] = {
    "generate": Tab("Generate", "f2", _generate),
    "train": Tab("Train", "f3", _train),
    "race": Tab("Race", "f4", _race),
    "runs": Tab("Runs", "f7", _runs),
    "inspect": Tab("Inspect", "f10", _inspect),
}
