"""The senses of one token, a line each: two dials, the share, and the tokens it favours and opposes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tinygpt_tui.ui.senses.token_senses import SenseRow
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.microscope import name_of

AGAINST_CELLS = 11
GAP = 2
WIDEST = 100  # cells of a line


class SenseList(OptionList):
    """Draws the senses; reports how the user turns the dials."""

    HELP = """## Senses

In a *backpack* every token has a few *sense vectors* that do not depend on the text around it; a transformer computes
the *share* of each. The logits of the next token are the weighted sum of all senses, so the effect of turning one up or
down is predictable.

Each line is a sense of the token marked above: the tokens it *favours* when it alone counts, and those it *opposes*.
*share* is its share at the end of the text; 100% is that sense of all tokens together.

Left and Right go to another token, Up and Down to another sense. `+` and `-` turn its dial, 0 turns it off, 1 resets
it, and R resets all. `v` switches between two dials: *this* token, wherever it occurs, and *all* tokens. Below is what
the model writes unchanged and, with the same random seed, with your changes.
"""
    DEFAULT_CSS = "SenseList { border: none; padding: 0; text-wrap: nowrap; text-overflow: ellipsis; }"
    BINDINGS = [
        bind("left", "go(-1)", "Token", "senses.left", "The previous token"),
        bind("right", "go(1)", "Token", "senses.right", "The next token"),
        bind("plus,equals_sign", "turn(1)", "Up", "senses.up", "Turn this sense up"),
        bind("minus", "turn(-1)", "Down", "senses.down", "Turn this sense down, even below zero"),
        bind("0", "put(0)", "Off", "senses.off", "Turn this sense off"),
        bind_hidden("1", "put(1)", "Reset", "senses.plain", "Reset this sense's dial to 1"),
        bind("v", "every", "View", "senses.every", "Turn the dial of this token, or of all tokens"),
        bind("R", "level", "Reset all", "senses.level", "Reset all dials to 1"),
    ]

    class Went(Message):
        """The user goes to another token, `by` places further."""

        by: int

    class Turned(Message):
        """The user turns the dial of a sense by `by` steps, or sets it to factor `at`."""

        sense: int
        by: int = 0
        at: float | None = None

    class DialSwitched(Message):
        """The user switches to the other dial."""

    class ResetAll(Message):
        """The user resets all dials."""

    def show_senses(self, rows: Sequence[SenseRow], for_every: bool) -> None:
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
        """A click only highlights a sense."""
        message.stop()

    def action_go(self, by: int) -> None:
        self.post_message(self.Went(by))

    def action_turn(self, by: int) -> None:
        if self.highlighted is not None:
            self.post_message(self.Turned(self.highlighted, by=by))

    def action_put(self, factor: int) -> None:
        if self.highlighted is not None:
            self.post_message(self.Turned(self.highlighted, at=float(factor)))

    def action_every(self) -> None:
        self.post_message(self.DialSwitched())

    def action_level(self) -> None:
        self.post_message(self.ResetAll())


def heading(width: int) -> str:
    columns = f"{'':<4}{'this':>7}{'all':>7}{'share':>7}   favours"
    return f"{columns:<{max(0, min(width, WIDEST) - AGAINST_CELLS)}}opposes"


def line_of(place: int, row: SenseRow, for_every: bool, width: int) -> Content:
    """Return one sense as a line of this many cells."""
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
