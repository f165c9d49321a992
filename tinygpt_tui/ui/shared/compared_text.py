"""A text in a race: marks where it leaves the first one, and runs a bar along what is the same."""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tinygpt_tui.ui.shared.text_painter import GUTTER
from tinygpt_tui.ui.shared.text_view import TextView
from tinygpt_tui.ui.shared.wrapping import Line, shown


class RaceText(TextView):
    """Draws over what the output pane drew: the pane's own bar, of the model's window, gives way."""

    HELP = (
        "One pane of the race: your prompt in bold, then what its model writes.\n\n"
        "All panes have the same prompt and the same random numbers, so what differs is the models' or the settings' "
        "doing. The reversed character is the first one that differs from pane 1; the bar at the left runs along what "
        "is the same, and what differs is coloured. In pane 1 the places are marked where each of the others leaves "
        "it.\n\nAt the end each model reads all texts. The line below says how surprised it is by its own text and by "
        "the others', in bits a character: 1 is as surprising as a coin toss, and a model finds its own text the least "
        "surprising."
    )
    COMPONENT_CLASSES = {"race-text--mark", "output--differs-1"}
    DEFAULT_CSS = """
    RaceText {
        & .race-text--mark { text-style: bold underline reverse; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._marks: tuple[int, ...] = ()
        self._same_until: int | None = None
        self._differs = bytearray()

    def reset(self, text: str = "", prompt_end: int | None = None) -> None:
        """Show another text, without marks."""
        self._marks, self._same_until = (), None
        self._text_marks.levels, self._text_marks.kind = bytearray(), "differs"
        super().reset(text, prompt_end)

    def mark(self, marks: tuple[int, ...], same_until: int | None) -> None:
        """Mark these offsets; the bar ends at `same_until`, or nowhere."""
        if (marks, same_until) != (self._marks, self._same_until):
            self._marks, self._same_until = marks, same_until
            self.refresh()

    def colour(self, differs: bytearray, begins: int) -> None:
        """Colour the characters that are 1 in `differs`, the first of which is at offset `begins` of the text."""
        levels = self._text_marks.levels
        if differs is not self._differs or not levels:
            self._differs, levels = differs, bytearray(begins)
            self._text_marks.levels = levels
        if len(levels) < begins + len(differs):
            levels += differs[len(levels) - begins :]
            self.refresh()

    def scroll_to_mark(self) -> None:
        """Bring the first mark into sight, where there is one."""
        if self._marks:
            row = self.wrapped.row_of(self._marks[0])
            self.scroll_to(y=row - self.scrollable_content_region.height // 2, animate=False)

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        row = y + self.scroll_offset.y
        if not self.text or row >= len(self.lines):
            return strip
        line = self.lines[row]
        following = self.lines[row + 1].start if row + 1 < len(self.lines) else len(self.text) + 1
        for offset in self._marks:
            if line.start <= offset < following:
                strip = self._marked(strip, line, offset)
        return self._with_bar(strip, line, following)

    def _marked(self, strip: Strip, line: Line, offset: int) -> Strip:
        """Mark one character; a line's end, or the text's, is marked by the empty cell behind it."""
        before = GUTTER + cell_len(shown(self.text[line.start : min(offset, line.end)]))
        until = GUTTER + cell_len(shown(self.text[line.start : min(offset + 1, line.end)]))
        left = min(before, strip.cell_length - 1)  # spaces hang over the edge
        right = max(until, left + 1)
        style = self.get_component_rich_style("race-text--mark")
        character = [
            Segment(segment.text, (segment.style or Style()) + style, segment.control)
            for segment in strip.crop(left, right)
        ]
        return Strip.join([strip.crop(0, left), Strip(character), strip.crop(right)])

    def _with_bar(self, strip: Strip, line: Line, following: int) -> Strip:
        """Let the bar end where the same ends."""
        if self._same_until is None or self._same_until >= following:
            bar = "│"
        else:
            bar = "╰" if line.start <= self._same_until else " "
        first = next(iter(strip))
        if first.text[:1] == bar:
            return strip
        # In the style of the cell that it takes the place of, which also says where a selection begins.
        return Strip.join([Strip([Segment(bar, first.style)], 1), strip.crop(1)])
