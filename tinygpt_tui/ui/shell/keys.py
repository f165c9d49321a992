"""The keys that work now, as rows: for the help and the command palette."""

from __future__ import annotations

from typing import Any, NamedTuple

from textual.app import App
from textual.binding import ActiveBinding, Binding
from textual.screen import Screen


class KeyRow(NamedTuple):
    """One action and all its keys."""

    keys: str
    title: str
    tooltip: str
    active: ActiveBinding


def shown_key(app: App[Any], binding: str, default: str) -> str:
    """Return the first key of a binding of the app, by its id, as it is shown: the user's own or the `default`."""
    key = app._keymap.get(binding, default).split(",")[0]
    return app.get_key_display(Binding(key, ""))


def keys_of(screen: Screen[object]) -> list[KeyRow]:
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
