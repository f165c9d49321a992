"""The table of runs, drawn before it has measured its rows, draws them as wide as they are."""

from __future__ import annotations

import pytest
from generate_bench import opened
from makers import make_run

from tinygpt_tui.ui.screens.runs import RunsScreen

pytestmark = pytest.mark.usefixtures("no_shipped_models")


async def test_columns_are_as_wide_as_their_cells_before_the_table_is_idle() -> None:
    make_run("a run with a long name")
    async with opened(size=(140, 40)) as bench:
        await bench.pilot.press("f7")
        await bench.until(lambda: isinstance(bench.app.screen, RunsScreen) and bench.app.screen.table.row_count)
        screen = bench.app.screen
        assert isinstance(screen, RunsScreen)
        screen._show()
        drawn = screen.table.render_line(1).text  # at once, as a slow machine does
        assert "a run with a long name" in drawn
