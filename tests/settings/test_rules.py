"""Which combinations of settings cannot be: said once, and everything that asks hears the same."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
import torch
from makers import VARIANTS, tiny_gpt

from tinygpt_tui.architectures.table import build
from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.native.weights import check_sizes
from tinygpt_tui.settings.architecture import BackpackSettings, LSTMSettings
from tinygpt_tui.settings.base import BaseArchitecture
from tinygpt_tui.settings.fields import changed, checked, fields_of
from tinygpt_tui.settings.load import resolve
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.settings.rules import check, problems
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.settings.training import TrainingSettings

CHOICES: dict[str, tuple[Any, ...]] = {
    "n_embd": (4, 6, 9, 12),
    "n_head": (1, 2, 3, 4),
    "n_kv_head": (0, 1, 2, 3),
    "head_width": (0, 0, 3, 4),
    "positions": ("learned", "rotary"),
    "sliding": (False, False, True),
    "projection": (True, True, False),
    "qk_norm": (True, True, False),
    "qk_norm_weight": (False, False, True),
    "rotary_width": (0, 0, 2, 3),
    "rotary_factors": ((), (), (2.0, 3.0)),
    "local_windows": ((), (), (3, 0)),
    "parallel": (False, False, True),
    "feed_forward": ("mlp", "mlp", "none"),
}


def drawn(count: int) -> list[dict[str, Any]]:
    dice = random.Random(0)
    return [{name: dice.choice(values) for name, values in CHOICES.items()} for _ in range(count)]


def test_a_net_without_problems_computes_and_one_with_problems_is_refused_by_the_setting() -> None:
    computed, refused = 0, set()
    ids = torch.zeros(1, 20, dtype=torch.long, device="meta")
    for changes in drawn(600):
        settings = tiny_gpt(**changes, n_layer=1)
        found = problems(settings)
        if found:
            with pytest.raises(UsageError) as caught:
                build(settings)
            assert (caught.value.setting, caught.value.problem, caught.value.hint) == found[0]
            refused.add(found[0].field)
            continue
        computed += 1
        with torch.device("meta"):
            model = build(settings)
        assert model(ids[:, : 20 if settings.sliding else 8]).shape[-1] == settings.vocab_size
    assert computed > 50
    assert refused == CHOICES.keys() - {"n_head", "positions", "projection", "qk_norm", "feed_forward"}


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS.keys())
def test_nets_that_are_used_have_no_problems(settings: BaseArchitecture) -> None:
    assert problems(settings) == []


def test_presets_have_no_problems() -> None:
    assert {name: problems(preset.training) for name, preset in ALL_PRESETS.items() if problems(preset.training)} == {}


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"n_head": 3}, "n_embd"), ({"sliding": True}, "sliding"), ({"processes": 9, "batch_size": 8}, "batch_size")],
)
def test_the_command_line_and_files_are_refused_in_the_same_words(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(TrainingSettings(), changes)
    assert caught.value.setting == field
    assert caught.value.message == f"{field.replace('_', ' ')}: {caught.value.problem}"
    assert caught.value.hint


def test_a_native_net_is_refused_for_the_same_reason() -> None:
    for changes in drawn(60):
        settings = tiny_gpt(**changes)
        if found := problems(settings):
            with pytest.raises(CheckpointError) as caught:
                check_sizes(settings, "net")
            assert found[0].message in caught.value.message


def test_a_choice_that_is_proposed_is_a_way_out() -> None:
    (problem,) = problems(BackpackSettings(n_embd=50, n_head=1, n_sense=8))
    assert problem.hint == "choose 48 or 56"
    for width in (48, 56):
        assert problems(BackpackSettings(n_embd=width, n_head=1, n_sense=8)) == []


def test_a_recurrent_run_has_one_process_and_fp32() -> None:
    run = TrainingSettings(architecture=LSTMSettings(), precision="bf16", processes=2)
    assert [problem.field for problem in problems(run)] == ["precision", "processes"]
    with pytest.raises(UsageError, match="processes"):
        check(TrainingSettings(architecture=LSTMSettings()), processes=2)


@pytest.mark.parametrize("struct", [SamplingSettings, TrainingSettings, *dict.fromkeys(map(type, VARIANTS.values()))])
def test_an_error_of_a_single_setting_carries_its_field(struct: type[msgspec.Struct]) -> None:
    for name, field in fields_of(struct).items():
        if field.minimum is None:
            continue
        for value in (field.minimum - 1, float("nan")):
            with pytest.raises(UsageError) as caught:
                changed(struct(), {name: value})
            assert caught.value.setting == name
            assert caught.value.message == f"{field.title}: {caught.value.problem}"
    with pytest.raises(UsageError) as caught:
        checked(struct, {"no_such": 1})
    assert caught.value.setting == ""
