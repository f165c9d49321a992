"""Where the map of the embeddings draws each token."""

from __future__ import annotations

from itertools import pairwise

import pytest
from rich.cells import cell_len

from tinygpt_tui.events.tracing import Neighbour, TokenPlace
from tinygpt_tui.ui.inspect.token_map import arranged, group_of
from tinygpt_tui.ui.shared.microscope import name_of


def place(text: str, x: float, y: float) -> TokenPlace:
    return TokenPlace(text, x, y, (Neighbour("z", 0.5),))


@pytest.mark.parametrize(("width", "height"), [(20, 5), (80, 20), (9, 1), (1, 1)])
def test_no_two_tokens_touch_and_none_is_outside(width: int, height: int) -> None:
    texts = ["a", "be", "\n", "ing", "語", "c", "d", "e", "f", "g"]
    places = [place(text, 0.1 * at, 0.0) for at, text in enumerate(texts)]
    found = arranged(places, width, height, first=3)
    lines: dict[int, list[tuple[int, int]]] = {}
    for at, (column, row) in found.items():
        cells = cell_len(name_of(texts[at]))
        assert 0 <= column <= width - cells
        assert 0 <= row < height
        lines.setdefault(row, []).append((column, column + cells))
    for spans in lines.values():
        assert all(end < start for (_, end), (start, _) in pairwise(sorted(spans)))
    if width >= 3:
        assert 3 in found  # the chosen one always has its place
    if (width, height) == (80, 20):
        assert len(found) == len(places)


def test_places_are_where_the_numbers_say() -> None:
    found = arranged([place("a", -1, 1), place("b", 1, -1), place("c", 0, 0)], 21, 11)
    assert found == {0: (0, 0), 1: (20, 10), 2: (10, 5)}


def test_groups() -> None:
    assert [group_of(text) for text in ("e", "x", "E", "7", "\n", "the")] == [
        "vowel", "lower", "capital", "other", "other", "lower",
    ]  # fmt: skip
