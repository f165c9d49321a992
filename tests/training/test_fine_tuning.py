"""A run that begins with another model's weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from makers import MODERN, TEXT, make_run, tiny_gpt

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.card import read_config
from tinygpt_tui.checkpoints.native import load
from tinygpt_tui.cli.main import run as tinygpt
from tinygpt_tui.errors import CheckpointError, ExitCode, UsageError
from tinygpt_tui.events.training import Evaluation, OldText, RunEnded, Step
from tinygpt_tui.planning.estimate import estimate, warnings
from tinygpt_tui.planning.machine import Machine
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.evaluate import whole_loss
from tinygpt_tui.training.fine_tuning import RATE, check_typed, origin_of
from tinygpt_tui.training.run import run_training

NEW_TEXT = TEXT.replace("cat", "Ötzi") + "the zebra!\n"
FLAGS = ("--sample-tokens", "4", "--evaluate-every", "6", "--compile", "never", "--threads", "1", "--device", "cpu")


@pytest.fixture(params=["tied", "modern"])
def base(request: pytest.FixtureRequest) -> RunFolder:
    """A model that has learnt a little."""
    net = tiny_gpt(head_bias=True) if request.param == "tied" else MODERN
    changes = {name: getattr(net, name) for name in net.__struct_fields__ if name not in ("vocab_size", "ngram_rows")}
    run = make_run("cat", steps=60, evaluate_every=30, ngram_rows=1000 if request.param == "modern" else 0, **changes)
    assert isinstance(list(run_training(run.model))[-1], RunEnded)
    return run


def fine_tune(tmp_path: Path, *more: str) -> RunFolder:
    text = tmp_path / "ötzi.txt"
    text.write_text(NEW_TEXT, encoding="utf-8")
    assert tinygpt(["train", "--from", "cat", "--corpus", str(text), "--name", "new", *FLAGS, *more]) == ExitCode.OK
    return RunFolder(paths.models_folder() / "new")


def test_it_goes_on_from_what_was_learnt(base: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = fine_tune(tmp_path, "--steps", "12")
    old, new = load(base.model), load(run.model)
    characters = old.tokenizer.to_dict()["characters"]
    assert new.tokenizer.to_dict()["characters"] == characters + "".join(sorted(set(NEW_TEXT) - set(characters)))
    settings = run.read_settings()
    assert settings.start is not None
    assert (settings.start.name, settings.start.path) == ("cat", str(base.model.resolve()))
    assert settings.training.learning_rate == pytest.approx(RATE * base.read_settings().training.learning_rate)
    events = read_journal(run.events)
    first = next(event for event in events if isinstance(event, Evaluation))
    untrained = next(event for event in read_journal(base.events) if isinstance(event, Evaluation))
    assert first.validation_loss < untrained.validation_loss
    assert isinstance(events[-1], RunEnded)
    assert events[-1].best_loss is not None
    assert events[-1].best_loss < first.validation_loss
    told = next(event for event in events if isinstance(event, OldText))
    assert (told.text, told.new) == ("cat", "ötzi")
    config = read_config(base.model)
    assert config.trained is not None
    assert told.before == pytest.approx(config.trained.validation_loss, abs=0.01)
    ids = np.array(new.tokenizer.encode(TEXT[int(0.9 * len(TEXT)) :]))
    assert told.after == pytest.approx(whole_loss(new.model, ids, new.config.architecture.block_size), abs=0.02)
    words = f"cat {told.before:.2f} → {told.after:.2f}, ötzi {first.validation_loss:.2f} → "
    assert words in capsys.readouterr().err


def test_stopped_and_gone_on_it_needs_its_model_no_more(base: RunFolder, tmp_path: Path) -> None:
    straight = fine_tune(tmp_path, "--steps", "12", "--mix-old", "0.3")
    wanted = torch.load(straight.resume, weights_only=True)
    copy = RunFolder(paths.models_folder() / "copy")
    shutil.copytree(straight.model, copy.model)
    for name in ("resume.pt", "events.jsonl", "status.json"):
        (copy.folder / name).unlink()
    for event in run_training(copy.model):
        if isinstance(event, Step) and event.step == 5:
            Control(copy.control).send("stop")
    shutil.rmtree(base.model)
    events = list(run_training(copy.model))
    assert events[-1].step == 12  # type: ignore[union-attr]
    found = torch.load(copy.resume, weights_only=True)
    assert all(torch.equal(tensor, found["model"][name]) for name, tensor in wanted["model"].items())


def test_a_shipped_model_is_one_to_start_from() -> None:
    origin = origin_of("shakespeare-small")
    assert origin.recipe is not None
    wider = origin.vocabulary_for("Grüße")
    assert wider.size == origin.architecture.vocab_size + 2
    assert wider.encode("Gr") == origin.tokenizer.encode("Gr")
    check_typed({"dropout": 0.3, "steps": 10, "n_layer": origin.architecture.n_layer}, origin)
    with pytest.raises(UsageError, match="n layer: shakespeare-small has 4"):
        check_typed({"n_layer": 5}, origin)


def test_a_model_without_weights_is_none_to_start_from(base: RunFolder) -> None:
    (base.model / "weights.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no weights yet"):
        origin_of("cat")


def test_the_epochs_follow_from_the_size_of_the_text() -> None:
    origin = origin_of("shakespeare")
    other = TrainingSettings()
    diary, book, library = (origin.training(other, size) for size in (57_000, 1_100_000, 300_000_000))
    per_step = diary.batch_size * diary.architecture.training_length
    epochs = diary.steps * per_step / (57_000 * 0.9)
    assert 4 <= epochs <= 12
    assert diary.patience > 0
    assert diary.steps < book.steps <= library.steps == origin.training(other).steps  # never more than without a text
    told = warnings(diary, estimate(diary, 57_000, Machine()), fine_tuned=True)
    assert not [line for line in told if "epochs" in line]
    long = msgspec.structs.replace(diary, steps=1500)
    (line,) = [line for line in warnings(long, estimate(long, 57_000, Machine()), fine_tuned=True) if "epochs" in line]
    assert "starts from a model" in line
