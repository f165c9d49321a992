"""The output pane alone: wrapping by offsets, selection, odd characters, much text."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color as RichColor
from rich.style import Style
from textual.app import App, ComposeResult
from textual.geometry import Offset
from textual.selection import Selection
from textual.theme import Theme
from wait import wait_until

from tinygpt_tui.ui.shared.output_text import OutputText
from tinygpt_tui.ui.shared.wrapping import Line, shown, shown_index, source_index, wrap
from tinygpt_tui.ui.shell.themes import THEMES

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


async def test_a_text_that_is_wrapped_for_another_width_is_wrapped_again_when_it_is_drawn() -> None:
    app = Pane()
    async with app.run_test(size=(40, 10)) as pilot:
        output = app.query_one(OutputText)
        output.reset("but soft, what light through yonder window")
        wanted = output.lines
        output.wrapped.replace(output.text, -2)  # as while it is not on the screen
        assert len(output.lines) > len(wanted)
        output.refresh()
        await wait_until(pilot, lambda: output.lines == wanted)


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


async def test_the_bar_shows_the_window_of_the_cursor_while_the_text_is_walked() -> None:
    app = Pane()
    async with app.run_test(size=(20, 10)) as pilot:
        pane = app.query_one(OutputText)
        pane.reset("one\ntwo\nthree\nfour")
        pane.set_window(14)
        await pilot.pause()
        assert [pane.render_line(y).text[0] for y in range(4)] == [" ", " ", " ", "│"]
        pane.walk(9)
        pane.set_cursor_window(5)
        assert [pane.render_line(y).text[0] for y in range(4)] == [" ", "╭", "│", " "]
        pane.stop_walking()
        pane.set_cursor_window(None)
        assert [pane.render_line(y).text[0] for y in range(4)] == [" ", " ", " ", "│"]


async def test_a_fork_is_marked_and_stays_in_sight_until_the_end_is_followed() -> None:
    app = Pane()
    async with app.run_test(size=(20, 6)) as pilot:
        pane = app.query_one(OutputText)
        pane.reset("a\n" * 20 + "b")
        pane.action_follow()
        pane.mark_fork(len(pane.text) - 1)
        for _ in range(20):
            pane.append("c\n")
            await pilot.pause()
        await wait_until(pilot, lambda: pane.max_scroll_y > 30)
        rows = [pane.render_line(y).text.rstrip() for y in range(6)]
        assert rows[:3] == ["│ a", "│▸bc", "│ c"]
        pane.action_follow()
        pane.append("d\n" * 20)
        await wait_until(pilot, lambda: pane.scroll_y == pane.max_scroll_y > 50)
        pane.reset("bc")
        assert "▸" not in pane.render_line(0).text


async def test_a_scrollbar_that_comes_stands_where_the_text_does() -> None:
    app = Pane()
    async with app.run_test(size=(20, 6)) as pilot:
        pane = app.query_one(OutputText)
        pane.append("a\n" * 20)
        await wait_until(pilot, lambda: pane.show_vertical_scrollbar and pane.scroll_y == pane.max_scroll_y > 0)
        await wait_until(pilot, lambda: pane.vertical_scrollbar.position == pane.scroll_y)
        pane.append("b\n" * 5)
        await wait_until(pilot, lambda: pane.vertical_scrollbar.window_virtual_size == len(pane.lines))
        await wait_until(pilot, lambda: pane.vertical_scrollbar.position == pane.scroll_y == pane.max_scroll_y)


async def test_resizing_keeps_the_place_of_somebody_who_scrolled_up() -> None:
    app = Pane()
    async with app.run_test(size=(40, 10)) as pilot:
        pane = app.query_one(OutputText)
        pane.reset("".join(f"line {number} with many words in it\n" for number in range(100)))
        await pilot.pause()
        pane.focus()
        await pilot.press("pageup")
        await wait_until(pilot, lambda: pane.scroll_y < pane.max_scroll_y and not pane.following)
        pane.scroll_to(y=50, animate=False)
        await pilot.pause()
        top = pane.lines[pane.scroll_offset.y].start
        await pilot.resize_terminal(20, 10)
        await pilot.pause()
        assert pane.lines[pane.scroll_offset.y].start == top
        assert not pane.following


# Walking


def cells_of(pane: OutputText, component: str) -> list[tuple[int, str]]:
    """Return row and text of what is drawn in the colours of a component."""
    wanted = pane.get_component_rich_style(component)
    found = []
    for y in range(pane.scrollable_content_region.height):
        for segment in pane.render_line(y):
            style = segment.style
            if style and (style.color, style.bgcolor, style.reverse) == (wanted.color, wanted.bgcolor, wanted.reverse):
                found.append((y, segment.text))
    return found


def cursor_cells(pane: OutputText) -> list[tuple[int, str]]:
    return cells_of(pane, "output--cursor")


class Walks(Pane):
    """Remembers where the cursor came to."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[int] = []

    def on_output_text_walked(self, message: OutputText.Walked) -> None:
        self.places.append(message.offset)


async def test_arrows_walk_by_character_by_line_and_by_page_and_say_where() -> None:
    text = "first line\n日本 second\n\n" + "".join(f"line {number}\n" for number in range(40))
    app = Walks()
    async with app.run_test(size=(20, 10)) as pilot:
        pane = app.query_one(OutputText)
        pane.reset(text)
        await pilot.pause()
        pane.walk(0)
        pane.focus()
        await pilot.press("right", "right", "down", "end", "down", "up", "home", "left")
        await wait_until(pilot, lambda: len(app.places) == 9)
        assert app.places == [0, 1, 2, 12, 20, 21, 20, 11, 10]
        app.places.clear()
        await pilot.press("ctrl+end", "ctrl+home", "pagedown", "pageup", "left", "up")
        await wait_until(pilot, lambda: len(app.places) == 4)
        assert app.places == [len(text) - 1, 0, pane.lines[9].start, 0]  # at the start there is nowhere to go


async def test_the_cursor_is_seen_wherever_it_is() -> None:
    text = "ab\tc日e\u0301\n12345678901234567 \n12345678901234567\nlast"
    app = Pane()
    async with app.run_test(size=(20, 10)) as pilot:
        pane = app.query_one(OutputText)
        pane.reset(text)
        await pilot.pause()
        drawn = {}
        for offset in range(len(text)):
            pane.walk(offset)
            drawn[offset] = cursor_cells(pane)
            assert len(drawn[offset]) == 1
        assert [drawn[at] for at in range(8)] == [
            [(0, "a")],
            [(0, "b")],
            [(0, "  ")],
            [(0, "c")],
            [(0, "日")],
            [(0, "e")],
            [(0, "e\u0301")],
            [(0, "↵")],
        ]
        assert drawn[text.index(" ")] == [(1, "␣")]  # it hangs over the edge
        assert drawn[text.index("last") - 1] == [(2, "↵")]
        for y in range(10):
            assert pane.render_line(y).cell_length == pane.scrollable_content_region.width
        pane.stop_walking()
        assert cursor_cells(pane) == []
        assert pane.cursor is None


async def test_the_cursor_stays_in_sight_and_the_text_grows_below_it() -> None:
    app = Pane()
    async with app.run_test(size=(30, 10)) as pilot:
        pane = app.query_one(OutputText)
        pane.reset("".join(f"line {number}\n" for number in range(100)))
        await pilot.pause()
        pane.walk(len(pane.text))
        await pilot.pause()
        top = pane.scroll_offset.y
        assert cursor_cells(pane)
        pane.append("more\n" * 20)
        await pilot.pause()
        assert pane.scroll_offset.y == top
        assert cursor_cells(pane)
        pane.walk(0)
        await pilot.pause()
        assert cursor_cells(pane) == [(0, "l")]
        pane.scroll_to(y=50, animate=False)  # the wheel looks elsewhere, the next step comes back
        await pilot.pause()
        assert cursor_cells(pane) == []
        pane.walk(1)
        await pilot.pause()
        assert cursor_cells(pane) == [(0, "i")]
        await pilot.resize_terminal(10, 5)
        await pilot.pause()
        assert cursor_cells(pane) == [(0, "i")]
        pane.stop_walking()
        assert not pane.following
        pane.append("and more\n")
        await pilot.pause()
        assert pane.scroll_offset.y == 0


async def test_a_click_puts_the_cursor_only_where_the_text_is_walked() -> None:
    app = Walks()
    async with app.run_test(size=(20, 10)) as pilot:
        pane = app.query_one(OutputText)
        pane.reset("one\n\ttwo 日本\nsix")
        await pilot.pause()
        await pilot.click(pane, offset=(3, 0))
        assert pane.cursor is None
        pane.walk(0)
        for place, offset in (((3, 0), 1), ((19 - 2, 0), 3), ((2 + 8, 1), 9), ((3, 1), 4), ((1, 2), 12)):
            await pilot.click(pane, offset=place)
            assert pane.cursor == offset
        await wait_until(pilot, lambda: len(app.places) == 6)


async def test_an_empty_text_cannot_be_walked_and_another_text_is_not() -> None:
    app = Pane()
    async with app.run_test(size=(20, 10)) as pilot:
        pane = app.query_one(OutputText)
        await pilot.pause()
        pane.walk(3)
        assert pane.cursor is None
        pane.append("text")
        pane.walk(3)
        assert pane.cursor == 3
        assert pane.HELP is None
        pane.reset("another")
        assert pane.cursor is None
        assert pane.HELP is not None


# Surprise


async def test_each_level_of_surprise_has_its_own_colours_and_the_first_is_plain() -> None:
    app = Pane()
    async with app.run_test(size=(30, 10)) as pilot:
        pane = app.query_one(OutputText)
        pane.reset("abcdefg\nh", prompt_end=0)
        await pilot.pause()
        levels = bytearray([0, 1, 2, 3, 4, 5, 6, 6])  # shorter than the text
        pane.set_levels(levels)
        segments = list(pane.render_line(0))[2:]
        assert [segment.text for segment in segments[:8]] == ["a", "b", "c", "d", "e", "f", "g", " "]
        grounds = [segment.style.bgcolor for segment in segments[:8] if segment.style]
        assert grounds[0] == grounds[1]
        assert len(set(grounds)) == 6
        assert grounds[7] == grounds[6]  # a surprising newline shows at the line's end
        levels[0] = 6
        pane.levels_changed(0, 1)
        style = list(pane.render_line(0))[2].style
        assert style
        assert style.bgcolor == grounds[6]
        pane.set_levels(None)
        plain = list(pane.render_line(0))[2:]
        assert {segment.style.bgcolor for segment in plain if segment.style} == {grounds[0]}


def contrast(style: Style) -> float:
    assert style.color is not None
    assert style.bgcolor is not None
    lights = sorted(_light(color) for color in (style.color, style.bgcolor))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _light(color: RichColor) -> float:
    """The relative luminance that the web's rules for contrast define."""
    channels = [value / 255 for value in color.get_truecolor()]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
async def test_surprise_can_be_read_by_day_and_by_night(theme: Theme) -> None:
    app = Pane()
    async with app.run_test(size=(30, 10)) as pilot:
        app.register_theme(theme)
        app.theme = theme.name
        pane = app.query_one(OutputText)
        pane.reset("abcdef", prompt_end=0)
        for kind in ("surprise", "influence"):
            pane.set_levels(bytearray(range(1, 7)), kind)
            await pilot.pause()
            styles = [segment.style for segment in list(pane.render_line(0))[2:8] if segment.style]
            assert len(styles) == 6
            assert all(contrast(style) >= 4.5 for style in styles)


async def test_without_colour_surprise_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Pane()
    async with app.run_test(size=(30, 10)) as pilot:
        pane = app.query_one(OutputText)
        pane.reset("abcdef", prompt_end=0)
        pane.set_levels(bytearray(range(1, 7)))
        await pilot.pause()
        styles = [segment.style for segment in list(pane.render_line(0))[2:8] if segment.style]
        marks = [(bool(style.underline), bool(style.bold), bool(style.italic)) for style in styles]
        assert marks[0] == (False, False, False)
        assert len({*marks}) == 6  # in sixteen colours their greys fall together
        pane.set_levels(bytearray(range(1, 7)), "influence")
        styles = [segment.style for segment in list(pane.render_line(0))[2:8] if segment.style]
        marks = [(bool(style.underline), bool(style.bold), bool(style.italic)) for style in styles]
        assert marks == [(True, bold, False) for bold in (False, True, True)] + [
            (False, bold, True) for bold in (False, True, True)
        ]
        assert styles[1].bgcolor != styles[2].bgcolor
        assert styles[4].bgcolor != styles[5].bgcolor


async def test_copied_passages_are_underlined_in_any_colours() -> None:
    app = Pane()
    async with app.run_test(size=(30, 10)) as pilot:
        pane = app.query_one(OutputText)
        pane.reset("abcdef\nghi", prompt_end=0)
        pane.set_copied(bytearray([0, 1, 1, 1, 0, 0, 0, 1]))  # shorter than the text
        await pilot.pause()
        for levels in (None, bytearray([6] * 10)):
            pane.set_levels(levels)
            lines = [list(pane.render_line(y))[2:] for y in (0, 1)]
            marked = ["".join(one.text for one in line if one.style and one.style.underline) for line in lines]
            assert marked == ["bcd", "g"]


async def test_only_the_last_line_of_a_long_text_is_wrapped_again(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Pane()
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.query_one(OutputText)
        await pilot.pause()
        pane.append("some words of a text without any newline " * 2500)
        starts: list[int] = []

        def watched(text: str, start: int, *others: Any) -> list[Line]:
            starts.append(start)
            return wrap(text, start, *others)

        monkeypatch.setattr("tinygpt_tui.ui.shared.wrapped_text.wrap", watched)
        for _ in range(10):
            pane.append("and more ")
        assert all(len(pane.text) - start < 200 for start in starts)
        assert len(starts) == 10
