"""The output pane alone: wrapping by offsets, selection, odd characters, much text."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.geometry import Offset
from textual.selection import Selection

from tinygpt_tui.ui.widgets.output_text import OutputText
from tinygpt_tui.ui.wrapping import Line, shown, shown_index, source_index, wrap

TEXTS = st.text(alphabet="ab \n\tcé日\x07\u0301👍", max_size=80)


class Pane(App[None]):
    def compose(self) -> ComposeResult:
        yield OutputText()


def lines(text: str, width: int) -> list[str]:
    return [text[line.start : line.end] for line in wrap(text, 0, width)]


def test_words_break_at_spaces_and_long_words_at_the_edge() -> None:
    assert lines("to be or not", 6) == ["to be ", "or not"]
    assert lines("to be  or", 5) == ["to be  ", "or"]
    assert lines("abcdefgh", 3) == ["abc", "def", "gh"]
    assert lines("a\n\nb\n", 3) == ["a", "", "b", ""]
    assert lines("日本語", 4) == ["日本", "語"]
    assert lines("", 4) == [""]


@given(TEXTS, st.integers(1, 20))
@settings(deadline=None)
def test_no_character_is_lost_and_no_line_is_too_wide(text: str, width: int) -> None:
    found = wrap(text, 0, width)
    assert "".join(text[line.start : line.end] for line in found) == text.replace("\n", "")
    for line in found:
        visible = shown(text[line.start : line.end].rstrip(" \t"))
        assert cell_len(visible) <= width or len(visible.replace("\u0301", "")) == 1


@given(TEXTS, TEXTS, st.integers(1, 20))
@settings(deadline=None)
def test_wrapping_the_last_line_again_is_enough(text: str, more: str, width: int) -> None:
    before = wrap(text, 0, width)
    assert before[:-1] + wrap(text + more, before[-1].start, width) == wrap(text + more, 0, width)


@given(TEXTS.map(lambda text: text.replace("\n", "")))
def test_offsets_survive_tabs(text: str) -> None:
    for index in range(len(text)):
        assert source_index(text, shown_index(text, index)) == index


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    assert shown("a\x1b[31m\x07\x7f") == "a␛[31m␇␡"
    assert shown("\u202e\x85\ud800") == "���"
    shown("\ud800").encode("utf-8")


async def test_a_selection_is_the_text_itself_not_its_lines() -> None:
    app = Pane()
    async with app.run_test(size=(12, 10)) as pilot:
        pane = app.query_one(OutputText)
        pane.reset("one two three four\tfive\nsix")
        await pilot.pause()
        assert pane.get_selection(Selection(None, None)) == ("one two three four\tfive\nsix", "\n")
        assert pane.get_selection(Selection(Offset(4, 0), Offset(5, 1))) == ("two three", "\n")


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (40, 10)])
async def test_any_size_draws(size: tuple[int, int]) -> None:
    app = Pane()
    async with app.run_test(size=size) as pilot:
        pane = app.query_one(OutputText)
        pane.set_hint("Write a beginning")
        await pilot.pause()
        pane.reset("日本 prompt\t")
        pane.append("\x00 more 👍 text\n" * 20)
        pane.set_window(30)
        await pilot.pause()
        for y in range(size[1]):
            assert pane.render_line(y).cell_length == pane.scrollable_content_region.width


async def test_streamed_text_is_wrapped_as_if_it_had_come_at_once() -> None:
    randomly = random.Random(1)
    text = "".join(randomly.choice("abc  \n日") for _ in range(3000))
    app = Pane()
    async with app.run_test(size=(30, 10)) as pilot:
        pane = app.query_one(OutputText)
        await pilot.pause()
        for start in range(0, len(text), 7):
            pane.append(text[start : start + 7])
        assert pane.lines == wrap(text, 0, 30 - 1 - 2)
        assert pane.lines[0] == Line(0, pane.lines[0].end)


async def test_resizing_keeps_the_place_of_somebody_who_scrolled_up() -> None:
    app = Pane()
    async with app.run_test(size=(40, 10)) as pilot:
        pane = app.query_one(OutputText)
        pane.reset("".join(f"line {number} with many words in it\n" for number in range(100)))
        await pilot.pause()
        pane.scroll_to(y=50, animate=False)
        await pilot.pause()
        top = pane.lines[pane.scroll_offset.y].start
        await pilot.resize_terminal(20, 10)
        await pilot.pause()
        assert pane.lines[pane.scroll_offset.y].start == top
        assert not pane.following
