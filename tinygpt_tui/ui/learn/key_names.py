"""Keys in the texts of lessons: `{generate.microscope}` is shown as the key that it has now, also the user's own."""

from __future__ import annotations

import re

from textual.app import App
from textual.binding import Binding

from tinygpt_tui.ui.shell.keymap import default_bindings

KEY = re.compile(r"\{([a-z-]+\.[a-z_-]+)\}")
NO_TEXT_BOX = "microscope."  # bindings for which a letter will do, as in the line of keys
EVERYWHERE = re.compile(r"(ctrl|alt)\+|f\d|enter|escape|tab")  # a letter would be typed into a text box


def with_keys(app: App[None], text: str) -> str:
    """Return a text with the keys in the place of their bindings; an unknown binding stays as it is."""

    def shown(found: re.Match[str]) -> str:
        key = key_of(app, found[1])
        return found[0] if key is None else app.get_key_display(Binding(key, ""))

    return KEY.sub(shown, text)


def key_of(app: App[None], name: str) -> str | None:
    """Return the key of a binding, of several one that text boxes leave alone; None if there is no such binding."""
    bindings = default_bindings().get(name)
    if bindings is None:
        return None
    keys = app._keymap[name].split(",") if name in app._keymap else [one.key for one in bindings]
    everywhere = (one for one in keys if EVERYWHERE.match(one) and not name.startswith(NO_TEXT_BOX))
    return next(everywhere, keys[0])
