"""The tabs of the app: title and keys; `ui/screens.py` has a constructor for the screen of each."""

from __future__ import annotations

from typing import NamedTuple


class Tab(NamedTuple):
    """One tab, as the tab bar shows it."""

    title: str
    short: str  # the title where there is little room
    keys: str  # the first one is shown


TABS: dict[str, Tab] = {
    "generate": Tab("Generate", "Gen", "f2,alt+1"),
    "train": Tab("Train", "Train", "f3,alt+2"),
    "race": Tab("Race", "Race", "f4,alt+3"),
    "runs": Tab("Runs", "Runs", "f7,alt+4"),
    "inspect": Tab("Inspect", "Insp", "f10,alt+5"),
}
