"""What the engine process does with requests, without the process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from makers import make_model

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.stored import read_folder
from tinygpt_tui.events.generation import Attributed, CopySaved, EngineFailed, GenerationEnded, ModelOpened, TextChecked
from tinygpt_tui.events.requests import Attribute, CheckText, Generate, OpenModel, SaveCopy, StopJob
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers import model_cache
from tinygpt_tui.workers.model_cache import OPEN_MODELS
from tinygpt_tui.workers.service import EngineService


def test_only_the_models_used_last_stay_open(tmp_path: Path) -> None:
    service = EngineService()
    folders = [str(tmp_path / f"net{number}") for number in range(OPEN_MODELS + 1)]
    for folder in folders:
        make_model(Path(folder))
        assert [type(event) for event in service.handle(0.0, OpenModel(folder))] == [ModelOpened]
    assert service.handle(0.0, OpenModel(folders[-1])) == []
    assert [type(event) for event in service.handle(0.0, OpenModel(folders[0]))] == [ModelOpened]


def test_what_nobody_expected_fails_the_request_and_not_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_down(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("oh")

    make_model(tmp_path / "net")
    service = EngineService()
    model = str(tmp_path / "net")

    with monkeypatch.context() as patch:
        patch.setattr(model_cache, "open_now", break_down)
        (failed,) = service.handle(0.0, OpenModel(model))
        assert isinstance(failed, EngineFailed)
        assert (failed.message, failed.model) == ("ZeroDivisionError: oh", model)
        (ended,) = service.handle(0.0, Generate(model, "a", SamplingSettings(), job=1))
        assert isinstance(ended, GenerationEnded)

    assert service.handle(0.0, Generate(model, "a", SamplingSettings(), job=2)) == []
    list(service.advance())
    for engine in (TorchEngine, NativeEngine):
        monkeypatch.setattr(engine, "prefill", break_down)
    (ended,) = service.advance()
    assert isinstance(ended, GenerationEnded)
    assert (ended.job, ended.reason, ended.message) == (2, "failed", "ZeroDivisionError: oh")
    assert "engine.log" in ended.hint
    assert not service.busy
    assert capsys.readouterr().err.count("Traceback") == 3


def test_a_text_can_be_explained_and_checked(tmp_path: Path) -> None:
    make_model(tmp_path / "net")
    service, model = EngineService(), str(tmp_path / "net")
    assert service.handle(0.0, Attribute(model, "abcabc", 5, SamplingSettings(), job=1)) == []
    assert service.handle(0.0, CheckText(model, "abc" * 9, job=2)) == []
    events = []
    while service.busy:
        events += list(service.advance())
    tokens = [token for event in events if isinstance(event, Attributed) for token in event.tokens]
    assert [token.start for token in tokens] == [4, 3, 2, 1, 0]
    assert [event.loop_period for event in events if isinstance(event, TextChecked)] == [3]
    assert sorted(event.job for event in events if isinstance(event, GenerationEnded)) == [1, 2]


def test_an_adapted_copy_is_kept_under_a_free_name(tmp_path: Path) -> None:
    make_model(tmp_path / "net")
    service, model, text = EngineService(), str(tmp_path / "net"), "badge cabbage " * 9
    names = []
    for job in (1, 2):
        assert service.handle(0.0, Generate(model, text, SamplingSettings(adapt=True, max_new_tokens=3), job=1)) == []
        assert service.handle(0.0, SaveCopy(model, text, job=job)) == []
        events = []
        while service.busy:
            events += list(service.advance())
        names += [event.name for event in events if isinstance(event, CopySaved)]
    assert names == ["net-adapted", "net-adapted-2"]
    one, two = (read_folder(paths.models_folder() / name).weights for name in names)
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_copy_is_not_kept_where_it_is_stopped_or_has_learned_nothing(tmp_path: Path) -> None:
    make_model(tmp_path / "net")
    service, model = EngineService(), str(tmp_path / "net")
    assert service.handle(0.0, SaveCopy(model, "badge cabbage " * 9, job=1)) == []
    assert service.handle(0.0, SaveCopy(model, "bad", job=2)) == []
    list(service.advance())
    service.handle(0.0, StopJob(1))
    events = []
    while service.busy:
        events += list(service.advance())
    ends = {event.job: event.reason for event in events if isinstance(event, GenerationEnded)}
    assert ends.get(1) == "stopped"
    assert not paths.models_folder().exists()
