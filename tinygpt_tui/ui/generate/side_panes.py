"""Panes beside one another; where there is no room for that, the outer ones are drawers over the middle."""

from __future__ import annotations

from textual import events
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget

LEFT_FROM, RIGHT_FROM = 88, 112  # columns from which a pane stands beside the middle


class SidePanes(Horizontal):
    """Left, middle and right. With room for it, left always shows and right if wished; without, when it is opened."""

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

    class RightWished(Message):
        """Somebody wants the right pane always to be seen beside the middle, or not."""

        def __init__(self, wished: bool) -> None:
            super().__init__()
            self.wished = wished

    def __init__(self, left: Widget, middle: Widget, right: Widget, *, right_wished: bool) -> None:
        super().__init__(left, middle, right)
        self._left, self._right = left, right
        self._right_wished = right_wished
        self._open: Widget | None = None
        self._width = self.app.size.width  # before the first layout, so that the first picture is right at once
        left.add_class("-left")
        right.add_class("-right")
        self._arrange()

    def is_drawer(self, pane: Widget) -> bool:
        """Whether there is no room for an outer pane but over the middle."""
        return self._width < (LEFT_FROM if pane is self._left else RIGHT_FROM)

    def on_resize(self, event: events.Resize) -> None:
        """Make drawers of the panes, or panes of the drawers."""
        self._width = event.size.width
        self._arrange()

    def is_shown(self, pane: Widget) -> bool:
        """Whether an outer pane can be seen."""
        if self.is_drawer(pane):
            return pane is self._open
        return pane is self._left or self._right_wished

    def open(self, pane: Widget) -> None:
        """Show an outer pane."""
        self._open = pane
        if pane is self._right and not self.is_drawer(pane):
            self._wish(True)
        self._arrange()

    def close(self, pane: Widget) -> None:
        """Hide an outer pane; the left one stays where there is room for it."""
        if pane is self._right and not self.is_drawer(pane):
            self._wish(False)
        self.close_drawers()

    def close_drawers(self) -> None:
        """Hide what lies over the middle."""
        self._open = None
        self._arrange()

    def _wish(self, wished: bool) -> None:
        if wished != self._right_wished:
            self._right_wished = wished
            self.post_message(self.RightWished(wished))

    def _arrange(self) -> None:
        for pane in (self._left, self._right):
            pane.set_class(self.is_drawer(pane), "-drawer")
            pane.set_class(self.is_shown(pane), "-shown")
