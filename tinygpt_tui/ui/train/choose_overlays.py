"""Choose what to add to the chart: other runs, and published results."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.train.overlays import Offer
from tinygpt_tui.words import shortened

NAME_CELLS = 18


class OverlayList(OptionList):
    """A line for each run or result; a mark says which are chosen."""

    HELP = """## Compare

Space marks a run or a published result; Enter draws all that are marked in the chart, faint and labelled with letters.
Losses are comparable only on the same text: runs on another text are listed last and marked ≠. The published results
are validation losses on Tiny Shakespeare.
"""
    BINDINGS = [
        bind("space", "select", "Mark", "overlays.mark", "Mark or unmark it"),
    ]


class ChooseOverlaysScreen(Dialog[list[str]]):
    """Dismisses with the keys of what is marked, or with None."""

    DEFAULT_CSS = """
    ChooseOverlaysScreen {
        & > DialogBox { width: 78; max-height: 90%; padding: 0; }
        & OverlayList { height: auto; max-height: 100%; text-wrap: nowrap; text-overflow: ellipsis; }
        & OverlayList > .option-list--option-highlighted, & OverlayList:focus > .option-list--option-highlighted {
            background: $panel; color: $foreground; text-style: bold;
        }
    }
    """
    BINDINGS = [
        bind("enter", "accept", "Show", "overlays.take", "Draw what is marked", priority=True),
    ]

    def __init__(self, offers: Sequence[Offer], chosen: Collection[str]) -> None:
        super().__init__("compare with", "space: mark  enter: show  esc: back")
        self._offers, self._chosen = offers, list(chosen)

    def compose_body(self) -> ComposeResult:
        yield OverlayList(*(Option(self._line(offer), offer.key) for offer in self._offers))

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        offer = self._offers[message.option_index]
        if offer.key in self._chosen:
            self._chosen.remove(offer.key)
        else:
            self._chosen.append(offer.key)
        message.option_list.replace_option_prompt_at_index(message.option_index, self._line(offer))

    def action_accept(self) -> None:
        offered = {offer.key for offer in self._offers}
        chosen = [key for key in self._chosen if key in offered]
        self.dismiss(chosen)

    def _line(self, offer: Offer) -> Content:
        return Content.from_markup(
            "$mark $name  [$foreground-muted]$about[/]",
            mark="✓" if offer.key in self._chosen else "·",
            name=shortened(offer.name, NAME_CELLS).ljust(NAME_CELLS),
            about=offer.about,
        )
