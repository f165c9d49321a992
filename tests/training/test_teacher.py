"""The probabilities that a run learns from other models, and the command for it."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from makers import MODERN, TEXT, make_run, random_ids, random_model, small_training, tiny_gpt

from tinygpt_tui import paths
from tinygpt_tui.architectures.ensemble import Ensemble
from tinygpt_tui.cli.main import run as tinygpt
from tinygpt_tui.corpora.batches import Batches, ShuffledRows, Windows
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.corpora.rows import Rows
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.report import RunReport
from tinygpt_tui.tokenizers.numbers import NumberTokenizer
from tinygpt_tui.training.run import run_training
from tinygpt_tui.training.teacher import Teacher

IDS = np.array(random_ids(61))
LENGTH = 8


def teaching(model: Ensemble, batches: Batches) -> Teacher:
    settings = small_training(block_size=LENGTH, batch_size=3)
    return Teacher(model, Corpus(NumberTokenizer(13), IDS, IDS[:2]), batches, settings)


def test_an_ensemble_is_the_mean_of_its_log_probabilities() -> None:
    one, two = random_model(tiny_gpt(), seed=1), random_model(MODERN, seed=2)
    ids = torch.tensor([random_ids(8)])
    expected = (one(ids).log_softmax(-1) + two(ids).log_softmax(-1)) / 2
    torch.testing.assert_close(Ensemble([one, two])(ids), expected)
    assert Ensemble([one, two]).block_size == one.block_size


def test_each_place_is_answered_after_half_a_window_or_more_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Ensemble([random_model(tiny_gpt(block_size=LENGTH), seed=seed).eval() for seed in (1, 2)])
    windows = Windows(IDS, LENGTH, 3, seed=5)
    teacher = teaching(model, windows)
    read: list[int] = []
    ask = teacher._answers

    def answers(ids: torch.Tensor) -> torch.Tensor:
        read.append(len(ids))
        return ask(ids)

    monkeypatch.setattr(teacher, "_answers", answers)
    for step in range(12):
        inputs, _ = windows.batch(step)
        found = teacher.probabilities(torch.from_numpy(inputs), step).unflatten(0, inputs.shape)
        for row, start in zip(found, windows.starts(3 * step, 3), strict=True):
            for place, probabilities in enumerate(row, start=int(start)):
                first = min(max(0, place // 4 * 4 - 4), len(IDS) - LENGTH)  # half a window before the half it is in
                before = torch.from_numpy(IDS[first : place + 1])[None]
                expected = model(before)[0, -1].softmax(-1)
                torch.testing.assert_close(probabilities, expected, atol=1e-3, rtol=0)
    assert sum(read) == teacher._known.sum()


@pytest.mark.parametrize("why", ["a long text", "rows"])
def test_what_is_not_kept_is_answered_from_the_window_alone(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if why == "a long text":
        monkeypatch.setattr("tinygpt_tui.training.teacher.MOST_SAVED", 13 * len(IDS) - 1)
    batches = Windows(IDS, LENGTH, 3, 5) if why == "a long text" else ShuffledRows(Rows.side_by_side(IDS, LENGTH), 3, 5)
    model = Ensemble([random_model(tiny_gpt(block_size=LENGTH)).eval()])
    inputs = torch.from_numpy(batches.batch(2)[0])
    found = teaching(model, batches).probabilities(inputs, 2)
    torch.testing.assert_close(found, model(inputs).softmax(-1).flatten(0, 1))


@pytest.fixture
def teachers() -> list[RunFolder]:
    """Two models of one text."""
    runs = [make_run(name, steps=10, evaluate_every=10, seed=seed) for seed, name in enumerate(("one", "two"))]
    for run in runs:
        list(run_training(run.model))
    return runs


def command(tmp_path: Path, *more: str) -> list[str]:
    text = tmp_path / "text.txt"
    text.write_text(TEXT + "Zebra!\n", encoding="utf-8")  # with characters that the teachers do not know
    net = [] if "--from" in more else ["--preset", "small", "--n-layer", "1", "--n-embd", "16", "--block-size", "8"]
    short = ["--batch-size", "2", "--steps", "6", "--threads", "1", "--device", "cpu"]
    return ["train", "--corpus", str(text), "--name", "student", *net, *short, "--teacher", "one", *more]


def test_the_command_trains_on_the_mean_of_two_models(
    teachers: list[RunFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command(tmp_path, "--teacher", "two")
    assert tinygpt(words) == ExitCode.OK
    run = RunFolder(paths.models_folder() / "student")
    settings = run.read_settings()
    assert [teacher.path for teacher in settings.teachers] == [str(run.model.resolve()) for run in teachers]
    report = RunReport(run)
    assert "distilled from | one, step 10 and two, step 10 |" in report.as_markdown()
    again = shlex.split(report.command())
    assert again[again.index("--teacher") :][:4] == ["--teacher", "one", "--teacher", "two"]
    capsys.readouterr()
    assert tinygpt(["resume", "student", "--steps", "+2"]) == ExitCode.OK


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (["--teacher", "other"], "other has another vocabulary than one"),
        (["--tokenizer", "bytes"], "the tokenizer is the teacher's"),
        (["--processes", "2"], "trained by one process"),
        (["--from", "other"], "one has another vocabulary than other"),
        (["--teacher", "missing"], "missing"),
    ],
)
def test_what_does_not_fit_together_is_refused_and_leaves_no_run(
    more: list[str], problem: str, teachers: list[RunFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_run("other", text="0123456789" * 40, steps=4, evaluate_every=4)
    list(run_training(other.model))
    words = command(tmp_path, *more)
    assert tinygpt(words) != ExitCode.OK
    assert problem in capsys.readouterr().err
    assert not (paths.models_folder() / "student").exists()
