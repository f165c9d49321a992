"""The rows of a pass, and which of them hand on to which."""

from __future__ import annotations

from walk_bench import walk

from tinygpt_tui.ui.inspect.passes import MOST_LANES, Part, Pass, Row, rows_of, tree_of, wiring_of


def walked(net: str) -> Pass:
    collected = Pass()
    collected.add_events(walk(net, "abc dab", 1))
    return collected


def opened(parts: list[Part], titles: set[str]) -> list[Row]:
    """Return the rows with the parts of these titles open, everywhere."""

    def keys(parts: list[Part]) -> set[tuple[object, ...]]:
        found = {part.key for part in parts if part.title in titles and part.parts}
        return found.union(*(keys(part.parts) for part in parts))

    return rows_of(parts, keys(parts))


def edges(net: str, titles: set[str]) -> tuple[list[str], set[tuple[int, int]]]:
    """Return the titles of the rows, and from which row to which something is handed on."""
    collected = walked(net)
    rows = opened(tree_of(collected.steps), titles)
    wiring = wiring_of(rows, collected.steps)
    assert wiring.lanes <= MOST_LANES
    pairs = {(start, start + 1) for start in wiring.straight}
    pairs |= {(wire.start, end) for wire in wiring.wires for end in wire.ends}
    return [row.part.title for row in rows], pairs


def test_closed_blocks_stand_in_a_line() -> None:
    titles, pairs = edges("classic", set())
    assert titles == [
        "token ids", "token embedding", "position embedding", "sum", "block 1", "block 2", "final norm", "output head",
    ]  # fmt: skip
    assert pairs == {(0, 1), (1, 3), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7)}


def test_an_open_block_hands_its_input_on_past_the_attention() -> None:
    titles, pairs = edges("classic", {"block 1"})
    assert titles[4:11] == ["block 1", "norm", "attention", "add to the stream", "norm", "MLP", "add to the stream"]
    assert {pair for pair in pairs if 4 <= pair[0] <= 10} == {
        (4, 5), (4, 7), (5, 6), (6, 7), (7, 8), (7, 10), (8, 9), (9, 10), (10, 11),
    }  # fmt: skip


def test_inside_attention_every_tensor_goes_where_it_is_used() -> None:
    titles, pairs = edges("classic", {"block 1", "attention"})
    at = {title: titles.index(title) for title in ("q, k and v", "queries", "keys", "values", "values, mixed")}
    weights = titles.index("attention", at["values"])
    for title in ("queries", "keys", "values"):
        assert (at["q, k and v"], at[title]) in pairs
    assert {start for start, end in pairs if end == weights} == {at["queries"], at["keys"]}
    assert {start for start, end in pairs if end == at["values, mixed"]} == {at["values"], weights}


def test_heads_are_rows_without_wires() -> None:
    titles, pairs = edges("classic", {"block 1", "attention", "queries"})
    place = titles.index("head 1")
    assert titles[place - 1 : place + 2] == ["queries", "head 1", "head 2"]
    assert not {pair for pair in pairs if place in pair or place + 1 in pair}
    assert any(start == place - 1 for start, _ in pairs)


def test_gates_of_a_cell_meet_in_its_state() -> None:
    titles, pairs = edges("lstm", {"block 1", "cell"})
    at = {title: titles.index(title) for title in ("input gate", "forget gate", "candidate", "output gate", "state")}
    cell = titles.index("cell", at["output gate"])
    assert {start for start, end in pairs if end == cell} == {at["input gate"], at["forget gate"], at["candidate"]}
    assert {start for start, end in pairs if end == at["state"]} == {at["output gate"], cell}
