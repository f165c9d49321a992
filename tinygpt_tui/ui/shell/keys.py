"""The keys that work now, as rows: for the help and the command palette."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from textual.app import App
from textual.binding import ActiveBinding, Binding
from textual.screen import Screen

from tinygpt_tui.ui.shell.other_names import OTHER_NAMES

FIRST = 6  # what one does every day, in front of all others
# The everyday acts of the Generate tab, in their order; elsewhere they are the first ones of the key bar.
EVERYDAY = (
    "generate.generate",
    "generate.go_on",
    "generate.microscope",
    "generate.sampling",
    "generate.models",
    "app.palette",
    "generate.sessions",
)


class KeyRow(NamedTuple):
    """One action and all its keys."""

    keys: str
    title: str
    tooltip: str
    active: ActiveBinding

    @property
    def id(self) -> str:
        return self.active.binding.id or ""

    @property
    def searched(self) -> str:
        """The words by which it is found, in lower case."""
        names = OTHER_NAMES.get(self.id, "")
        return f"{self.title} {self.keys} {self.tooltip} {names}".casefold()


def shown_key(app: App[Any], binding: str, default: str) -> str:
    """Return the first key of a binding of the app, by its id, as it is shown: the user's own or the `default`."""
    key = app._keymap.get(binding, default).split(",")[0]
    return app.get_key_display(Binding(key, ""))


def keys_of(screen: Screen[Any]) -> list[KeyRow]:
    """Return a row for each named action that can be done now, in the order of the focus's chain."""
    rows: dict[str, KeyRow] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if not binding.id or not active.enabled:
            continue
        key = screen.app.get_key_display(binding)
        known = rows.get(binding.id)
        keys = f"{known.keys} {key}" if known else key
        rows[binding.id] = KeyRow(keys, binding.description, binding.tooltip, active)
    return list(rows.values())


def everyday(rows: Iterable[KeyRow]) -> list[KeyRow]:
    """Return the few actions that come first."""
    known = {row.id: row for row in rows}
    named = [known[id] for id in EVERYDAY if id in known]
    others = [row for row in known.values() if row.active.binding.show and row not in named]
    return [*named, *others][:FIRST]


def groups_of(rows: list[KeyRow]) -> list[tuple[str, list[KeyRow]]]:
    """Return the rows in groups with titles: the everyday ones, then by where their keys work; none is empty."""
    first = everyday(rows)
    groups: dict[str, list[KeyRow]] = {"Every day": first, "This box": [], "This screen": [], "Everywhere": []}
    for row in rows:
        if row not in first:
            node = row.active.node
            place = "Everywhere" if isinstance(node, App) else "This screen" if isinstance(node, Screen) else "This box"
            groups[place].append(row)
    groups["Everywhere"].sort(key=_place_in_app)
    return [(title, found) for title, found in groups.items() if found]


def _place_in_app(row: KeyRow) -> int:
    """Return where the app lists a binding; a text box may have a key of the app's, which then comes first."""
    names = [binding.id for bindings in row.active.node._bindings.key_to_bindings.values() for binding in bindings]
    return names.index(row.id)
