"""What can be drawn of a run, and what stands beside it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from train_bench import STEPS, beginning, loss_at, steps

from tinygpt_tui.corpora.floors import Floor
from tinygpt_tui.events.training import RunStarted, Step
from tinygpt_tui.runs.aspects import ASPECTS, Comparison, chart_of
from tinygpt_tui.runs.facts import reached
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.ghosts import GHOSTS, Overlay
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.ui.train.overlays import GHOST, offers, overlays_of

FLOORS = [Floor("guessing", 0, math.log(65)), Floor("bigram", 2, 2.5)]


@pytest.fixture
def history() -> RunHistory:
    history = RunHistory(steps=STEPS)
    history.add([*beginning(), *steps(1, 50)])
    return history


def test_the_loss_with_all_that_it_is_compared_with(history: RunHistory) -> None:
    chart = chart_of(history, Comparison(FLOORS, 0.5, 65, [GHOSTS["TinyGPT"].overlay, GHOSTS["the lecture"].overlay]))
    assert [series.name for series in chart.series] == ["train", "validation", "TinyGPT"]
    levels = {level.name: level.y for level in chart.levels}
    assert levels["bigram"] == 2.5
    assert levels["guessing, ln 65"] == pytest.approx(4.174, abs=1e-3)  # once
    assert levels["entropy of the grammar"] == 0.5
    assert levels["LayerNorm"] == 2.06
    assert len(levels) == 7
    assert chart.best == (50, loss_at(50))


def test_whatever_a_step_measures_can_be_drawn(history: RunHistory) -> None:
    assert {one.measured for one in ASPECTS.values() if one.measured} <= set(Step.__struct_fields__)
    last = steps(50, 50)[0]
    for name in Step.__struct_fields__:
        at, values = history.measured(name)
        assert (at[-1], values[-1]) == (50, getattr(last, name))


def test_units(history: RunHistory) -> None:
    nats = chart_of(history, Comparison(FLOORS))
    bits = chart_of(history, Comparison(FLOORS), ASPECTS["bits"])
    perplexity = chart_of(history, Comparison(FLOORS), ASPECTS["perplexity"])
    for index in range(2):
        np.testing.assert_allclose(np.asarray(bits.series[index].ys) * math.log(2), nats.series[index].ys)
        np.testing.assert_allclose(np.log(perplexity.series[index].ys), nats.series[index].ys)
    assert perplexity.levels[0].y == pytest.approx(math.exp(2.5))
    assert bits.y_label == "bits per character"


def test_longer_tokens_are_compared_per_character() -> None:
    """The yardsticks and the overlays are per character, and so are the curves; one view has them per token."""
    history = RunHistory(steps=STEPS)
    started = RunStarted(0.0, 0, STEPS, 9, 900, 100, "cpu", 1, validation_characters=250)
    history.add([started, *steps(1, 50)])
    chart = chart_of(history, Comparison(FLOORS, vocab_size=512))
    token = chart_of(history, Comparison(FLOORS, vocab_size=512), ASPECTS["token"])
    assert chart.series[1].ys[-1] == pytest.approx(loss_at(50) / 2.5)
    assert token.series[1].ys[-1] == pytest.approx(loss_at(50))
    levels = [{level.name: level.y for level in one.levels} for one in (chart, token)]
    assert (levels[0]["bigram"], levels[1]["bigram"]) == (2.5, 6.25)
    assert levels[0]["guessing, ln 512 / 2.50"] == pytest.approx(math.log(512) / 2.5)
    assert "nats per token" in token.y_label


@pytest.mark.parametrize(("aspect", "last"), [("rate", 1e-3), ("norm", 0.5), ("speed", 12_345.0)])
def test_what_each_step_measured(history: RunHistory, aspect: str, last: float) -> None:
    (series,) = chart_of(history, Comparison(FLOORS), ASPECTS[aspect]).series
    assert len(series.xs) == 50
    assert series.ys[-1] == last


def test_the_gap_begins_after_the_untrained_model(history: RunHistory) -> None:
    (series,) = chart_of(history, Comparison(), ASPECTS["gap"]).series
    np.testing.assert_array_equal(series.xs, [10, 20, 30, 40, 50])
    np.testing.assert_array_equal(series.ys, np.zeros(5))


def test_others_are_drawn_as_far_as_this_run_goes(history: RunHistory) -> None:
    long, late = Overlay("long", (0, 50, 150), (4.0, 3.0, 1.0)), Overlay("late", (500, 900), (2.0, 1.5))
    chart = chart_of(history, Comparison(overlays=[long, late]))
    ghost = chart.series[2]
    np.testing.assert_array_equal(ghost.xs, [0, 50, 100])
    np.testing.assert_array_equal(ghost.ys, [4, 3, 2])
    assert len(chart.series) == 3
    assert [(level.name, level.y) for level in chart.levels] == [("late", 1.5)]  # a target, as its curve begins later


def test_the_untrained_model_alone_is_no_curve() -> None:
    history = RunHistory(steps=STEPS)
    history.add(beginning())
    assert chart_of(history, Comparison(FLOORS)).series == ()


def test_the_published_curves() -> None:
    assert GHOSTS["TinyGPT"].overlay.losses[-1] == 1.67
    assert dict(GHOSTS["nanoGPT, GPU"].overlay.levels) == {"nanoGPT, GPU": 1.4697}
    assert dict(GHOSTS["nanoGPT, CPU"].overlay.levels) == {"nanoGPT, CPU": 1.88}
    for ghost in GHOSTS.values():
        assert len(ghost.overlay.steps) == len(ghost.overlay.losses)
        assert ghost.overlay.levels or len(ghost.overlay.steps)
        assert ghost.source
        assert ghost.about


def test_what_is_offered() -> None:
    from tinygpt_tui.paths import shipped_models

    own = str(shipped_models() / "shakespeare-small")
    found = offers(own, "shakespeare")
    names = [offer.name for offer in found]
    same = names[: names.index("TinyGPT")]  # what learnt from the same text comes first
    assert sorted(same) == ["shakespeare", "shakespeare-rnn", "shakespeare-senses"]
    assert found[-1].name == "tales-chat"
    assert own not in [offer.key for offer in found]
    key = found[names.index("shakespeare")].key
    shakespeare, ghost = overlays_of([key, GHOST + "TinyGPT", "/nowhere", GHOST + "nobody"])
    curve = reached(RunFolder(shipped_models() / "shakespeare").events)
    assert shakespeare.losses[-1] == pytest.approx(curve.best_loss, abs=1e-3)
    assert ghost.name == "TinyGPT"
