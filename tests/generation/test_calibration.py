"""How sure and how right a model is, and the factor that makes them agree, on logits whose truth is known."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest
from numpy.typing import NDArray

from tinygpt_tui.corpora.rows import IGNORED
from tinygpt_tui.foreign.losses import pieces_of
from tinygpt_tui.generation.calibration import BARS, fitting, halves, measuring
from tinygpt_tui.progress import exhausted

V, T = 11, 16
CHANCE = np.random.default_rng(3)
TABLE = CHANCE.normal(size=(V, V)).astype(np.float32) * 2


def drawn(scale: float, count: int) -> NDArray[np.int64]:
    """Draw a text in which the next id has the probabilities of TABLE times `scale`."""
    powers = np.exp(TABLE * scale)
    edges = np.cumsum(powers / powers.sum(axis=1, keepdims=True), axis=1)
    ids = [0]
    for chance in CHANCE.random(count):
        ids.append(min(int(edges[ids[-1]].searchsorted(chance)), V - 1))
    return np.array(ids)


def table(ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """The logits of a model that knows TABLE."""
    return TABLE[ids]


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.0, 1.7])
def test_the_factor_of_the_text_is_found(scale: float) -> None:
    pieces = pieces_of(drawn(scale, 20_000), T, V)
    fit = exhausted(fitting(table, pieces))
    assert fit.logit_scale == pytest.approx(scale, rel=0.04)
    assert fit.tokens == 20_000
    factors = (1.0, *(fit.logit_scale * near for near in (0.995, 1.0, 1.005)))
    before, below, calibrated, above = (found.loss for found in exhausted(measuring(table, pieces, factors)))
    assert calibrated < min(below, above)  # no factor beside it is better
    assert calibrated == pytest.approx(fit.calibrated_loss, abs=1e-4)
    assert before == pytest.approx(fit.loss)


def test_it_says_how_often_it_is_right() -> None:
    pieces = pieces_of(drawn(0.6, 20_000), T, V)
    too_sure, calibrated = exhausted(measuring(table, pieces, (1.0, 0.6)))
    assert too_sure.accuracy == calibrated.accuracy
    assert too_sure.confidence > too_sure.accuracy + 0.1
    assert too_sure.error > 0.1
    assert calibrated.confidence == pytest.approx(calibrated.accuracy, abs=0.01)
    assert calibrated.error < 0.02
    assert calibrated.tokens.sum() == 20_000
    edges = np.linspace(0, 1, BARS + 1)
    held = calibrated.tokens > 0
    assert np.all((calibrated.sure > edges[:-1])[held] & (calibrated.sure <= edges[1:] + 1e-6)[held])


def test_a_token_that_cannot_be_costs_nothing() -> None:
    def never_the_last(ids: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.pad(TABLE[ids], [(0, 0)] * 2 + [(0, 1)], constant_values=-np.inf)

    ids = drawn(0.8, 3_000)
    with_it, without = (exhausted(fitting(forward, pieces_of(ids, T, V))) for forward in (never_the_last, table))
    assert with_it.logit_scale == pytest.approx(without.logit_scale, rel=1e-4)


def test_windows_without_a_reply_change_nothing() -> None:
    pieces = pieces_of(drawn(0.8, 3_000), T, V)
    read, targets = pieces[0]
    nothing = read, np.full_like(targets, IGNORED)
    assert exhausted(fitting(table, [*pieces, nothing])) == exhausted(fitting(table, pieces))
    (with_it,), (without,) = (exhausted(measuring(table, some)) for some in ([nothing, *pieces], pieces))
    assert with_it.loss == without.loss
    fit = exhausted(fitting(table, [nothing]))
    assert (fit.logit_scale, fit.tokens) == (1.0, 0)


def test_halves_hold_every_window_once() -> None:
    pieces = pieces_of(np.arange(10 * T + 5), T, V)
    both = halves(pieces)
    seen = sorted(int(start) for half in both for read, _ in half for start in read[:, 0])
    assert seen == [T * window for window in range(11)]
    assert abs(sum(read.size for read, _ in both[0]) - sum(read.size for read, _ in both[1])) <= T


def test_the_work_can_be_left_at_any_window() -> None:
    steps: Generator[float, None, object] = fitting(table, pieces_of(drawn(1.0, 3_000), T, 1 << 19))
    assert 0 < next(steps) < 1
