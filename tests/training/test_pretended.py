"""Every preset and family trains, evaluates and writes on a device that is not the processor, as it does there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from makers import TEXT, VARIANTS, make_run, random_ids, random_model, small_corpus, small_training
from pretended import AVAILABLE, NAME, Pretended, pretended_device

from tinygpt_tui.events.training import Evaluation, Note, RunEnded, Step, TrainingEvent
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.generation.slots import SlotBatchEngine
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.library import load_library
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.settings.windows import policy_for
from tinygpt_tui.tokenizers.documents import BOUNDARY, SEPARATOR
from tinygpt_tui.training import loop, prepare, sampling
from tinygpt_tui.training.device import choose_device
from tinygpt_tui.training.evaluate import tokens_at_once, whole_loss
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.run import run_training
from tinygpt_tui.training.state import copied

pytestmark = pytest.mark.skipif(
    not AVAILABLE,
    reason="needs a run of its own: make test-pretended-device",
)

CPU = torch.device("cpu")
PAIRS = "".join(f"{a}{b}{SEPARATOR}{b}{BOUNDARY}" for a in "abcdefgh" for b in "abcdefgh")
SMALL = {"block_size": 8, "n_layer": 1, "n_head": 2, "n_embd": 16, "n_hidden": 24, "ngram_rows": 64, "n_sense": 2}
FAMILIES = ["lecture", "sliding, with all else", "llama", "rnn", "gru", "lstm", "cnn", "bigram", "backpack"]


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """A device that is not the processor."""
    monkeypatch.setattr(loop, "use_fused", lambda model: False)  # the processor's own arithmetic differs in rounding
    with pretended_device(monkeypatch) as device:
        yield device


def smaller(architecture: ArchitectureSettings) -> ArchitectureSettings:
    """The same net with few numbers; every option as it was."""
    there = architecture.__struct_fields__
    fields = {name: size for name, size in SMALL.items() if name in there and getattr(architecture, name) > size}
    return msgspec.structs.replace(architecture, **fields)


def preset(name: str) -> TrainingSettings:
    whole = ALL_PRESETS[name].training
    return msgspec.structs.replace(
        whole, architecture=smaller(whole.architecture), batch_size=2, steps=2, minutes=0.0, evaluate_every=2,
        sample_tokens=0, compile="never",
    )  # fmt: skip


def train(settings: TrainingSettings, device: torch.device) -> list[TrainingEvent]:
    settings, corpus = small_corpus(settings, PAIRS if settings.windows == "pairs" else TEXT[:600])
    return list(Training(settings, corpus, device).events())


def losses(events: list[TrainingEvent]) -> list[float]:
    return [event.loss for event in events if isinstance(event, Step)]


def measured(events: list[TrainingEvent]) -> list[float]:
    return [event.validation_loss for event in events if isinstance(event, Evaluation)]


@pytest.mark.parametrize("name", ALL_PRESETS)
def test_every_preset_trains_on_it_as_on_the_processor(name: str, device: torch.device) -> None:
    settings = preset(name)
    events, wanted = train(settings, device), train(settings, CPU)
    assert losses(events) == pytest.approx(losses(wanted), rel=1e-4)
    assert measured(events) == pytest.approx(measured(wanted), rel=1e-4)
    assert (len(losses(events)), len(measured(events))) == (2, 2)


def test_one_wait_a_step(device: torch.device) -> None:
    for name in ("seconds", "small"):  # Muon and AdamW
        settings, corpus = small_corpus(preset(name))
        training = Training(settings, corpus, device)
        training.take_step()
        before = Pretended.waits
        training.take_step()
        assert Pretended.waits == before + 1


@pytest.mark.parametrize("name", FAMILIES)
def test_every_architecture_writes_on_it_as_on_the_processor(name: str, device: torch.device) -> None:
    """One text and several, past the window, with every policy that the net knows."""
    ids, more = random_ids(5), random_ids(5, seed=2)
    answers = []
    for place in (CPU, device):
        model = random_model(VARIANTS[name]).to(place)
        policy = policy_for("auto", model.settings)
        one = TorchEngine(model, policy)
        several = SlotBatchEngine(model, 3, policy)
        found = [one.prefill(ids), *(one.step(id) for id in more)]
        found += [one.every(ids), several.join([ids[:2], ids]), several.step(more[:2]), several.join([more])]
        several.keep_rows([2, 0])
        answers.append([*found, several.step(more[2:4])])
    for here, there in zip(*answers, strict=True):
        np.testing.assert_allclose(here, there, rtol=1e-4, atol=1e-4)


@pytest.fixture
def chosen(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """The same device, under a name that settings may ask for."""
    monkeypatch.setattr(prepare, "choose_device", lambda name: device if name == NAME else choose_device(name))
    monkeypatch.setattr(prepare, "devices", lambda: [CPU])
    return device


SHORT: dict[str, Any] = {"text": TEXT[:800], "dropout": 0.1, "n_layer": 1, "steps": 8}


def stopped(name: str, where: str) -> RunFolder:
    run = make_run(name, device=where, **SHORT)
    for event in run_training(run.model):
        if isinstance(event, Step) and event.step == 5:
            Control(run.control).send("stop")
    return run


def move(run: RunFolder, where: str) -> list[TrainingEvent]:
    settings = run.read_settings()
    run.write_settings(
        msgspec.structs.replace(settings, training=msgspec.structs.replace(settings.training, device=where))
    )
    return list(run_training(run.model))


@pytest.mark.usefixtures("chosen")
def test_a_whole_run_stops_and_goes_on_exactly() -> None:
    straight = list(run_training(make_run("straight", device=NAME, **SHORT).model))
    assert isinstance(straight[-1], RunEnded)
    assert (straight[-1].reason, straight[-1].message) == ("finished", "")
    run = stopped("halved", NAME)
    rest = move(run, NAME)
    assert losses(rest) == losses(straight)[5:]
    assert not [event for event in rest if isinstance(event, Note) and "bit for bit" in event.text]


@pytest.mark.usefixtures("chosen")
@pytest.mark.parametrize(("first", "then"), [(NAME, "cpu"), ("cpu", NAME)])
def test_a_run_goes_on_elsewhere_and_says_what_that_means(first: str, then: str) -> None:
    run = stopped("moved", first)
    rest = move(run, then)
    assert isinstance(rest[-1], RunEnded)
    assert (rest[-1].reason, rest[-1].step) == ("finished", 8)
    (note,) = [event.text for event in rest if isinstance(event, Note) and "bit for bit" in event.text]
    assert first in note
    assert then in note
    curve = measured(read_journal(run.events))
    assert curve[-1] < curve[0]


def test_the_random_state_of_another_kind_of_device_is_not_taken_over(device: torch.device) -> None:
    """A state of an older version that was on a GPU has the GPU's random numbers, and does not say so."""
    settings, corpus = small_corpus(small_training())
    training = Training(settings, corpus, CPU)
    state = copied(training.state())
    del state["device"]
    state["device_random"] = torch.zeros(16, dtype=torch.uint8)
    training.load_state(state)
    assert training.came_from == "cuda"
    state["device_random"] = None
    training.load_state(state)
    assert training.came_from == ""


def test_samples_are_written_by_the_native_engine_as_on_the_processor(device: torch.device) -> None:
    model = random_model(VARIANTS["classic"]).to(device)
    if load_library() is None:
        pytest.skip("the native engine was not built")
    assert isinstance(sampling._open_engine(model, small_training()), NativeEngine)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sampling, "NATIVE_PARAMETERS", 10)  # a large net is quicker where it is
        assert isinstance(sampling._open_engine(model, small_training()), TorchEngine)


def test_evaluations_wait_for_large_pieces(device: torch.device) -> None:
    model = random_model(VARIANTS["classic"]).to(device)
    ids = np.array(random_ids(4097))
    before = Pretended.waits
    there = whole_loss(model, ids, 8)
    assert Pretended.waits == before + 1
    assert there == pytest.approx(whole_loss(random_model(VARIANTS["classic"]), ids, 8), rel=1e-5)
    model.vocab_size = 50_257
    assert tokens_at_once(model) * 50_257 * 4 <= 300e6
