"""Rows of a batch: pieces of a text side by side, or its documents."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinygpt_tui.corpora.batches import ShuffledRows
from tinygpt_tui.corpora.rows import BOUNDARY_ID, IGNORED, Rows

texts = st.lists(st.integers(0, 3), min_size=2, max_size=60).map(lambda ids: np.array(ids, dtype=np.uint8))


def read(rows: Rows) -> list[tuple[list[int], list[int]]]:
    """Inputs and targets of each row, without what it is filled up with."""
    inputs, targets = rows.batch(np.arange(len(rows)))
    counted = [int((row != IGNORED).sum()) for row in targets]
    assert all((row[count:] == IGNORED).all() for row, count in zip(targets, counted, strict=True))
    return [(i[:n].tolist(), t[:n].tolist()) for i, t, n in zip(inputs, targets, counted, strict=True)]


@given(texts, st.integers(1, 9))
def test_side_by_side_every_token_but_the_first_is_predicted_once(ids: np.ndarray, length: int) -> None:
    rows = read(Rows.side_by_side(ids, length))
    assert [one for _, targets in rows for one in targets] == ids[1:].tolist()
    assert [one for inputs, _ in rows for one in inputs] == ids[:-1].tolist()
    assert {len(targets) for _, targets in rows[:-1]} <= {length}


@given(texts, st.integers(1, 9))
def test_documents_are_whole_and_begin_with_a_boundary(ids: np.ndarray, length: int) -> None:
    rows = read(Rows.of_documents(ids, length))
    assert [one for _, targets in rows for one in targets] == ids.tolist()
    begins = True
    for inputs, targets in rows:
        assert 1 <= len(targets) <= length
        assert BOUNDARY_ID not in targets[:-1]  # none goes through one
        assert inputs[1:] == targets[:-1]
        assert not begins or inputs[0] == BOUNDARY_ID
        begins = targets[-1] == BOUNDARY_ID
        assert begins or len(targets) == length or targets is rows[-1][1]  # cut only where it must be


@given(texts, st.integers(1, 9), st.integers(0, 70))
def test_a_part_is_spread_over_all_and_has_about_as_many_tokens(ids: np.ndarray, length: int, wanted: int) -> None:
    for rows in (Rows.side_by_side(ids, length), Rows.of_documents(ids, length)):
        chosen = rows.spread(wanted)
        assert len(set(chosen.tolist())) == len(chosen)
        assert len(chosen) == 0 or (chosen.min() >= 0 and chosen.max() < len(rows))
        assert rows.tokens_in(np.arange(len(rows))) == rows.tokens


def test_windows_are_spread_evenly() -> None:
    rows = Rows.side_by_side(np.zeros(101, np.uint8), 10)
    assert rows.spread(0).tolist() == []
    assert rows.spread(20).tolist() == [2, 7]
    assert Rows.side_by_side(np.zeros(8001, np.uint8), 8).spread(80).tolist() == list(range(50, 1000, 100))


def test_each_epoch_has_every_document_once_in_another_order() -> None:
    ids = np.concatenate([[number + 1, 0] for number in range(30)]).astype(np.uint8)
    batches = ShuffledRows(Rows.of_documents(ids, 4), 5, seed=2)
    epochs = [[int(row[0]) for step in range(6 * e, 6 * e + 6) for row in batches.batch(step)[1]] for e in (0, 1)]
    assert sorted(epochs[0]) == list(range(1, 31)) == sorted(epochs[1])
    assert epochs[0] != epochs[1]
