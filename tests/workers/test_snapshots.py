"""A model as it was at a step of its run: by either engine the same text, opened once, stamped with its step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from makers import CLASSIC, LECTURE, make_model, make_run, random_model

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.checkpoints import engines
from tinygpt_tui.checkpoints.snapshot import Stamp, write_snapshot
from tinygpt_tui.cli.main import run as command
from tinygpt_tui.errors import CheckpointError, NotFoundError
from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, GenerationStarted
from tinygpt_tui.events.requests import Generate
from tinygpt_tui.native.library import load_library
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.timeline import nearest, path_of
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.models import open_model, open_moment
from tinygpt_tui.workers.service import EngineService
from tinygpt_tui.workers.snapshots import SnapshotCache


def keep(run: RunFolder, step: int, model: LanguageModel, loss: float | None = None) -> None:
    tensors = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    if getattr(model, "settings", CLASSIC).tied_head:
        tensors.pop("lm_head.weight", None)
    write_snapshot(path_of(run, step), tensors, Stamp(step, loss, step if loss else None))


@pytest.fixture
def run() -> RunFolder:
    run = make_run()
    make_model(run.model)
    for step in (0, 500):
        keep(run, step, random_model(CLASSIC, seed=step + 1), loss=2.5 if step else None)
    return run


def text_of(service: EngineService, model: Path, at_step: int | None) -> tuple[str, list[GenerationEvent]]:
    events = service.handle(
        0.0, Generate(str(model), "ab", SamplingSettings(max_new_tokens=12, seed=1), at_step=at_step, job=1)
    )
    while service.busy:
        events += service.advance()
    return "".join(getattr(event, "text", "") for event in events), events


@pytest.mark.parametrize("settings", [CLASSIC, LECTURE], ids=["tied", "untied"])
def test_both_engines_read_the_same_weights(settings: GPTSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    make_model(run.model, settings)
    net = random_model(settings, seed=3)
    tensors = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    if settings.tied_head:
        del tensors["lm_head.weight"]
    write_snapshot(path_of(run, 9), tensors, Stamp(9))
    moment = nearest(run, 9)
    with torch.no_grad():
        wanted = net(torch.tensor([[1, 2, 3]]))[0, -1].numpy()
    names = []
    for library in {load_library(), None}:
        monkeypatch.setattr(engines, "load_library", lambda library=library: library)
        opened = open_moment(run.model, moment)
        names.append(opened.engine_name)
        assert (opened.step, opened.validation_loss) == (9, None)
        assert abs(opened.new_engine().prefill([1, 2, 3]) - wanted).max() < 0.02 * abs(wanted).max()  # half precision
    assert "torch" in names


def test_a_request_names_a_step_and_gets_the_nearest(run: RunFolder) -> None:
    service = EngineService()
    early, first = text_of(service, run.model, 100)
    late, later = text_of(service, run.model, 499)
    now, best = text_of(service, run.model, None)
    assert len({early, late, now}) == 3
    stamps = [
        (event.step, event.validation_loss)
        for event in (first[0], later[0], best[0])
        if isinstance(event, GenerationStarted)
    ]
    assert stamps == [(0, None), (500, 2.5), (7, 1.5)]
    assert text_of(service, run.model, 0)[0] == early


def test_a_model_without_a_timeline_ends_the_job_with_a_way_out(tmp_path: Path) -> None:
    make_model(tmp_path / "dog")
    _, events = text_of(EngineService(), tmp_path / "dog", 5)
    assert isinstance(events[-1], GenerationEnded)
    assert (events[-1].reason, events[-1].message) == ("failed", "dog has no snapshots")
    assert events[-1].hint


def test_each_is_opened_once_until_its_file_changes_or_there_is_no_room(run: RunFolder) -> None:
    moments = SnapshotCache()
    first = moments.open(run.model, 0)
    assert moments.open(run.model, 3) is first
    keep(run, 0, random_model(CLASSIC, seed=9))
    assert moments.open(run.model, 0) is not first
    few = SnapshotCache(room=1)
    first = few.open(run.model, 0)
    few.open(run.model, 500)
    assert few.open(run.model, 0) is not first
    path_of(run, 0).unlink()
    path_of(run, 500).unlink()
    with pytest.raises(NotFoundError):
        few.open(run.model, 0)


def test_one_of_another_model_is_refused(run: RunFolder) -> None:
    path_of(run, 500).unlink()
    keep(run, 0, random_model(LECTURE))
    with pytest.raises(CheckpointError, match="do not fit"):
        open_moment(run.model, nearest(run, 0))
    assert open_model(run.model).step == 7


def test_the_command_line_says_which_step_it_took(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["generate", run.model.name, "--prompt", "ab", "--max-new-tokens", "8", "--seed", "1"]
    assert command([*arguments, "--at-step", "400"]) == 0
    early = capsys.readouterr()
    assert early.err == "tinygpt-tui: step 400 was not saved; using step 500\n"
    assert command([*arguments, "--at-step", "500"]) == 0
    exact = capsys.readouterr()
    assert (exact.out, exact.err) == (early.out, "")
    assert command(arguments) == 0
    assert capsys.readouterr().out != exact.out
