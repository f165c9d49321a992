"""Torch's engine is exact: memory and crop give what reading everything again would give, id for id."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import CLASSIC, GPT_VARIANTS, LECTURE, MODERN, VARIANTS, random_ids, random_model, tiny_gpt
from numpy.typing import NDArray

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.errors import UsageError
from tinygpt_tui.generation.base import Engine
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.generation.sampler import Sampler
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.settings.windows import Policy

GREEDY = SamplingSettings(temperature=0)
SAMPLED = SamplingSettings(temperature=1.1, top_k=9, top_p=0.95, seed=4)
SLIDING = {name: net for name, net in VARIANTS.items() if net.supports_sliding}
FIXED = {name: net for name, net in VARIANTS.items() if not net.supports_sliding}


@torch.no_grad()
def read_whole(model: LanguageModel, ids: list[int]) -> NDArray[np.float32]:
    """The logits (T, V) at every position, by the net alone."""
    logits: NDArray[np.float32] = model(torch.tensor([ids]))[0].numpy()
    return logits


def written_naively(model: LanguageModel, ids: list[int], count: int, draw: Callable[..., int]) -> list[int]:
    """nanoGPT's `generate`: the last block_size ids are read from the start for every new one."""
    assert model.block_size is not None
    ids = list(ids)
    for _ in range(count):
        ids.append(draw(read_whole(model, ids[-model.block_size :])[-1]))
    return ids[-count:]


def written(engine: Engine, ids: list[int], count: int, draw: Callable[..., int]) -> list[int]:
    found = [draw(engine.prefill(ids))]
    while len(found) < count:
        found.append(draw(engine.step(found[-1])))
    return found


def agree(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> None:
    """Logits differ by at most a ten-thousandth of their spread."""
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * max(float(wanted.std()), 0.1))


@pytest.mark.parametrize("net", [CLASSIC, LECTURE, MODERN], ids=["classic", "lecture", "modern"])
@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("prompt", [1, 5, 7, 8, 9, 30])
def test_it_writes_what_nanogpts_way_writes(net: GPTSettings, sampling: SamplingSettings, prompt: int) -> None:
    model = random_model(net, seed=3)
    ids = random_ids(prompt)
    naive = written_naively(model, ids, 25, Sampler(sampling).draw)
    assert written(TorchEngine(model, "exact"), ids, 25, Sampler(sampling).draw) == naive
    assert len(set(naive)) > 1


@pytest.mark.parametrize("net", VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("prompt", [1, 3, 9])
def test_exact_logits_are_those_of_the_cropped_text(net: GPTSettings, prompt: int) -> None:
    model = random_model(net)
    ids = random_ids(20, net.vocab_size)
    engine = TorchEngine(model, "exact")
    found = [engine.prefill(ids[:prompt]), *(engine.step(id) for id in ids[prompt:])]
    for seen, logits in enumerate(found, start=prompt):
        agree(logits, read_whole(model, ids[:seen][-net.block_size :])[-1])
    assert engine.context_used == min(net.block_size, net.context_length or net.block_size)
    assert engine.window == "exact"


@pytest.mark.parametrize("net", VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("prompt", [2, 8, 19])
def test_a_reanchored_text_begins_with_the_last_half(net: GPTSettings, prompt: int) -> None:
    model = random_model(net)
    ids = random_ids(40, net.vocab_size)
    engine = TorchEngine(model, "reanchor")
    agree(engine.prefill(ids[:prompt]), read_whole(model, ids[:prompt][-net.block_size :])[-1])
    used = min(prompt, net.block_size)
    for seen in range(prompt, len(ids)):
        used = used + 1 if used < net.block_size else max(1, net.block_size // 2)
        agree(engine.step(ids[seen]), read_whole(model, ids[seen + 1 - used : seen + 1])[-1])
        assert engine.context_used == min(used, net.context_length or used)
    assert engine.window == "reanchor"


@pytest.mark.parametrize("net", SLIDING.values(), ids=SLIDING.keys())
@pytest.mark.parametrize("prompt", [1, 7, 8, 9, 16, 70])
def test_a_rolling_text_is_read_as_a_whole(net: GPTSettings, prompt: int) -> None:
    model = random_model(net)
    ids = random_ids(100, net.vocab_size)
    wanted = read_whole(model, ids)
    engine = TorchEngine(model, "rolling")
    agree(engine.prefill(ids[:prompt]), wanted[prompt - 1])
    for place in range(prompt, len(ids)):
        agree(engine.step(ids[place]), wanted[place])
        assert engine.context_used == min(place + 1, net.context_length or place + 1)


def test_an_endless_text_stays_what_a_whole_reading_says() -> None:
    """A thousand tokens on, the memory has been round more than a hundred times."""
    net = tiny_gpt(positions="rotary", sliding=True, token_shift=1, ngram_rows=40, n_layer=1)
    model = random_model(net)
    ids = random_ids(1500, net.vocab_size)
    engine = TorchEngine(model, "rolling")
    engine.prefill(ids[:5])
    found = [engine.step(id) for id in ids[5:]]
    agree(found[-1], read_whole(model, ids)[-1])


def test_rolling_is_refused_where_attention_does_not_slide() -> None:
    with pytest.raises(UsageError, match="rolling"):
        TorchEngine(random_model(CLASSIC), "rolling")


@pytest.mark.parametrize("net", VARIANTS.values(), ids=VARIANTS.keys())
def test_every_position_is_read_as_the_net_reads_it(net: GPTSettings) -> None:
    model = random_model(net)
    engine = TorchEngine(model, "exact")
    engine.prefill(random_ids(4, net.vocab_size))
    for count in {1, net.block_size // 2 or 1, net.block_size}:
        ids = random_ids(count, net.vocab_size, seed=count)
        agree(engine.every(ids), read_whole(model, ids))
    assert engine.context_used == 0  # the text before is forgotten
    with pytest.raises(UsageError, match="prefill"):
        engine.step(0)


@settings(max_examples=25, deadline=None)
@given(
    net=st.sampled_from(list(FIXED.values())),
    policy=st.sampled_from(["exact", "reanchor"]),
    texts=st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=30), min_size=1, max_size=3),
)
def test_a_text_is_not_changed_by_those_before_it(net: GPTSettings, policy: Policy, texts: list[list[int]]) -> None:
    model = random_model(net)
    used = TorchEngine(model, policy)
    for text in texts:
        ids = [id % net.vocab_size for id in text]
        fresh = TorchEngine(model, policy)
        np.testing.assert_array_equal(used.prefill(ids[:1]), fresh.prefill(ids[:1]))
        for id in ids[1:]:
            np.testing.assert_array_equal(used.step(id), fresh.step(id))


@pytest.mark.parametrize("id", [-1, 13, 10**6])
def test_an_unknown_id_is_refused(id: int) -> None:
    engine = TorchEngine(random_model(CLASSIC), "exact")
    engine.prefill([1])
    for ask in (lambda: engine.step(id), lambda: engine.prefill([2, id]), lambda: engine.every([id])):
        with pytest.raises(UsageError, match=str(id)):
            ask()


def test_what_cannot_be_read_is_refused() -> None:
    engine = TorchEngine(random_model(CLASSIC), "exact")
    for ask in (lambda: engine.step(0), lambda: engine.prefill([]), lambda: engine.every([])):
        with pytest.raises(UsageError):
            ask()
    with pytest.raises(UsageError, match="9 tokens"):
        engine.every([0] * 9)


def test_context_used_grows_to_the_window() -> None:
    engine = TorchEngine(random_model(CLASSIC), "exact")
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
    one, other = TorchEngine(model, "exact"), TorchEngine(model, "exact")
    one.prefill([1, 2, 3])
    other.prefill([4, 5])
    alone = TorchEngine(model, "exact")
    alone.prefill([1, 2, 3])
    np.testing.assert_array_equal(one.step(6), alone.step(6))


def test_what_was_answered_stays_as_it_was() -> None:
    engine = TorchEngine(random_model(MODERN), "exact")
    answers = [engine.prefill([1, 2]), *(engine.step(id) for id in random_ids(12))]
    copies = [answer.copy() for answer in answers]
    engine.prefill([3])
    for id in random_ids(12, seed=5):
        engine.step(id)
    for answer, copy in zip(answers, copies, strict=True):
        np.testing.assert_array_equal(answer, copy)


def test_a_model_in_training_is_read_without_dropout() -> None:
    model = random_model(LECTURE).train()
    first = TorchEngine(model, "exact").prefill([1, 2, 3])
    assert np.array_equal(first, TorchEngine(model, "exact").prefill([1, 2, 3]))
    assert not model.training


def test_a_long_prompt_is_read_only_as_far_as_it_matters() -> None:
    net = GPT_VARIANTS["sliding, with all else"]
    model = random_model(net)
    reach = net.receptive_field
    assert reach == 1 + net.n_layer * (net.block_size - 1 + 2 * net.token_shift) + 2
    ids = random_ids(reach + 30, net.vocab_size)
    others = [(id + 1) % net.vocab_size for id in ids[:30]] + ids[30:]
    found, same = (TorchEngine(model, "rolling").prefill(text) for text in (ids, others))
    np.testing.assert_array_equal(found, same)
    near = [*ids[:-2], (ids[-2] + 1) % net.vocab_size, ids[-1]]
    assert not np.allclose(found, TorchEngine(model, "rolling").prefill(near))


def test_new_weights_are_used_and_none_are_changed() -> None:
    model = random_model(MODERN)
    before = TorchEngine(model).prefill([1, 2, 3])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    engine = TorchEngine(model)
    assert not np.allclose(before, engine.prefill([1, 2, 3]))
    for id in random_ids(20):
        engine.step(id)
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.state_dict().items())


def test_texts_in_threads_do_not_mix_and_leave_torchs_switches_alone() -> None:
    model, ids = random_model(MODERN), random_ids(5)
    alone = written(TorchEngine(model), ids, 40, Sampler(GREEDY).draw)
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda _: written(TorchEngine(model), ids, 40, Sampler(GREEDY).draw), range(3)))
    assert found == [alone] * 3
    assert not torch.is_inference_mode_enabled()
