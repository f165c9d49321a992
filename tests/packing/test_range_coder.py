"""The range coder gives back what it took, in as few bytes as the frequencies say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinygpt_tui.packing.frequencies import HIGHEST, Counts, cumulative
from tinygpt_tui.packing.range_coder import Decoder, Encoder


@pytest.mark.parametrize("seed", range(6))
def test_symbols_come_back_and_take_their_bits(seed: int) -> None:
    chance = np.random.default_rng(seed)
    totals = [int(2 ** chance.uniform(1, 56)) for _ in range(400)]
    spans = []
    for total in totals:
        # From certain to the least likely, also at both ends.
        size = max(1, int(total ** chance.choice([1.0, 0.999, 0.5, 0.0])) - 1)
        spans.append((int(chance.choice([0, total - size])), size, total))
    encoder = Encoder()
    for span in spans:
        encoder.encode(*span)
    data = encoder.finish()
    bits = sum(math.log2(total / size) for _, size, total in spans)
    assert abs(len(data) - bits / 8) < 2
    decoder = Decoder(data)
    for start, size, total in spans:
        assert start <= decoder.target(total) < start + size
        decoder.decode(start, size)
        assert not decoder.is_past_end


def test_a_carry_runs_through_all_bytes() -> None:
    encoder = Encoder()
    encoder.encode((1 << 56) // 2 - 1, 1, 1 << 56)  # 0x7fff…
    encoder.encode(1, 1, 2)
    for _ in range(9):
        encoder.encode(255, 1, 256)
    decoder = Decoder(encoder.finish())
    for start, size, total in [((1 << 56) // 2 - 1, 1, 1 << 56), (1, 1, 2), *[(255, 1, 256)] * 9]:
        assert decoder.target(total) == start
        decoder.decode(start, size)


def test_frequencies_are_these_numbers_everywhere() -> None:
    logits = np.array([2.0, 1.0, -3.001, -40.0, -np.inf, np.nan, 1.999], dtype=np.float32)
    assert cumulative(logits[[0, 1, 2, 3, 4, 6]]).tolist() == [
        1073741824, 1468749366, 1475984181, 1475984182, 1475984183, 2549726007,
    ]  # fmt: skip
    assert np.diff(cumulative(logits), prepend=0).tolist() == [1] * 7  # no highest among them
    assert HIGHEST == 1 << 30


def test_counts_fade_and_never_reach_zero() -> None:
    counts = Counts(3, gain=24)
    for _ in range(10_000):
        counts.add(1)
    assert counts.total <= Counts.MOST
    spans = [counts.span(symbol) for symbol in range(3)]
    assert [start for start, _ in spans] == [0, 1, 1 + spans[1][1]]
    assert all(
        counts.symbol_at(start) == counts.symbol_at(start + size - 1) == i for i, (start, size) in enumerate(spans)
    )
