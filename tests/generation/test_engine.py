"""The engine is exact: memory and crop give what reading everything again would give, id for id."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from makers import CLASSIC, LECTURE, MODERN, VARIANTS, random_ids, random_model
from numpy.typing import NDArray

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.generation.sampler import Sampler
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.sampling import SamplingSettings

GREEDY = SamplingSettings(temperature=0)
SAMPLED = SamplingSettings(temperature=1.1, top_k=9, top_p=0.95, seed=4)


@torch.no_grad()
def written_naively(model: LanguageModel, ids: list[int], count: int, draw: Callable[..., int]) -> list[int]:
    """nanoGPT's `generate`: the last block_size ids are read from the start for every new one."""
    assert model.block_size is not None
    ids = list(ids)
    for _ in range(count):
        logits = model(torch.tensor([ids[-model.block_size :]]))[0, -1]
        ids.append(draw(logits.numpy()))
    return ids[-count:]


def written(model: LanguageModel, ids: list[int], count: int, draw: Callable[..., int]) -> list[int]:
    engine = TorchEngine(model)
    found = [draw(engine.prefill(ids))]
    while len(found) < count:
        found.append(draw(engine.step(found[-1])))
    return found


@pytest.mark.parametrize("settings", [CLASSIC, LECTURE, MODERN], ids=["classic", "lecture", "modern"])
@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("prompt", [1, 5, 7, 8, 9, 30])
def test_it_writes_what_nanogpts_way_writes(settings: GPTSettings, sampling: SamplingSettings, prompt: int) -> None:
    model = random_model(settings, seed=3)
    ids = random_ids(prompt)
    naive = written_naively(model, ids, 25, Sampler(sampling).draw)
    assert written(model, ids, 25, Sampler(sampling).draw) == naive
    assert len(set(naive)) > 1


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS.keys())
def test_logits_are_those_of_the_cropped_text(settings: GPTSettings) -> None:
    model = random_model(settings)
    ids = random_ids(20, settings.vocab_size)
    engine = TorchEngine(model)
    found: list[NDArray[np.float32]] = [engine.prefill(ids[:3]), *(engine.step(id) for id in ids[3:])]
    for seen, logits in enumerate(found, start=3):
        with torch.no_grad():
            wanted = model(torch.tensor([ids[:seen][-settings.block_size :]]))[0, -1].numpy()
        np.testing.assert_allclose(logits, wanted, rtol=1e-4, atol=1e-4)
    assert engine.context_used == settings.block_size


def test_context_used_grows_to_the_window() -> None:
    engine = TorchEngine(random_model(CLASSIC))
    engine.prefill(random_ids(6))
    used = [engine.context_used]
    for _ in range(4):
        engine.step(0)
        used.append(engine.context_used)
    assert used == [6, 7, 8, 8, 8]
    engine.prefill(random_ids(40))
    assert engine.context_used == 8


def test_two_engines_on_one_model_do_not_mix() -> None:
    model = random_model(MODERN)
    one, other = TorchEngine(model), TorchEngine(model)
    one.prefill([1, 2, 3])
    other.prefill([4, 5])
    alone = TorchEngine(model)
    alone.prefill([1, 2, 3])
    np.testing.assert_array_equal(one.step(6), alone.step(6))


def test_a_model_in_training_is_read_without_dropout() -> None:
    model = random_model(LECTURE).train()
    assert np.array_equal(TorchEngine(model).prefill([1, 2, 3]), TorchEngine(model).prefill([1, 2, 3]))
