"""What goes in comes out, up to the stop text; nothing of it is ever shown too early."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinygpt_tui.generation.stops import BLANK_LINES, Stops
from tinygpt_tui.settings.sampling import SamplingSettings


def pushed(watch: Stops, pieces: list[str]) -> list[str]:
    """What comes out piece by piece, the end's last; the pieces after the stop text are not pushed."""
    shown = []
    for piece in pieces:
        shown.append(watch.push(piece))
        if watch.found:
            return shown
    return [*shown, watch.finish()]


def up_to_the_first(stops: list[str], text: str) -> str | None:
    """The naive reference: the occurrence that ends first, of equals the longest; None where there is none."""
    found = [(text.find(stop) + len(stop), -len(stop)) for stop in stops if stop and stop in text]
    if not found:
        return None
    end, minus_length = min(found)
    return text[: end + minus_length]


@pytest.mark.parametrize(
    ("stops", "pieces", "shown"),
    [
        (["aab"], list("aaab"), ["", "", "a", ""]),
        (["aab"], ["aaaabzzz"], ["aa"]),
        (["end"], ["th", "e e", "nd"], ["th", "e ", ""]),
        (["\n\n"], ["a\n", "\nb"], ["a", ""]),
        (["xy"], ["x", "x", "z"], ["", "x", "xz", ""]),
        (["abc"], ["ab"], ["", "ab"]),
        ([], ["a", "b"], ["a", "b", ""]),
        (["", "b"], ["ab"], ["a"]),
        (["abc", "b"], ["abc"], ["a"]),  # b ends before abc does
        (["bc", "abc"], list("abc"), ["", "", ""]),  # they end together: the longer
        (["abcd", "bce"], list("abce"), ["", "", "", "a"]),
        (["ab", "cd"], list("acd"), ["", "a", ""]),
    ],
)
def test_examples(stops: list[str], pieces: list[str], shown: list[str]) -> None:
    assert pushed(Stops(stops), pieces) == shown


some_stops = st.lists(st.text("abc", max_size=5), max_size=4)
some_pieces = st.lists(st.text("abc", max_size=4), max_size=20)


@given(some_stops, some_pieces)
@example(["aab"], ["a", "a", "a", "b"])
@example(["abab"], ["aba", "abab"])
@example(["abcab", "cb"], ["abcacb"])
def test_output_is_the_text_up_to_the_first_stop_text(stops: list[str], pieces: list[str]) -> None:
    watch = Stops(stops)
    shown = "".join(pushed(watch, pieces))
    text = "".join(pieces)
    wanted = up_to_the_first(stops, text)
    assert watch.found == (None if wanted is None else "stop text")
    assert shown == (text if wanted is None else wanted)


@given(some_stops, some_pieces)
def test_no_more_is_held_back_than_may_be_a_stop_texts_beginning(stops: list[str], pieces: list[str]) -> None:
    watch, before, shown = Stops(stops), "", ""
    for piece in pieces:
        before += piece
        shown += watch.push(piece)
        if watch.found:
            return
        held = before[len(shown) :]
        longest = next((n for n in range(len(before), 0, -1) if any(stop.startswith(before[-n:]) for stop in stops)), 0)
        assert held == before[len(before) - longest :]


@given(st.lists(st.text("a\n\r ", max_size=3), max_size=12))
def test_a_blank_line_is_an_empty_line(pieces: list[str]) -> None:
    watch = Stops((), blank_line=True)
    shown, text = "".join(pushed(watch, pieces)), "".join(pieces)
    wanted = up_to_the_first(list(BLANK_LINES), text)
    assert watch.found == (None if wanted is None else "blank line")
    assert shown == (text if wanted is None else wanted)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n\nb", "a"),
        ("a\r\n\r\nb", "a"),
        ("a\n\r\nb", "a"),
        ("\n\n", ""),
        ("a\n \nb", "a\n \nb"),
        ("a\nb\n", "a\nb\n"),
    ],
)
def test_blank_lines(text: str, shown: str) -> None:
    for pieces in ([text], list(text)):
        assert "".join(pushed(Stops((), blank_line=True), pieces)) == shown


def test_a_stop_text_that_is_a_blank_line_is_the_users() -> None:
    watch = Stops(["\n\n"], blank_line=True)
    assert watch.push("a\n\n") == "a"
    assert watch.found == "stop text"


def test_settings_that_stop_at_nothing_need_no_watch() -> None:
    assert Stops.of(SamplingSettings(stop=("",))) is None
    assert Stops.of(SamplingSettings(stop=("x",))) is not None
    assert Stops.of(SamplingSettings(stop_at_blank_line=True)) is not None


def test_a_long_stop_text_that_nearly_comes_again_and_again() -> None:
    stop = "a" * 20_000 + "b"
    watch = Stops([stop])
    text = "a" * 60_000
    assert "".join(watch.push(character) for character in text) == text[20_000:]
    assert watch.push("b") == ""
    assert watch.found
