"""The line at the bottom: the keys that work now, and the palette's at its end; a click presses one.

Textual's own footer has a widget for each key and builds them all again whenever a key comes or goes, which delays keys
pressed meanwhile. This one is a single widget that draws its line again if it changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.screen import Screen
from textual.widget import Widget

GAP = 1  # cells after a key
MORE = "…"  # there are keys that do not fit; the wheel shows them
PALETTE = "app.palette"  # the binding that is always shown, at the right


class ShownKey(NamedTuple):
    """A key as the bar shows it."""

    key: str  # Textual's name
    display: str
    description: str
    tooltip: str
    enabled: bool

    @property
    def width(self) -> int:
        """How many cells it takes, without the gap after it."""
        return cell_len(self.display) + 1 + cell_len(self.description)


class KeyBar(Widget):
    """Shows the keys of the screen's bindings, as many as fit."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"key-bar--key", "key-bar--description", "key-bar--over"}
    DEFAULT_CSS = """
    KeyBar {
        height: 1; dock: bottom;
        color: $footer-foreground; background: $footer-background;
        & > .key-bar--key { color: $footer-key-foreground; text-style: bold; }
        & > .key-bar--description { color: $footer-description-foreground; }
        & > .key-bar--over { color: $footer-key-foreground; background: $block-hover-background; }
        &.-over { pointer: pointer; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[ShownKey] = []
        self.palette: ShownKey | None = None  # None in a dialog, which the app's keys do not reach
        self._first = 0  # of those that are drawn
        self._over: ShownKey | None = None  # under the mouse
        self._update_queued = False

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        # Several changes in one turn are one update; without the terminal's focus the keys stay.
        if self.app.app_focus and not self._update_queued:
            self._update_queued = self.call_after_refresh(self._update_keys)

    def _update_keys(self) -> None:
        self._update_queued = False
        if not self.is_attached:
            return
        keys, palette = self._keys_now(), self._palette_now()
        if (keys, palette) != (self.keys, self.palette):
            self.keys, self.palette, self._first = keys, palette, 0
            self._point_at(None)
            self.refresh()

    def _keys_now(self) -> list[ShownKey]:
        shown: dict[str, ShownKey] = {}  # by action: of several keys for one, the first
        for _, binding, enabled, tooltip in self.screen.active_bindings.values():
            if binding.show and binding.action not in shown:
                display = self.app.get_key_display(binding)
                shown[binding.action] = ShownKey(binding.key, display, binding.description, tooltip, enabled)
        if "cancel" in shown:  # a dialog inherits it from its frame; the way out comes last
            shown["cancel"] = shown.pop("cancel")
        return sorted(shown.values(), key=lambda key: key.key != "enter")  # what one came to do is first

    def _palette_now(self) -> ShownKey | None:
        for _, binding, enabled, tooltip in self.screen.active_bindings.values():
            if binding.id == PALETTE:
                display = self.app.get_key_display(binding)
                return ShownKey(binding.key, display, binding.description, tooltip, enabled)
        return None

    def render(self) -> Text:
        """Draw the keys that fit; the one under the mouse is highlighted."""
        style = {name: self.get_component_rich_style(f"key-bar--{name}") for name in ("key", "description", "over")}
        line = Text(no_wrap=True, overflow="crop", end="")
        for at, key in self._placed():
            of_key, of_rest = (style["over"],) * 2 if key is self._over else (style["key"], style["description"])
            both = Text.assemble((key.display, of_key), (f" {key.description}", of_rest))
            if not key.enabled:
                both.stylize("dim")
            if key is self.palette:
                cut = self._first + len(self._fitting()) < len(self.keys)
                line.append(MORE if cut else "", style["description"])
                line.append(" " * (at - line.cell_len))
            line.append_text(both).append(" " * GAP)
        if self.palette is None and self._first + len(self._fitting()) < len(self.keys):
            line.append(MORE, style["description"])
        return line

    def _placed(self) -> list[tuple[int, ShownKey]]:
        """Return the keys that are drawn, each with its first cell."""
        end = [] if self.palette is None else [(self.content_size.width - self.palette.width, self.palette)]
        return [*self._fitting(), *end]

    def _fitting(self) -> list[tuple[int, ShownKey]]:
        """Return the keys that fit; leaves a cell for the sign that there are more, and room for the palette's."""
        taken = 0 if self.palette is None else GAP + self.palette.width
        return list(_placed(self.keys[self._first :], self.content_size.width - taken))

    def key_at(self, x: int) -> ShownKey | None:
        return next((key for at, key in self._placed() if at <= x < at + key.width), None)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._point_at(self.key_at(event.x))

    def on_leave(self) -> None:
        self._point_at(None)

    def _point_at(self, key: ShownKey | None) -> None:
        if key is not self._over:
            self._over = key
            self.tooltip = key.tooltip if key else None
            self.set_class(key is not None, "-over")
            self.refresh()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        key = self.key_at(event.x)
        if key is None:
            return
        if key.enabled:
            self.app.simulate_key(key.key)
        else:
            self.app.bell()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        if self._first + len(self._fitting()) < len(self.keys):
            self._go_to(self._first + 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._go_to(max(0, self._first - 1))

    def _go_to(self, first: int) -> None:
        if first != self._first:
            self._first = first
            self._point_at(None)
            self.refresh()


def _placed(keys: list[ShownKey], width: int) -> Iterable[tuple[int, ShownKey]]:
    at = 0
    for number, key in enumerate(keys):
        last = number == len(keys) - 1
        if at + key.width + (0 if last else GAP + cell_len(MORE)) > width:
            return
        yield at, key
        at += key.width + GAP
