"""The senses of one token, a line each: its two dials, how much of it is meant, and what it speaks for and against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tinygpt_tui.ui.senses.token_senses import SenseRow
from tinygpt_tui.ui.shared.microscope import name_of

AGAINST_CELLS = 11
GAP = 2
WIDEST = 100  # cells of a line: what belongs together stands together


class SenseList(OptionList):
    """Draws rows; says how somebody wants to turn them."""

    HELP = """## Senses

In a *backpack* every token has a few *sense vectors*. They are the token's own, whatever stands around it; a
transformer only says how much of each is *meant*. The logits of the next token are the sum of all senses so weighed,
so what turning one up or down does can be foreseen.

Each line is a sense of the character or token that is marked above: what it *speaks for* if it alone is meant, and
*against*. *meant* is its share at the end of the text, 100% being that sense of all tokens together.

Left and Right go to another token, Up and Down to another sense. `+` and `-` turn it; 0 takes it away, 1 puts it back,
and x all. `a` changes between two dials: that of *this* token, wherever it stands, and that of *every* token. Below
stands what the model writes on as it is and, with the same random numbers, with what was turned.
"""
    DEFAULT_CSS = "SenseList { border: none; padding: 0; text-wrap: nowrap; text-overflow: ellipsis; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "go(-1)", "Token", id="senses.left", tooltip="The token before"),
        Binding("right,l", "go(1)", "Token", id="senses.right", tooltip="The token after"),
        Binding("plus,equals_sign", "turn(1)", "Up", id="senses.up", tooltip="Turn this sense up"),
        Binding("minus", "turn(-1)", "Down", id="senses.down", tooltip="Turn this sense down, even below nothing"),
        Binding("0", "put(0)", "Off", id="senses.off", tooltip="Take this sense away"),
        Binding("1", "put(1)", "As it was", id="senses.plain", show=False, tooltip="Put this sense's dial back to 1"),
        Binding("a", "every", "This/every", id="senses.every", tooltip="Turn this token's dial, or every token's"),
        Binding("x", "level", "All back", id="senses.level", tooltip="Put all dials back to 1"),
    ]

    class Went(Message):
        """Somebody wants to look at another token, so many further on."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    class Turned(Message):
        """Somebody turns the dial of a sense `by` steps, or puts it `at` a factor."""

        def __init__(self, sense: int, by: int = 0, at: float | None = None) -> None:
            super().__init__()
            self.sense, self.by, self.at = sense, by, at

    class EveryWished(Message):
        """Somebody wants the other dial."""

    class LevelWished(Message):
        """Somebody wants all dials back."""

    def show(self, rows: Sequence[SenseRow], for_every: bool) -> None:
        """Show the senses of a token; `for_every` says which dial is turned."""
        lines = [line_of(place, row, for_every, min(self.size.width, WIDEST)) for place, row in enumerate(rows)]
        if len(lines) != self.option_count:
            self.clear_options()
            self.add_options(Option(line) for line in lines)
            self.highlighted = 0 if lines else None
            return
        for place, line in enumerate(lines):
            self.replace_option_prompt_at_index(place, line)

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        """A click marks a sense, and no more."""
        message.stop()

    def action_go(self, by: int) -> None:
        """Look at another token."""
        self.post_message(self.Went(by))

    def action_turn(self, by: int) -> None:
        """Turn the marked sense."""
        if self.highlighted is not None:
            self.post_message(self.Turned(self.highlighted, by=by))

    def action_put(self, factor: int) -> None:
        """Put the marked sense at a factor."""
        if self.highlighted is not None:
            self.post_message(self.Turned(self.highlighted, at=float(factor)))

    def action_every(self) -> None:
        """Turn the other dial."""
        self.post_message(self.EveryWished())

    def action_level(self) -> None:
        """Put all dials back."""
        self.post_message(self.LevelWished())


def heading(width: int) -> str:
    """Return what stands over the lines."""
    columns = f"{'':<4}{'this':>7}{'every':>7}{'meant':>7}   speaks for"
    return f"{columns:<{max(0, min(width, WIDEST) - AGAINST_CELLS)}}against"


def line_of(place: int, row: SenseRow, for_every: bool, width: int) -> Content:
    """Return one sense as a line of so many cells."""
    dials = [(row.own, not for_every), (row.every, for_every)]
    line = Content(f"{place + 1:>3} ")
    for factor, in_use in dials:
        text = f"×{factor:g}".replace("-", "−")
        text = f"[{text}]" if in_use else f" {text} "
        line += Content.styled(f"{text:>7}", "bold" if factor != 1 else "")
    line += Content(f"{row.meant:>7.0%}   ")
    against = _listed([name_of(text) for text in row.sense.against], AGAINST_CELLS - 1)
    room = width - line.cell_length - AGAINST_CELLS - GAP
    said = _listed([f"{name_of(one.text)} {one.probability:.0%}" for one in row.sense.candidates], room)
    return line + Content(said + " " * max(0, room + GAP - cell_len(said))) + Content(against)


def _listed(words: Sequence[str], room: int) -> str:
    """Return as many words as there is room for."""
    said = ""
    for word in words:
        longer = f"{said}  {word}" if said else word
        if cell_len(longer) > room:
            break
        said = longer
    return said
