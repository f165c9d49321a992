"""The sentence under the chart: what it says of curves whose meaning is known."""

from __future__ import annotations

import numpy as np
import pytest

from tinygpt_tui.corpora.floors import Floor
from tinygpt_tui.doctor.trend import Trend, noise_of, trend
from tinygpt_tui.doctor.verdict import verdict_of
from tinygpt_tui.events.training import Evaluation, RunEnded, RunStarted, Step
from tinygpt_tui.runs.history import RunHistory

FLOORS = [
    Floor("guessing", 0, 4.17),
    Floor("unigram", 1, 3.35),
    Floor("bigram", 2, 2.48),
    Floor("trigram", 3, 2.04),
    Floor("5-gram", 5, 1.56),
]


def a_run(validation: list[float], train: list[float] | None = None, every: int = 100) -> RunHistory:
    """A run that was evaluated every so many steps; the first is the untrained model."""
    history = RunHistory(steps=every * 100)
    history.add([RunStarted(0.0, 0, every * 100, 1, 1, 1, "cpu", 1)])
    for number, loss in enumerate(validation):
        best = int(np.argmin(validation[: number + 1]))
        trained = (train or validation)[number]
        if number:
            history.add([Step(number * every, trained, 1e-3, 1.0, 1.0, 1.0)])
        history.add([Evaluation(number * every, loss, trained, best * every, validation[best], 0.1)])
    return history


def said(validation: list[float], train: list[float] | None = None, **more: object) -> str:
    return verdict_of(a_run(validation, train), FLOORS, **more).text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (4.1, "has learned nothing yet: still worse than counting letters"),
        (3.352, "now as good as counting letters"),
        (3.0, "now better than counting letters, not yet than a bigram"),
        (2.3, "now better than a bigram, not yet than a trigram"),
        (2.036, "now as good as a trigram"),
        (1.9, "now better than a trigram, not yet than a 5-gram"),
        (1.44, "now better than a 5-gram, by 0.12 nats"),
    ],
)
def test_the_ladder_of_yardsticks(loss: float, sentence: str) -> None:
    assert said([4.17, loss]) == sentence


def test_nothing_is_said_before_the_first_step() -> None:
    assert said([4.17]) == ""
    assert verdict_of(RunHistory(), FLOORS).text == ""


def test_without_yardsticks_there_is_less_to_say() -> None:
    assert verdict_of(a_run([4.17, 3.0]), []).text == ""
    assert verdict_of(a_run([4.17, 4.17]), FLOORS[:1]).text == "has learned nothing yet: no better than guessing"


def test_a_run_that_has_ended_is_not_told_of_as_now() -> None:
    history = a_run([4.17, 1.44])
    history.add([RunEnded(0.0, 100, "finished", 100, 1.44, 1.0)])
    assert verdict_of(history, FLOORS).text == "better than a 5-gram, by 0.12 nats"


def test_tokens_are_not_letters() -> None:
    assert said([4.17, 4.0], units="tokens").endswith("counting tokens")


def test_near_the_entropy() -> None:
    assert said([4.17, 0.152], entropy=0.146) == "now within 4% of the entropy: no model can do better"
    assert "entropy" not in said([4.17, 0.2], entropy=0.146)


def test_overfitting() -> None:
    train = [4.17, 2.5, 2.0, 1.7, 1.5, 1.3, 1.1, 0.9, 0.8]
    validation = [4.17, 2.5, 2.1, 1.92, 1.83, 1.8, 1.82, 1.89, 1.98]
    assert said(validation, train) == (
        "overfitting since step 500: training falls, validation rises; the best weights (step 500) are saved"
    )
    assert verdict_of(a_run(validation, train), FLOORS).mood == "bad"


def test_worse_without_training_getting_better_is_not_overfitting() -> None:
    rising = [4.17, 2.5, 2.1, 1.9, 1.8, 1.85, 2.0, 2.2]
    assert said(rising) == (
        "now better than a bigram, not yet than a trigram; worse since step 400, but training does not fall either; "
        "the best weights (step 400) are saved"
    )


def test_level() -> None:
    assert said([4.17, 2.5, 2.0, 1.902, 1.901, 1.9, 1.899]) == (
        "now better than a trigram, not yet than a 5-gram; level: hardly better in the last 300 steps"
    )


def test_a_falling_loss_is_not_level() -> None:
    assert trend(np.arange(1.0, 9.0), 2.0 - 0.02 * np.arange(8.0), np.ones(8)) == Trend()


def test_one_bad_evaluation_is_noise() -> None:
    validation, train = np.array([2.5, 2.1, 1.9, 1.85, 1.87]), np.array([2.5, 2.0, 1.8, 1.7, 1.6])
    assert trend(np.arange(5.0), validation, train).overfitting is None


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_is_never_overfitting(seed: int) -> None:
    random = np.random.default_rng(seed)
    steps = np.arange(1.0, 41.0)
    for end in range(4, 41):
        validation = 1.5 + np.exp(-steps / 4) + random.normal(0, 0.02, 40)
        found = trend(steps[:end], validation[:end], 1.4 + np.exp(-steps[:end] / 4))
        assert found.overfitting is None
        assert found.worse is None


def test_the_noise_of_a_curve_is_measured() -> None:
    random = np.random.default_rng(0)
    falling = 2 * np.exp(-np.arange(200) / 30)
    assert noise_of(falling + random.normal(0, 0.05, 200)) == pytest.approx(0.05, rel=0.3)
    assert noise_of(falling) < 0.003
