"""Panes side by side; with less room one of the outer ones is beside the middle, or they are drawers over it."""

from __future__ import annotations

from textual import events
from textual.containers import Horizontal
from textual.widget import Widget

from tinygpt_tui.ui.shared.message import Message

# Columns from which a pane is beside the middle. The settings leave a text 74, enough for a line of verse, and
# hide none of it as they would over it. The models, which one looks at while one writes, leave it 56.
LEFT_FROM, RIGHT_FROM = 88, 112
BOTH_FROM = 140  # columns from which both are; below, the right one is in the place of the left one when opened


class SidePanes(Horizontal):
    """Left, middle and right. With room, left is always shown and right if wanted; with less, right when opened."""

    DEFAULT_CSS = """
    SidePanes {
        height: 1fr;
        layers: base drawer;
        & > .-left, & > .-right { display: none; }
        & > .-shown { display: block; }
        & > .-drawer { layer: drawer; max-width: 90%; height: 100%; }
        & > .-drawer.-left { dock: left; }
        & > .-drawer.-right { dock: right; width: 40; }
    }
    """

    class RightToggled(Message):
        """The user shows or hides the right pane."""

        wanted: bool

    def __init__(self, left: Widget, middle: Widget, right: Widget, *, right_wanted: bool) -> None:
        super().__init__(left, middle, right)
        self._left, self._right = left, right
        self._right_wanted = right_wanted
        self._open: Widget | None = None
        self._width = self.app.size.width  # before the first layout, so that the first picture is right at once
        left.add_class("-left")
        right.add_class("-right")
        self._arrange()

    def is_drawer(self, pane: Widget) -> bool:
        """Whether an outer pane has room only over the middle."""
        return self._width < (LEFT_FROM if pane is self._left else RIGHT_FROM)

    def on_resize(self, event: events.Resize) -> None:
        self._width = event.size.width
        self._arrange()

    def is_shown(self, pane: Widget) -> bool:
        if self.is_drawer(pane):
            return pane is self._open
        if RIGHT_FROM <= self._width < BOTH_FROM:
            return (pane is self._right) == (self._open is self._right)
        return pane is self._left or self._right_wanted

    def open(self, pane: Widget) -> None:
        self._open = pane
        if pane is self._right and self._width >= BOTH_FROM:
            self._set_right(True)
        self._arrange()

    def close(self, pane: Widget) -> None:
        """Hide an outer pane; the left one stays if there is room for it."""
        if pane is self._right and self._width >= BOTH_FROM:
            self._set_right(False)
        self.close_drawers()

    def close_drawers(self) -> None:
        self._open = None
        self._arrange()

    def _set_right(self, wanted: bool) -> None:
        if wanted != self._right_wanted:
            self._right_wanted = wanted
            self.post_message(self.RightToggled(wanted))

    def _arrange(self) -> None:
        for pane in (self._left, self._right):
            pane.set_class(self.is_drawer(pane), "-drawer")
            pane.set_class(self.is_shown(pane), "-shown")
