"""What goes in comes out, up to the stop text; nothing of it is ever shown too early."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinygpt_tui.generation.stops import StopText


def pushed(stop: str, pieces: list[str]) -> tuple[list[str], bool]:
    """What comes out piece by piece, the end's last; the pieces after the stop text are not pushed."""
    watch = StopText(stop)
    shown = []
    for piece in pieces:
        shown.append(watch.push(piece))
        if watch.found:
            return shown, True
    return [*shown, watch.finish()], False


@pytest.mark.parametrize(
    ("stop", "pieces", "shown"),
    [
        ("aab", list("aaab"), ["", "", "a", ""]),
        ("aab", ["aaaabzzz"], ["aa"]),
        ("end", ["th", "e e", "nd"], ["th", "e ", ""]),
        ("\n\n", ["a\n", "\nb"], ["a", ""]),
        ("xy", ["x", "x", "z"], ["", "x", "xz", ""]),
        ("abc", ["ab"], ["", "ab"]),
        ("", ["a", "b"], ["a", "b", ""]),
    ],
)
def test_examples(stop: str, pieces: list[str], shown: list[str]) -> None:
    assert pushed(stop, pieces)[0] == shown


@given(st.text("ab", max_size=6), st.lists(st.text("ab", max_size=4), max_size=20))
@example("aab", ["a", "a", "a", "b"])
@example("abab", ["aba", "abab"])
def test_output_is_the_text_up_to_the_first_stop_text(stop: str, pieces: list[str]) -> None:
    shown, found = pushed(stop, pieces)
    text = "".join(pieces)
    assert found == (bool(stop) and stop in text)
    assert "".join(shown) == (text[: text.index(stop)] if found else text)


@given(st.text("ab", min_size=1, max_size=6), st.lists(st.text("ab", min_size=1, max_size=3), max_size=15))
def test_no_more_is_held_back_than_may_be_the_stop_texts_beginning(stop: str, pieces: list[str]) -> None:
    watch, before, shown = StopText(stop), "", ""
    for piece in pieces:
        before += piece
        shown += watch.push(piece)
        if watch.found:
            return
        held = before[len(shown) :]
        assert stop.startswith(held)
        assert len(held) < len(stop)
