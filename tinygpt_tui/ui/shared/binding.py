"""Keys as the app binds them: each with an id, by which the settings file gives it other keys, and a tooltip."""

from __future__ import annotations

from functools import partial

from textual.binding import Binding


def bind(
    keys: str,
    action: str,
    title: str,
    id: str,
    tooltip: str,
    *,
    show: bool = True,
    priority: bool = False,
    display: str | None = None,
) -> Binding:
    """Return a binding; `display` is how the key is written, and with `priority` it comes before that of the focus."""
    return Binding(keys, action, title, show, display, priority, tooltip, id)


bind_hidden = partial(bind, show=False)  # in the help and the palette, but not in the line of keys
bind_over = partial(bind_hidden, priority=True)  # also where the focus has a key of its own
