"""The tabs of the app: title and key; `ui/app.py` has a constructor for the screen of each."""

from __future__ import annotations

from typing import NamedTuple


class Tab(NamedTuple):
    """One tab, as the tab bar shows it."""

    title: str
    key: str


TABS: dict[str, Tab] = {
    "generate": Tab("Generate", "f2"),
    "train": Tab("Train", "f3"),
    "race": Tab("Race", "f4"),
    "runs": Tab("Runs", "f7"),
    "inspect": Tab("Inspect", "f10"),
}
