"""The table of runs, drawn before it has measured its rows, draws them as wide as they are."""

from __future__ import annotations

import pytest
from generate_bench import opened
from makers import make_run
from textual.widgets import Static
from train_bench import beginning
from wait import shown

from tinygpt_tui.events.training import Evaluation, Sample, Step
from tinygpt_tui.runs.journal import Journal
from tinygpt_tui.ui.runs.screen import RunsScreen

pytestmark = pytest.mark.usefixtures("no_shipped_models")


async def test_columns_are_as_wide_as_their_cells_before_the_table_is_idle() -> None:
    make_run("a run with a long name")
    async with opened(size=(140, 40)) as bench:
        await bench.pilot.press("f7")
        await bench.until(lambda: isinstance(bench.app.screen, RunsScreen) and bench.app.screen.table.row_count)
        screen = bench.app.screen
        assert isinstance(screen, RunsScreen)
        screen.update_table()
        drawn = screen.table.render_line(1).text  # at once, as a slow machine does
        assert "a run with a long name" in drawn
        assert "started" in screen.table.render_line(0).text
        screen.table.styles.width = 90  # a lesson is beside it
        await bench.until(lambda: "started" not in screen.table.render_line(0).text)
        assert screen.table.max_scroll_x == 0


async def test_the_selected_runs_newest_sample_is_shown_and_losses_of_other_texts_are_marked() -> None:
    for name in ("diary", "poems"):
        run = make_run(name)
        journal = Journal(run.events)
        journal.append([*beginning(), Step(1, 4.0, 1e-3, 0.5, 1.0, 1.0), Evaluation(1, 2.5, 2.5, 1, 2.5, 0.1)])
        journal.append([Sample(1, f"a line of {name}")])
        journal.close()
    async with opened(size=(140, 40)) as bench:
        await bench.pilot.press("f7")
        await bench.until(lambda: isinstance(bench.app.screen, RunsScreen) and bench.app.screen.table.row_count == 2)
        screen = bench.app.screen
        assert isinstance(screen, RunsScreen)
        for _ in range(2):
            assert screen.facts is not None
            name = screen.facts.card.name
            other = {"diary": "poems", "poems": "diary"}[name]
            await bench.until(lambda name=name: f"a line of {name}" in shown(bench.app))
            lines = {line.split()[0]: line for line in shown(bench.app).splitlines() if line.split()}
            assert ("≠2.5" in lines[name], "≠2.5" in lines[other]) == (False, True)
            assert "≠: a loss on another text" in str(screen.query_one("#runs-about", Static).content)
            await bench.pilot.press("down")


async def test_runs_are_filtered_by_what_is_typed_and_escape_shows_all() -> None:
    for name in ("a diary", "poems"):
        make_run(name)
    async with opened(size=(80, 24)) as bench:
        await bench.pilot.press("f7")
        await bench.until(lambda: isinstance(bench.app.screen, RunsScreen) and bench.app.screen.table.row_count == 2)
        screen = bench.app.screen
        assert isinstance(screen, RunsScreen)
        await bench.pilot.press("slash", *"diad")  # letters that are keys in the table
        await bench.until(lambda: screen.query_one("#runs-none").display)
        await bench.pilot.press("backspace", "enter")
        await bench.until(lambda: screen.table.row_count == 1 and screen.table.has_focus)
        assert screen.facts is not None
        assert screen.facts.card.name == "a diary"
        await bench.pilot.press("escape")
        await bench.until(lambda: screen.table.row_count == 2)
        assert not screen.query_one("#runs-filter").display
        await bench.pilot.press("z")
        note = screen.query_one("#naming-note", Static)
        await bench.until(lambda: str(note.content).startswith("nothing was deleted"))
