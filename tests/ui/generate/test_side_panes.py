"""Which panes are beside the text: both with room, one with less, none with little."""

from __future__ import annotations

import pytest
from generate_bench import opened
from textual.geometry import Size

pytestmark = pytest.mark.usefixtures("no_shipped_models")


async def test_a_pane_is_beside_the_text_where_there_is_room_for_it() -> None:
    async with opened((140, 30)) as bench:
        screen = bench.screen

        async def shown(width: int) -> tuple[bool, bool]:
            await bench.pilot.resize_terminal(width, 30)
            await bench.until(lambda: screen.size == Size(width, 30))
            await bench.pilot.pause()
            return screen.chooser.display, screen.form.display

        assert await shown(140) == (True, True)
        assert await shown(139) == (True, False)
        assert screen.pane.size.width >= 100
        await bench.pilot.press("ctrl+t")
        await bench.until(lambda: screen.form.has_focus_within)
        assert await shown(130) == (False, True)  # in the place of the models
        assert await shown(112) == (False, True)
        assert screen.pane.size.width == 74
        assert await shown(111) == (True, True)  # over the text
        await bench.pilot.press("escape")
        assert await shown(120) == (True, False)
        assert await shown(88) == (True, False)
        assert screen.pane.size.width == 56
        assert await shown(87) == (False, False)
        assert await shown(140) == (True, True)


async def test_with_much_room_the_branches_are_beside_the_text() -> None:
    async with opened((200, 40)) as bench:
        pane = bench.screen.pane
        assert not pane.branches.display  # the first screen has all the width
        await bench.write("one", "abc")
        await bench.write("two", "def")
        await bench.until(lambda: pane.branches.display and pane.branches.option_count == 2)
        pane.branches.focus()
        await bench.pilot.press("up")
        pane.editor.version += 1  # as each token does that is written meanwhile
        pane.branches.update_rows()
        await bench.pilot.press("enter")
        await bench.until(lambda: bench.text == "oneabc")
        await bench.pilot.resize_terminal(199, 40)
        await bench.until(lambda: not pane.branches.display)
