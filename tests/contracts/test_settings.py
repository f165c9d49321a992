"""Every setting does something: another value changes the run, its record, or the net."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
import torch.nn.functional as F
from makers import TEXT, VARIANTS, make_run, random_ids, small_corpus, small_training

from tinygpt_tui.architectures.table import build
from tinygpt_tui.errors import UsageError
from tinygpt_tui.events.training import Evaluation, Note, Planned, RunEnded, RunStarted, Saved, Step, TrainingEvent
from tinygpt_tui.settings.architecture import ArchitectureSettings, EncoderDecoderSettings
from tinygpt_tui.settings.fields import fields_of
from tinygpt_tui.settings.rules import problems
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.run import run_training

SMALL: dict[str, Any] = {
    "n_layer": 1,
    "steps": 6,
    "evaluate_every": 3,
    "sample_tokens": 3,
    "batch_size": 4,
    "timeline_mb": 0,
}
GETS_WORSE = {"learning_rate": 1.0, "evaluate_every": 1}

# Another value of each setting, and what else must be set for it to matter.
RUNS: dict[str, tuple[Any, dict[str, Any]]] = {
    "steps": (7, {}),
    "minutes": (0.01, {}),
    "batch_size": (5, {}),
    "windows": ("documents", {}),
    "optimizer": ("adamw", {}),
    "learning_rate": (2e-2, {}),
    "embedding_rate": (2e-2, {}),
    "head_rate": (2e-2, {"tied_head": False}),
    "weight_decay": (0.5, {}),
    "warmup_share": (0.7, {}),
    "decay": ("cosine", {}),
    "final_rate": (0.5, {}),
    "beta1": (0.5, {}),
    "beta2": (0.5, {}),
    "gradient_clip": (0.1, {}),
    "validation_share": (0.3, {}),
    "evaluate_every": (2, {}),
    "evaluation_tokens": (50, {}),
    "patience": (1, GETS_WORSE),
    "stop_at_loss": (100.0, {}),
    "sample_tokens": (4, {}),
    "lora": (2, {}),
    "lora_matrices": ("mlp", {"lora": 2}),
    "seed": (1, {}),
    "precision": ("bf16", {}),
    "compile": ("always", {}),
}
# These need the run's folder: what is saved, where it computes.
FOLDERS: dict[str, Any] = {"calibration_share": 0.6, "timeline_mb": 10, "device": "no such", "threads": 2}
# Takes seconds to start, and has tests of its own: file, and what is in it.
ELSEWHERE = {
    "processes": ("training/test_distributed.py", "processes=2"),
    "tokenizer": ("training/test_vocabulary.py", "tokenizer="),
    "mix_old": ("training/test_fine_tuning.py", "--mix-old"),
}


def facts_of(event: TrainingEvent) -> tuple[object, ...]:
    """Return what an event says, except when it happened and how long it took."""
    if isinstance(event, Step):
        return event.step, event.loss, event.learning_rate, event.gradient_norm
    if isinstance(event, Evaluation):
        return event.step, event.validation_loss, event.train_loss, event.best_loss, event.tokens, event.part_loss
    if isinstance(event, RunStarted):
        return event.steps, event.device, event.threads
    if isinstance(event, RunEnded):
        return event.reason, event.message
    return (event,) if not isinstance(event, Note | Saved | Planned) else (type(event),)


@cache
def trained(**changes: Any) -> list[tuple[object, ...]]:
    settings, corpus = small_corpus(small_training(**{**SMALL, **changes}), TEXT[:2000])
    return [facts_of(event) for event in Training(settings, corpus, torch.device("cpu")).events()]


def recorded(name: str, **changes: Any) -> tuple[list[tuple[object, ...]], list[str]]:
    run = make_run(name, TEXT[:2000], **{**SMALL, **changes})
    events = [facts_of(event) for event in run_training(run.model)]
    return events, sorted(path.name for path in run.folder.rglob("*") if path.suffix == ".safetensors")


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_setting_of_a_run_is_tried() -> None:
    assert sorted([*RUNS, *FOLDERS, *ELSEWHERE]) == sorted(fields_of(TrainingSettings))
    for file, content in ELSEWHERE.values():
        assert content in (Path(__file__).parent.parent / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", RUNS)
def test_a_setting_changes_the_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A compiler takes half a minute; here it makes a net whose loss tells that it was used.
    monkeypatch.setattr(torch, "compile", lambda model: lambda ids: 2 * model(ids))
    value, beside = RUNS[name]
    if name == "seed":
        assert trained(**beside) == trained.__wrapped__(**beside)  # what is compared does not change by itself
    assert trained(**beside, **{name: value}) != trained(**beside)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_setting_changes_the_record(name: str, threads: None) -> None:
    assert recorded("other", **{name: FOLDERS[name]}) != recorded("base")


def other_values(settings: ArchitectureSettings, name: str) -> Iterator[ArchitectureSettings]:
    """Yield the settings with other values of a field, those that can be."""
    field, now = fields_of(type(settings))[name], getattr(settings, name)
    values: list[Any]
    if field.several:
        values = [(), (1,), (2,), (2, 0)]
    elif field.choices:
        values = [choice for choice in field.choices if choice != now]
    elif field.kind is bool:
        values = [not now]
    else:
        values = [now / 2 or 0.3, now * 2] if field.kind is float else [now + 1, now + 2, now + 4, 1, 2, 40]
    for value in values:
        if value != now and not problems(changed := msgspec.structs.replace(settings, **{name: value})):
            yield changed


def computed(settings: ArchitectureSettings) -> tuple[object, ...]:
    """Return the shapes and sums of the first weights, and the logits in training; or that it cannot be."""
    torch.manual_seed(0)
    try:
        model = build(settings).train()
    except UsageError as error:
        return (error.message,)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.05 * torch.randn(weight.shape)  # nothing is hidden behind weights that start at zero
    length = settings.training_length
    ids = torch.tensor([random_ids(length, 13)]) % settings.vocab_size
    if isinstance(settings, EncoderDecoderSettings):
        ids[0, 1] = settings.separator
    logits = model(ids)
    loss = F.cross_entropy(logits.flatten(0, 1), ids.flatten())
    return (*(tuple(weight.shape) for weight in model.parameters()), length, settings.supports_sliding, loss.item())


@pytest.mark.parametrize("tag", sorted({settings.__struct_config__.tag for settings in VARIANTS.values()}))  # type: ignore[type-var]
def test_a_setting_changes_the_net(tag: str) -> None:
    nets = [settings for settings in VARIANTS.values() if settings.__struct_config__.tag == tag]
    for name in fields_of(type(nets[0])):
        changed = any(
            computed(other) != computed(settings) for settings in nets for other in other_values(settings, name)
        )
        assert changed, f"{name} of {tag} changes nothing"
