"""What holds on every screen: colours can be read, fields select their content, lists know Home, End and pages.

Every dialog has the common frame, and Esc closes it.

One test, as opening every screen takes most of its time. Other themes than the first are in test_contrast.py.
"""

from __future__ import annotations

import re

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import DataTable, Input, OptionList, Tree
from tour import open_everything
from wait import wait_until

from tinygpt_tui.ui.shared.contrast import REST, TEXT, contrast
from tinygpt_tui.ui.shared.dialog import Dialog

pytestmark = [pytest.mark.usefixtures("no_shipped_models"), pytest.mark.slow]

ROUNDING = 0.05  # of colours to eight bits
MARKS = re.compile(r"bar|edge|wire|chart|heat|arrow")  # and lines
EXEMPT = re.compile(r"disabled|separator|guide|gutter|scrollbar|suggestion|header-cursor")  # decoration, or not used
List = DataTable[object] | OptionList | Tree[object]


def too_faint(screen: Screen[object]) -> set[str]:
    """Return the styles of a screen that cannot be read, each with its contrast."""
    found = set()
    for widget in [screen, *screen.query(Widget)]:
        if widget.disabled:
            continue
        for name in ("", *sorted(widget._get_component_classes())):
            if (name and name not in widget._component_styles) or EXEMPT.search(name):
                continue
            style = widget.get_visual_style(*([name] if name else []))
            ground = style.background
            if ground.a < 1 or not style.foreground.a or style.foreground == ground:
                continue  # nothing is written in it
            least = REST if MARKS.search(name) or widget.has_class("arrow") else TEXT
            got = contrast(ground + style.foreground, ground)
            if got < least - ROUNDING:
                found.add(f"{type(screen).__name__} {type(widget).__name__} {name}: {got:.2f}")
    return found


def place(listing: Widget) -> int | None:
    """Return the line that a list's cursor is on."""
    if isinstance(listing, OptionList):
        return listing.highlighted
    return listing.cursor_row if isinstance(listing, DataTable) else listing.cursor_line  # type: ignore[attr-defined]


def ends(listing: Widget) -> tuple[int, int]:
    """Return the first and the last line that the cursor may be on."""
    if isinstance(listing, OptionList):
        usable = [at for at in range(listing.option_count) if not listing.get_option_at_index(at).disabled]
        return (usable[0], usable[-1]) if usable else (0, 0)
    count = listing.row_count if isinstance(listing, DataTable) else listing.last_line + 1  # type: ignore[attr-defined]
    return 0, count - 1


async def wrong_lists(pilot: Pilot[None], screen: Screen[object]) -> tuple[set[str], int]:
    """Return the lists of the screen in front whose keys do not work, and how many could be tried."""
    found, tried = set(), 0
    for listing in screen.query("DataTable, OptionList, Tree"):
        first, last = ends(listing)
        if first == last or not listing.focusable or not listing.display:
            continue
        listing.focus()
        await wait_until(pilot, lambda listing=listing: listing.has_focus)  # type: ignore[misc]
        for keys, end in ((["end"], last), (["home"], first), (["pagedown"] * 2, last), (["pageup"] * 2, first)):
            await pilot.press(*keys)
            if place(listing) != end:
                found.add(f"{type(screen).__name__} {type(listing).__name__} {keys[0]}: {place(listing)}")
        tried += 1
    return found, tried


async def test_every_screen() -> None:
    async with open_everything() as (app, pilot, screens):
        faint = set().union(*map(too_faint, screens))
        assert not faint, "\n".join(sorted(faint))
        fields = [(type(screen).__name__, field) for screen in screens for field in screen.query(Input)]
        assert len(fields) > 30
        assert not {(name, field.id) for name, field in fields if not field.select_on_focus}
        lists, tried, not_framed = set[str](), 0, set[str]()
        for screen in reversed(screens):
            wrong, more = await wrong_lists(pilot, screen)
            lists, tried = lists | wrong, tried + more
            if screen.is_modal:
                not_framed |= set() if isinstance(screen, Dialog) else {type(screen).__name__}
                await pilot.press("escape")
            elif screen is not screens[0]:
                app.pop_screen()
            if screen is not screens[0]:
                await wait_until(pilot, lambda screen=screen: app.screen is not screen)  # type: ignore[misc]
        assert not lists
        assert not not_framed
        assert tried >= 10
