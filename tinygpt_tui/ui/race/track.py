"""Where the race's panes stand: beside one another, two by two, or one below another, as the width allows."""

from __future__ import annotations

from textual import events
from textual.containers import Container

from tinygpt_tui.ui.race.pane import RacePane

LEAST_WIDTH = 36  # columns of a pane in which text can still be read
GOOD_WIDTH = 45  # columns of a pane for which more than two stand in a row
LEAST_HEIGHT = 6  # rows of a pane; with less, the panes scroll


class RaceTrack(Container):
    """A grid of panes that arranges itself anew when its size or their number changes."""

    DEFAULT_CSS = """
    RaceTrack {
        layout: grid;
        height: 1fr;
        overflow: hidden auto;
        scrollbar-size-vertical: 1;
        & > .-wide { column-span: 2; }
    }
    """

    def __init__(self, *panes: RacePane) -> None:
        super().__init__(*panes)
        self._room = self.app.size  # before the first layout, so that the first picture is right at once
        self._arrange(list(panes))

    @property
    def panes(self) -> list[RacePane]:
        """The panes, in their order."""
        return list(self.query(RacePane))

    def on_resize(self, event: events.Resize) -> None:
        """Arrange for the new size."""
        self._room = event.size
        self._arrange(self.panes)

    async def add(self, pane: RacePane) -> None:
        """Put one more pane at the end."""
        await self.mount(pane)
        self._arrange(self.panes)

    async def take_out(self, pane: RacePane) -> None:
        """Take a pane out."""
        await pane.remove()
        self._arrange(self.panes)

    def _arrange(self, panes: list[RacePane]) -> None:
        """Put the panes in as many columns as there is room for."""
        columns = columns_for(len(panes), self._room.width)
        rows = -(-len(panes) // columns)
        enough = self._room.height >= rows * LEAST_HEIGHT
        self.styles.grid_size_columns = columns
        self.styles.grid_rows = "1fr" if enough else str(LEAST_HEIGHT)
        odd = columns == 2 and len(panes) % 2 == 1
        for pane in panes:
            pane.set_class(odd and pane is panes[-1], "-wide")


def columns_for(panes: int, width: int) -> int:
    """Return how many panes stand in a row: all where each is wide enough, else two, else one.

    >>> columns_for(2, 80), columns_for(3, 80), columns_for(3, 140), columns_for(4, 140), columns_for(4, 60)
    (2, 2, 3, 2, 1)
    """
    if panes > 2 and width // panes >= GOOD_WIDTH:
        return panes
    return min(2, panes) if width // 2 >= LEAST_WIDTH else 1
