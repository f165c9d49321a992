"""The tabs of the app: title and keys; `ui/app.py` has a constructor for the screen of each."""

from __future__ import annotations

from typing import NamedTuple


class Tab(NamedTuple):
    """One tab, as the tab bar shows it."""

    title: str
    keys: str  # the first one is shown


TABS: dict[str, Tab] = {
    "generate": Tab("Generate", "f2,alt+1"),
    "train": Tab("Train", "f3,alt+2"),
    "race": Tab("Race", "f4,alt+3"),
    "runs": Tab("Runs", "f7,alt+4"),
    "inspect": Tab("Inspect", "f10,alt+5"),
}
