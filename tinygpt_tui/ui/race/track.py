"""The race's panes: beside one another, two by two, or one below another, as the width allows; one is chosen."""

from __future__ import annotations

from collections.abc import Iterator

from textual import events
from textual.containers import Container
from textual.message import Message

from tinygpt_tui.ui.race.lanes import Contender, Lane, Race
from tinygpt_tui.ui.race.pane import RacePane

LEAST_WIDTH = 36  # columns of a pane in which text can still be read
GOOD_WIDTH = 45  # columns of a pane that allow more than two in a row
LEAST_HEIGHT = 6  # rows of a pane; with less, the panes scroll


class RaceTrack(Container):
    """A pane for each lane of a race; the keys apply to the chosen one: that which has, or last had, the focus."""

    DEFAULT_CSS = """
    RaceTrack {
        layout: grid;
        height: 1fr;
        overflow: hidden auto;
        scrollbar-size-vertical: 1;
        & > .-wide { column-span: 2; }
    }
    """

    class Chosen(Message):
        """Another pane is the chosen one."""

    def __init__(self, race: Race) -> None:
        panes = [RacePane() for _ in race.lanes]
        super().__init__(*panes)
        self.panes = panes  # always one for each lane, also while one is being mounted
        self.race = race
        self.chosen = 0
        self._room = self.app.size  # before the first layout, so that the first picture is right at once
        self._arrange()

    # The chosen pane

    @property
    def lane(self) -> Lane:
        return self.race.lanes[self.chosen]

    def choose(self, index: int) -> None:
        """Have the keys apply to another pane."""
        self.chosen = index
        self.post_message(self.Chosen())

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        for index, pane in enumerate(self.panes):
            if pane.has_focus_within and index != self.chosen:
                self.choose(index)

    async def add(self, contender: Contender) -> None:
        """Add a lane and its pane, and choose it."""
        pane = RacePane()
        await self.mount(pane)
        self.panes.append(pane)
        self.race.add(contender)
        pane.output.set_hint(self.panes[0].output.hint)
        self._arrange()
        self.choose(len(self.panes) - 1)
        if self.has_focus_within:
            pane.output.focus()

    async def remove_chosen(self) -> None:
        """Remove the chosen pane, whose lane was just removed."""
        pane = self.panes.pop(self.chosen)
        had_focus = pane.has_focus_within
        self.choose(min(self.chosen, len(self.panes) - 1))
        await pane.remove()
        self._arrange()
        if had_focus:
            self.panes[self.chosen].output.focus()

    # Showing

    def _pairs(self) -> Iterator[tuple[int, RacePane, Lane]]:
        return ((index, pane, lane) for index, (pane, lane) in enumerate(zip(self.panes, self.race.lanes, strict=True)))

    def show_lanes(self) -> None:
        """Show in each pane who writes there."""
        first = self.race.lanes[0].contender.sampling
        for index, pane, lane in self._pairs():
            pane.show_lane(index + 1, lane, first, chosen=index == self.chosen)

    def show_differences(self) -> None:
        """Mark the differences, and show the progress of the panes that have ended."""
        race = self.race
        same_until, begins = race.first_difference, len(race.prompt or "")
        for index, pane, lane in self._pairs():
            until = same_until if index == 0 else lane.differs_at
            marks = tuple(begins + offset for offset in race.marks(index))
            pane.output.mark(marks, None if until is None else begins + until)
            pane.output.colour(race.colours(index), begins)
            if not lane.writing.busy:
                pane.show_progress(index + 1, lane)

    def show_progress(self) -> None:
        for index, pane, lane in self._pairs():
            if lane.writing.busy:
                pane.show_progress(index + 1, lane)

    def set_hint(self, hint: str) -> None:
        """Show a hint in the empty panes."""
        for pane in self.panes:
            pane.output.set_hint(hint)

    def reset(self, prompt: str) -> None:
        """Show only the prompt in all panes."""
        for pane in self.panes:
            pane.output.reset(prompt)

    # Scrolling, all together, so that the same places are side by side

    def scroll_pages(self, direction: int) -> None:
        for pane in self.panes:
            if direction < 0:
                pane.output.scroll_page_up(animate=False)
            else:
                pane.output.scroll_page_down(animate=False)

    def scroll_to_difference(self) -> None:
        for pane in self.panes:
            pane.output.scroll_to_mark()

    def follow_ends(self) -> None:
        for pane in self.panes:
            pane.output.action_follow()

    # Layout

    def on_resize(self, event: events.Resize) -> None:
        self._room = event.size
        self._arrange()

    def _arrange(self) -> None:
        """Put the panes in as many columns as there is room for."""
        panes = self.panes
        columns = columns_for(len(panes), self._room.width)
        rows = -(-len(panes) // columns)
        enough = self._room.height >= rows * LEAST_HEIGHT
        self.styles.grid_size_columns = columns
        self.styles.grid_rows = "1fr" if enough else str(LEAST_HEIGHT)
        odd = columns == 2 and len(panes) % 2 == 1
        for pane in panes:
            pane.set_class(odd and pane is panes[-1], "-wide")


def columns_for(panes: int, width: int) -> int:
    """Return how many panes are in a row: all if each is wide enough, else two, else one.

    >>> columns_for(2, 80), columns_for(3, 80), columns_for(3, 140), columns_for(4, 140), columns_for(4, 60)
    (2, 2, 3, 2, 1)
    """
    if panes > 2 and width // panes >= GOOD_WIDTH:
        return panes
    return min(2, panes) if width // 2 >= LEAST_WIDTH else 1
