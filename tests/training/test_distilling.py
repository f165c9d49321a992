"""A run that learns another model's probabilities, and the export that needs it."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest
import torch
from makers import TEXT, VARIANTS, make_model, make_run, split

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.native import load
from tinygpt_tui.cli.main import run as tinygpt
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.events.training import RunEnded, Step, TeacherMeasured
from tinygpt_tui.exports.forms import FORMS, Form, is_standard
from tinygpt_tui.exports.result import Exported
from tinygpt_tui.foreign.opening import inspect_checkpoint
from tinygpt_tui.planning.machine import Machine, save_machine
from tinygpt_tui.planning.student import student_training
from tinygpt_tui.runs.aspects import Comparison, chart_of
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.distilled import cost_words
from tinygpt_tui.runs.folder import RunFolder, RunStatus
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.training.evaluate import whole_loss
from tinygpt_tui.training.fine_tuning import origin_of
from tinygpt_tui.training.run import run_training
from tinygpt_tui.workers.distilling import training_text


@pytest.fixture
def teacher() -> RunFolder:
    """A model that has learned a little."""
    run = make_run("cat", steps=30, evaluate_every=30)
    list(run_training(run.model))
    return run


def make_student(teacher: RunFolder, name: str, *, starts_there: bool = False) -> RunFolder:
    """A run that learns from the teacher, on a text with a character that it does not know."""
    run = make_run(name, text=TEXT + "Zebra!\n", evaluate_every=100)
    origin = origin_of("cat").model
    settings = msgspec.structs.replace(run.read_settings(), teacher=origin, start=origin if starts_there else None)
    run.write_settings(settings)
    return run


def test_it_learns_the_probabilities_and_has_nothing_to_learn_from_itself(
    teacher: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinygpt_tui.training.teacher.MOST_SAVED", 0)  # both read the same windows
    same = list(run_training(make_student(teacher, "same", starts_there=True).model))
    assert next(event for event in same if isinstance(event, Step)).gradient_norm < 1e-5
    run = make_student(teacher, "student")
    events = list(run_training(run.model))
    measured = next(event for event in events if isinstance(event, TeacherMeasured))
    opened = load(teacher.model)
    judged = split(TEXT + "Zebra!\n", 8, 0.1, opened.tokenizer).validation
    assert measured.validation_loss == pytest.approx(whole_loss(opened.model, judged, 8), abs=1e-4)
    assert load(run.model).tokenizer.to_dict() == opened.tokenizer.to_dict()
    history = RunHistory()
    history.add(events)
    assert "teacher" in [level.name for level in chart_of(history, Comparison()).levels]
    ended = events[-1]
    assert isinstance(ended, RunEnded)
    assert ended.best_loss is not None
    assert f"a validation loss of {ended.best_loss:.3f} instead of {measured.validation_loss:.3f}" in cost_words(run)
    assert not cost_words(teacher)
    # An export of it learns on the text that it was trained on, if that is here.
    settings = teacher.read_settings()
    assert training_text(teacher.model) == (settings.corpus, settings.training.validation_share)
    Path(settings.corpus.path).write_text("another text", encoding="utf-8")
    assert training_text(teacher.model) is None


def test_stopped_and_resumed_it_ends_with_the_same_weights(teacher: RunFolder) -> None:
    straight = make_student(teacher, "straight")
    copy = RunFolder(paths.models_folder() / "copy")
    shutil.copytree(straight.model, copy.model)
    list(run_training(straight.model))
    for event in run_training(copy.model):
        if isinstance(event, Step) and event.step == 5:
            Control(copy.control).send("stop")
    again = list(run_training(copy.model))
    assert not any(isinstance(event, TeacherMeasured) for event in again)
    one, other = (torch.load(run.resume, weights_only=True)["model"] for run in (straight, copy))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS.keys())
def test_every_model_has_a_student_that_the_format_stores(settings: ArchitectureSettings) -> None:
    for form in (form for form in FORMS.values() if form.student):
        net = student_training(settings, form.student, 1.0).architecture
        assert isinstance(net, GPTSettings)
        assert is_standard(form, net)
        assert net.n_embd % (2 * net.n_head) == 0


def test_an_export_trains_what_the_format_can_store_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gguf", reason="gguf is not installed")
    monkeypatch.setattr("tinygpt_tui.cli.training_view.start_examiner", lambda run: None)
    save_machine(Machine())  # this machine is known: nothing is measured
    make_model(paths.models_folder() / "states", VARIANTS["lstm"])
    assert tinygpt(["export", "states", str(tmp_path / "a.gguf"), "--to", "gguf"]) == ExitCode.USAGE
    assert "--distil trains a llama" in capsys.readouterr().err
    export = ["export", "states", "--distil", "--to"]
    assert tinygpt([*export, "gguf", str(tmp_path / "a.gguf"), "--minutes", "0.03"]) == ExitCode.OK
    said = capsys.readouterr().err
    assert "it writes one" in said
    assert "states-llama has learned the probabilities of states: a validation loss of" in said
    again = inspect_checkpoint(tmp_path / "a.gguf")
    assert again.tokenizer.encode("a cab\n") == load(paths.models_folder() / "states").tokenizer.encode("a cab\n")
    journal = read_journal(RunFolder(paths.models_folder() / "states-llama").events)
    assert tinygpt([*export, "hf", str(tmp_path / "hf"), "--no-check"]) == ExitCode.OK
    assert "has learned from states before" in capsys.readouterr().err
    assert (tmp_path / "hf" / "model.safetensors").exists()
    assert read_journal(RunFolder(paths.models_folder() / "states-llama").events) == journal
    assert tinygpt([*export, "onnx", str(tmp_path / "x.onnx")]) == ExitCode.USAGE
    assert tinygpt(["export", "states-llama", *export[2:], "hf", str(tmp_path / "other")]) == ExitCode.USAGE
    assert "stores states-llama as it is" in capsys.readouterr().err


@pytest.mark.parametrize("learned", [True, False])
def test_stopped_by_the_user_it_exports_what_was_learned_and_says_so(
    learned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gguf", reason="gguf is not installed")
    save_machine(Machine())
    make_model(paths.models_folder() / "states", VARIANTS["lstm"])
    (tmp_path / "letters.txt").write_text("a cab, a bad cad\n" * 100, encoding="utf-8")
    exported: list[str] = []

    def stop(run: RunFolder) -> None:
        print("a line for people")
        if learned:
            (run.model / "weights.safetensors").touch()
        run.write_status(RunStatus(state="stopped", step=3, steps=9, pid=0, pid_created=0.0, time=0.0))

    def export(model: Path, form: Form, path: Path, **others: object) -> Exported:
        exported.append(model.name)
        return Exported(form.name, str(path), {}, [], None)

    monkeypatch.setattr("tinygpt_tui.cli.train.train_here", stop)
    monkeypatch.setattr("tinygpt_tui.exports.export.export", export)
    words = ["export", "states", str(tmp_path / "a.gguf"), "--to", "gguf", "--distil"]
    code = tinygpt([*words, "--corpus", str(tmp_path / "letters.txt")])
    out, said = capsys.readouterr()
    assert "tinygpt-tui resume states-llama continues" in said
    if learned:
        assert (code, exported, out.splitlines()) == (ExitCode.OK, ["states-llama"], [str(tmp_path / "a.gguf")])
        assert "stopped early: states-llama is saved, and exported with what it has learned" in said
    else:
        assert (code, exported, out) == (ExitCode.RUN, [], "")
        assert "has learned nothing yet" in said


def test_stopped_while_the_teacher_writes_it_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gguf", reason="gguf is not installed")
    save_machine(Machine())
    make_model(paths.models_folder() / "states", VARIANTS["lstm"])

    def interrupted(teacher: Path, seconds: float) -> Generator[float, None, str]:
        yield 0.5
        raise KeyboardInterrupt

    monkeypatch.setattr("tinygpt_tui.workers.distilling.writing_text", interrupted)
    assert tinygpt(["export", "states", str(tmp_path / "a.gguf"), "--to", "gguf", "--distil"]) == ExitCode.RUN
    assert "nothing was saved" in capsys.readouterr().err
    assert [folder.name for folder in paths.models_folder().iterdir()] == ["states"]
