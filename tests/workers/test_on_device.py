"""A model that is opened on a chosen device is run there by torch, and writes what it writes elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from makers import VARIANTS, make_model
from pretended import AVAILABLE, NAME, Pretended, pretended_device

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.snapshot import Stamp, write_snapshot
from tinygpt_tui.cli.main import run as tinygpt
from tinygpt_tui.errors import ExitCode, UsageError
from tinygpt_tui.events.generation import GenerationEnded, SensesSeen, Token
from tinygpt_tui.events.requests import Generate, LookAtSenses
from tinygpt_tui.generation.text import GenerationJob, TextGeneration
from tinygpt_tui.runs.timeline import Moment
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.training import device as device_module
from tinygpt_tui.workers.models import OpenedModel, TorchModel, open_model, open_moment
from tinygpt_tui.workers.service import EngineService

SAMPLING = SamplingSettings(max_new_tokens=20, seed=1)
ARCHITECTURES = ["classic", "modern", "lstm", "cnn", "bigram", "backpack"]


def text_of(opened: OpenedModel) -> str:
    job = GenerationJob(
        opened.new_engine(),
        TextGeneration(opened.tokenizer, opened.config.architecture.context_length, "abc", SAMPLING),
    )
    return "".join(event.text for event in job if isinstance(event, Token | GenerationEnded))


@pytest.fixture
def letters() -> Path:
    folder = paths.models_folder() / "letters"
    make_model(folder)
    return folder


def test_on_the_processor(letters: Path) -> None:
    opened = open_model(letters, device="cpu")
    assert opened.engine_name == "torch"
    assert text_of(opened) == text_of(open_model(letters))
    twin = open_model(letters, untrained=True, device="cpu")
    assert (twin.engine_name, twin.step) == ("torch", None)
    assert text_of(twin) == text_of(open_model(letters, untrained=True))


def test_a_moment_of_a_run(letters: Path, tmp_path: Path) -> None:
    weights = {name: tensor.numpy() for name, tensor in make_model(tmp_path / "other", seed=3).state_dict().items()}
    del weights["lm_head.weight"]
    moment = Moment(4, tmp_path / "4.safetensors")
    write_snapshot(moment.path, weights, Stamp(4))
    opened = open_moment(letters, moment, "cpu")
    assert (opened.engine_name, opened.step) == ("torch", 4)
    assert text_of(opened) == text_of(open_moment(letters, moment))


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device that is missing here is there")
def test_a_device_that_is_missing_is_said_in_words(letters: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="this machine has no cuda"):
        open_model(letters, device="cuda")
    for command in (["generate", "letters"], ["serve"]):
        assert tinygpt([*command, "--device", "cuda"]) == ExitCode.USAGE
        assert "this machine has no cuda" in capsys.readouterr().err
    service = EngineService("cuda")
    (failed,) = service.handle(0.0, Generate(str(letters), "a", SAMPLING, job=1))
    assert isinstance(failed, GenerationEnded)
    assert "this machine has no cuda" in failed.message


def test_what_only_the_native_engine_has(letters: Path) -> None:
    with pytest.raises(UsageError, match="int8") as caught:
        open_model(letters, device="cpu").new_engine(weights="int8")
    assert "device to auto" in caught.value.hint


def test_the_command_line(letters: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for device in ("auto", "cpu"):
        assert tinygpt(["generate", "letters", "--prompt", "abc", "--seed", "1", "--device", device]) == ExitCode.OK
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert tinygpt(["--device", "gpu"]) == ExitCode.USAGE
    assert "'gpu' is not a device" in capsys.readouterr().err
    assert tinygpt(["--device", "cpu", "generate", "letters"]) == ExitCode.USAGE
    assert "generate … --device cpu" in capsys.readouterr().err


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    if not AVAILABLE:
        pytest.skip("this torch cannot pretend a device")
    with pretended_device(monkeypatch) as device:
        monkeypatch.setattr(device_module, "choose_device", lambda name: device)
        yield  # type: ignore[misc]


@pytest.mark.usefixtures("accelerator")
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_on_an_accelerator(name: str) -> None:
    folder = paths.models_folder() / "letters"
    make_model(folder, VARIANTS[name])
    opened = open_model(folder, device=NAME)
    assert isinstance(opened, TorchModel)
    assert isinstance(next(opened._model.parameters()), Pretended)
    assert text_of(opened) == text_of(open_model(folder))


@pytest.mark.usefixtures("accelerator")
def test_the_senses_of_a_backpack_on_an_accelerator() -> None:
    folder = paths.models_folder() / "letters"
    make_model(folder, VARIANTS["backpack"])
    seen = []
    for device in ("auto", NAME):
        service = EngineService(device)
        service.handle(0.0, LookAtSenses(str(folder), "abcd", 2, job=1))
        events = list(service.advance())
        assert isinstance(events[0], SensesSeen)
        seen.append(events[0])
        service.handle(0.0, Generate(str(folder), "ab", SAMPLING, gains=((3, 0, 2.0),), job=2))
        ended: list[GenerationEnded] = []
        while not ended:
            ended = [event for event in service.advance() if isinstance(event, GenerationEnded)]
        assert ended[0].reason == "length", ended[0]
    assert [token.id for token in seen[0].tokens] == [token.id for token in seen[1].tokens]


def test_the_apps_engine_gets_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the command line to the process, without opening a terminal."""
    from tinygpt_tui.cli import main
    from tinygpt_tui.ui import app
    from tinygpt_tui.workers.engine_process import EngineProcess

    asked: list[str] = []
    show: Callable[[str], int] = lambda device: asked.append(device) or 0  # type: ignore[func-returns-value]  # noqa: E731
    monkeypatch.setattr(main, "open_app", show)
    assert tinygpt(["--device", "cuda:1"]) == ExitCode.OK
    assert tinygpt([]) == ExitCode.OK
    assert asked == ["cuda:1", "auto"]
    engine = app._engine_process(30, "cuda:1")
    assert isinstance(engine._end, EngineProcess)
    assert engine._end._device == "cuda:1"
