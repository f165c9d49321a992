"""What a file says cannot command the terminal that the app draws on."""

from __future__ import annotations

import generate_bench
import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from wait import wait_until

from tinygpt_tui.ui.shell.line_filter import NoCommands
from tinygpt_tui.words import COMMANDS

EVIL = "evil\x1b]0;T\x07\x1b[2J\x9b\u202e"

pytestmark = pytest.mark.usefixtures("no_shipped_models")


def test_a_line_keeps_its_width_and_its_styles() -> None:
    red = Style(color="red")
    line = [Segment("│ café\xa0日本 👩‍🚀", red), Segment(EVIL)]
    done = NoCommands().apply(line, Color(0, 0, 0))
    assert done == [line[0], Segment("evil]0;T[2J")]
    assert NoCommands().apply(line[:1], Color(0, 0, 0)) == line[:1]


async def test_no_name_of_a_model_reaches_the_terminal_as_a_command() -> None:
    async with generate_bench.opened(size=(140, 40), models=("a", EVIL)) as bench:
        await wait_until(bench.pilot, lambda: any("evil" in line for line in _lines(bench)))
        assert not [line for line in _lines(bench) if COMMANDS.search(line)]


def _lines(bench: generate_bench.Bench) -> list[str]:
    return [strip.text for strip in bench.app.screen._compositor.render_strips()]
