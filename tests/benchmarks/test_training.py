"""The benchmark of training, cut short: its plain recipe, its rounds, what it says of them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from makers import TEXT, split

from benchmarks import train
from benchmarks.command import execute
from benchmarks.measure import training
from benchmarks.measure.plain_training import PlainTraining
from benchmarks.measure.training import TrainingBenchmark, TrainingPlan
from benchmarks.measure.training_goals import DEFAULT, GOALS, LOOP, LOOP_SIZES, find_parts
from benchmarks.measure.training_report import GoalRow, TrainingRun
from benchmarks.train import in_words
from tinygpt_tui.errors import ExitCode, UsageError
from tinygpt_tui.measuring.report import Spread
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.presets import PRESETS

SMALL = GPTSettings(n_layer=1, n_head=2, n_embd=16, block_size=8)


def test_the_plain_recipe_learns_and_its_loss_is_over_each_token() -> None:
    corpus = split(TEXT, 8, 0.1)
    plain = PlainTraining(msgspec.structs.replace(SMALL, vocab_size=corpus.tokenizer.size), corpus.train, 1)
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


NANOGPT = """
from dataclasses import dataclass
import torch
from torch import nn
from torch.nn import functional as F

@dataclass
class GPTConfig:
    block_size: int
    vocab_size: int
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float
    bias: bool

class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.wte, self.config = nn.Embedding(config.vocab_size, config.n_embd), config
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=config.bias)
        print("number of parameters: few")

    def forward(self, idx, targets=None):
        assert idx.shape[1] <= self.config.block_size
        logits = self.lm_head(self.wte(idx))
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)

    def configure_optimizers(self, weight_decay, learning_rate, betas, device_type):
        assert device_type == "cpu"
        print("using fused AdamW: False")
        return torch.optim.AdamW(self.parameters(), lr=learning_rate, betas=betas, weight_decay=weight_decay)
"""


@pytest.fixture
def nanogpt(tmp_path: Path) -> Path:
    """A file with nanoGPT's interface, and the least of nets."""
    file = tmp_path / "model.py"
    file.write_text(NANOGPT, encoding="utf-8")
    return file


def test_nanogpts_file_is_trained_on_the_same_batches_by_the_same_recipe(
    nanogpt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = split(TEXT, 8, 0.1)
    settings = msgspec.structs.replace(SMALL, vocab_size=corpus.tokenizer.size)
    batches: dict[Path | None, list[torch.Tensor]] = {}
    for file in (None, nanogpt):
        training = PlainTraining(settings, corpus.train, 1, file)
        before, loss = training.whole_loss(corpus.validation), training.net.loss
        seen = batches.setdefault(file, [])
        training.net.loss = lambda x, y, loss=loss, seen=seen: (seen.extend((x, y)), loss(x, y))[1]  # type: ignore[method-assign]
        for _ in range(50):
            training.one_step()
        assert training.whole_loss(corpus.validation) < before
    assert all(map(torch.equal, batches[None], batches[nanogpt]))
    assert capsys.readouterr().out == ""


def test_nanogpts_file_has_a_row_in_the_loop(nanogpt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "LOOP_SIZES", {"S": SMALL})
    benchmark = TrainingBenchmark(
        TrainingPlan(parts=("loop",), seeds=(1,), corpus="cat", steps=1, nanogpt=nanogpt), TEXT
    )
    list(benchmark)
    report = benchmark.report()
    row = next(row for row in report.loop if row.way == "nanoGPT's file")
    assert row.ratio == Spread.of_ratios(row.speeds, report.loop[0].speeds)
    assert "nanoGPT's file" in in_words(report)


def test_another_file_than_nanogpts_is_told(nanogpt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong, words in (("GPT = 1", "GPTConfig"), ("import no_such_package", "no_such_package"), ("exit(3)", "3")):
        nanogpt.write_text(wrong, encoding="utf-8")
        with pytest.raises(UsageError, match=f"is not nanoGPT's model.py: .*{words}"):
            PlainTraining(SMALL, split(TEXT, 8, 0.1).train, 1, nanogpt)
    assert execute(train, ["--only", "1.88", "--nanogpt", str(nanogpt)]) == ExitCode.USAGE
    assert "in the part loop only" in capsys.readouterr().err
    assert execute(train, ["--nanogpt", f"{nanogpt}.txt"]) == ExitCode.NOT_FOUND
    assert "there is no file" in capsys.readouterr().err


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
    every = TrainingPlan(parts=(LOOP, *GOALS), seeds=(1,), corpus="cat")
    assert TrainingBenchmark(every, TEXT).report().goals == ()  # it can be planned, and nothing is measured yet
