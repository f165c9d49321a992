"""The benchmark of training, cut short: its plain recipe, its rounds, what it says of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from makers import TEXT, split

from benchmarks.measure import training
from benchmarks.measure.plain_training import PlainTraining
from benchmarks.measure.training import TrainingBenchmark, TrainingPlan
from benchmarks.measure.training_goals import DEFAULT, GOALS, LOOP_SIZES, find_parts
from benchmarks.measure.training_report import GoalRow, TrainingRun
from benchmarks.train import in_words
from tinygpt_tui.errors import UsageError
from tinygpt_tui.measuring.report import Spread
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.presets import PRESETS

SMALL = GPTSettings(n_layer=1, n_head=2, n_embd=16, block_size=8)


def test_the_plain_recipe_learns_and_its_loss_is_over_each_token() -> None:
    corpus = split(TEXT, 8, 0.1)
    plain = PlainTraining(GPTSettings(**{**_fields(SMALL), "vocab_size": corpus.tokenizer.size}), corpus.train, 1)
    before = plain.whole_loss(corpus.validation)
    assert before == pytest.approx(np.log(corpus.tokenizer.size), abs=0.1)
    for _ in range(150):
        plain.one_step()
    assert plain.whole_loss(corpus.validation) < before - 0.5
    ids = torch.from_numpy(corpus.validation.astype(np.int64))
    with torch.no_grad():
        each = [
            -plain.net.every(ids[None, (n - 1) // 8 * 8 : n])[0, -1].log_softmax(0)[ids[n]].item()
            for n in range(1, len(ids))
        ]
    assert plain.whole_loss(corpus.validation) == pytest.approx(sum(each) / len(each), rel=1e-4)


def _fields(settings: GPTSettings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in GPTSettings.__struct_fields__}


def test_rounds_have_their_own_ratio_and_ctrl_c_keeps_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "LOOP_SIZES", dict.fromkeys(LOOP_SIZES, SMALL))
    plan = TrainingPlan(parts=("loop", "1.88"), seeds=(1, 2), corpus="cat", steps=2)
    benchmark = TrainingBenchmark(plan, TEXT)
    shares = [progress.share for progress in benchmark]
    assert shares == sorted(shares)
    report = benchmark.report()
    assert report.finished
    plain, seconds = report.goals
    assert (plain.name, seconds.preset) == ("plain", "seconds")
    assert [run.seed for run in seconds.runs] == [1, 2]
    assert seconds.ratio is not None
    ratios = [one.seconds / other.seconds for one, other in zip(plain.runs, seconds.runs, strict=True)]
    assert seconds.ratio == Spread.of(ratios)
    assert all(0 < run.besides < 1 for run in seconds.runs)
    assert {(row.size, row.way) for row in report.loop} >= {("S", "plain"), ("M", "classic, AdamW")}
    words = in_words(report)
    assert "plain recipe" in words
    assert "≥ 25x" in words

    halted = TrainingBenchmark(plan, TEXT)
    for progress in halted:
        if progress.words.startswith("seed 1 of 2: 1.88"):
            break
    kept = halted.report()
    assert not kept.finished
    assert [row.name for row in kept.goals] == ["plain"]
    assert "not finished" in in_words(kept)


def test_a_goal_is_reached_by_every_seed_or_not() -> None:
    def row(*losses: float, seconds: float = 10.0, **wanted: float) -> GoalRow:
        runs = tuple(
            TrainingRun(seed=n, steps=1, loss=loss, seconds=seconds, whole_s=9) for n, loss in enumerate(losses)
        )
        return GoalRow(
            name="x", preset="quick", parameters=1, runs=runs, wanted_loss=1.88, **wanted,  # type: ignore[arg-type]
            loss=Spread.of(losses), seconds=Spread.of([seconds]), ratio=Spread.of([30.0]),
        )  # fmt: skip

    assert row(1.87, 1.88, wanted_times=25).met
    assert row(1.87, 1.89, wanted_times=25).met is False
    assert row(1.87, wanted_times=31).met is False
    assert row(1.87, wanted_s=10).met
    assert row(1.87, wanted_s=9).met is False
    assert row(1.87).met is None


def test_parts_by_name() -> None:
    assert find_parts("1.67, loop") == ("loop", "1.67")
    assert find_parts(",".join(DEFAULT)) == DEFAULT
    for wrong in ("", "1.89"):
        with pytest.raises(UsageError, match="only"):
            find_parts(wrong)
    assert all(goal.preset in PRESETS for goal in GOALS.values())
