"""The status line under the output: progress in words, speed in numbers; always one line."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.widget import Widget

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.ui.shared.generation_view import GenerationView

WORDS = {
    "starting": "starting the engine…",
    "reading": "reading the prompt…",
    "writing": "generating…",
    "stopping": "stopping…",
}
PAUSED = "paused · → next token"
GAUGE = 8  # cells
GAP = 2
WORDS_ROOM = 20  # cells reserved for the words, so that the numbers do not move
LONG_WAIT_S = 1.0


class StatusLine(Widget):
    """Draws a `GenerationView`; `show_progress` draws it again."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"status-line--unsaved"}
    DEFAULT_CSS = """
    StatusLine { height: 1; padding: 0 1; }
    StatusLine .status-line--unsaved { color: $text-error; text-style: bold; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.tooltip = (
            "progress; tokens so far, tokens per second, time to the first one, how full the window is and "
            "what happens when it is full: see `window` in the sampling settings"
        )
        self._writing = GenerationView()
        self._idle = ""
        self._unsaved = ""
        self._dials = ""

    def on_mount(self) -> None:
        """Count the seconds while waiting."""
        self.set_interval(0.5, self._tick)

    def show_progress(self, writing: GenerationView) -> None:
        self._writing = writing
        self.set_class(writing.failed, "-failed")
        self.refresh()

    def set_idle(self, words: str) -> None:
        """Show these words while there is no text."""
        self._idle = words
        self.refresh()

    def set_dials(self, words: str) -> None:
        """Show temperature and pace at the right where the screen is too low for the border that has them."""
        self._dials = words
        self.refresh()

    def show_unsaved(self, error: TinyGPTError | None) -> None:
        """Show that text cannot be saved, until it can."""
        unsaved = f"✗ not saved: {error.message}" if error is not None else ""
        if unsaved != self._unsaved:
            self._unsaved = unsaved
            self.refresh()

    def render(self) -> Text:
        """Fit words and numbers into the width; the numbers are shortened first."""
        dials = self._dials if self.screen.has_class("-low") else ""
        room = self.content_size.width - (cell_len(dials) + GAP if dials else 0)
        line = self._line(room)
        line.truncate(room, overflow="ellipsis", pad=bool(dials))
        return Text.assemble(line, " " * GAP, dials, no_wrap=True, overflow="crop") if dials else line

    def _line(self, width: int) -> Text:
        mark = Text()
        if self._unsaved:
            style = self.get_component_rich_style("status-line--unsaved", partial=True)
            mark.append(shortened(self._unsaved, width // 2), style).append(" " * GAP)
        if self._writing.phase == "idle":
            return Text.assemble(mark, self._idle, no_wrap=True, overflow="ellipsis")
        line = status_text(self._writing, max(0, width - mark.cell_len))
        return Text.assemble(mark, line, no_wrap=True, overflow="crop")

    def _tick(self) -> None:
        if self._writing.phase in ("starting", "reading"):
            self.refresh()


def status_text(writing: GenerationView, width: int) -> Text:
    """Return the line at exactly `width` cells: words at the left, the fullest numbers that fit at the right."""
    words = _words(writing)
    room = width - max(cell_len(words), min(WORDS_ROOM, width // 2)) - GAP
    numbers = next((form for form in _numbers(writing) if cell_len(form) <= room), "")
    left = width - cell_len(numbers) - (GAP if numbers else 0)
    words = shortened(words, left)
    gap = " " * max(0, width - cell_len(words) - cell_len(numbers))
    return Text.assemble((words, "bold"), gap, numbers, no_wrap=True, overflow="crop")


def shortened(text: str, width: int) -> str:
    """Return `text` in at most `width` cells, with an ellipsis where it is cut."""
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)) + "…"


def _words(writing: GenerationView) -> str:
    if writing.phase == "ended":
        return writing.reason
    if writing.paused and writing.phase in ("reading", "writing"):
        return PAUSED
    words = WORDS.get(writing.phase, "")
    if writing.phase == "reading" and writing.read_share is not None:
        return f"learning from the prompt… {writing.read_share:.0%}"
    if writing.phase in ("starting", "reading") and writing.waited_s >= LONG_WAIT_S:
        words += f" {writing.waited_s:.0f} s"
    return words


def _numbers(writing: GenerationView) -> list[str]:
    """Return the numbers in shorter and shorter forms; each part has a fixed width, so that nothing jumps."""
    used, size = writing.window.used, writing.window.block_size
    if writing.seed is None:
        return []  # not started
    if not size:
        return _numbers_without_window(writing)
    places = len(str(size))
    count = f"{used:>{places}} of {size}"
    filled = round(GAUGE * used / size)
    gauge = "━" * filled + "┄" * (GAUGE - filled)
    (tokens, tok), per_s, first_s = _count(writing), _per_s(writing), _first(writing)
    policy = f"{writing.policy} " if writing.policy else ""
    if writing.weights != "fp32":
        policy = f"≈{writing.weights} {policy}"  # rounded weights: approximate
    return [
        f"{tokens}{per_s} tokens/s  first after {first_s}  {policy}window {gauge} {count}",
        f"{tokens}{per_s}/s  first {first_s}  {policy}window {gauge} {count}",
        f"{tok}{per_s}/s  first {first_s}  {policy}window {gauge} {count}",
        f"{tok}{per_s}/s  {policy}window {gauge} {count}",
        f"{tok}{per_s}/s  {policy}window {count}",
        f"{tok}{per_s}/s  window {count}",
        f"{tok}{policy}window {count}",
        f"{tok}window {count}",
        f"{tok}{used:>{places}}/{size}",
        tok.rstrip(),
    ]


def _numbers_without_window(writing: GenerationView) -> list[str]:
    """Return the numbers of a model without a window, such as a recurrent one."""
    (tokens, tok), per_s, first_s = _count(writing), _per_s(writing), _first(writing)
    return [
        f"{tokens}{per_s} tokens/s  first after {first_s}  no window",
        f"{tokens}{per_s}/s  first {first_s}  no window",
        f"{tok}{per_s}/s  first {first_s}  no window",
        f"{tok}{per_s}/s  no window",
        f"{tok}{per_s}/s",
        tok.rstrip(),
    ]


def _count(writing: GenerationView) -> tuple[str, str]:
    """Return how many tokens there are, in two lengths; empty if the words at the left have said it."""
    count = f"{writing.tokens:>5,}"
    return ("", "") if writing.at_limit else (f"{count} tokens  ", f"{count} tok  ")


def _per_s(writing: GenerationView) -> str:
    speed = writing.tokens_per_s
    return f"{speed:>5.0f}" if speed is not None else "    –"


def _first(writing: GenerationView) -> str:
    first = writing.seconds_to_first
    return f"{first:>5.2f} s" if first is not None else "    – s"
