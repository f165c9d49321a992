"""The native kernels: the same numbers as plain torch forward and back, dropout that repeats itself, exact going-on."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import torch
import torch.nn.functional as F
from makers import VARIANTS, random_ids, random_model, small_corpus, small_training, tiny_gpt
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.gpt import GPT
from tinygpt_tui.architectures.kernels import PLAIN
from tinygpt_tui.events.training import Step
from tinygpt_tui.native.learning import load_learning
from tinygpt_tui.settings.architecture import BackpackSettings, GPTSettings
from tinygpt_tui.training.fused import FusedKernels, use_fused
from tinygpt_tui.training.loop import Training

# Larger than a tile of the products, with sizes that fit none of them.
LARGE = {
    "long and narrow": tiny_gpt(block_size=100, n_embd=24, positions="rotary", qk_norm=True, token_shift=2),
    "sliding far": tiny_gpt(block_size=70, n_embd=80, sliding=True, positions="rotary", activation="relu_squared"),
    "biased": tiny_gpt(block_size=33, n_embd=72, bias=True),
}
ALL = {**VARIANTS, **LARGE}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The native kernels are for one thread."""
    if load_learning() is None:
        pytest.skip("the native library was not built")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def step_of(model: LanguageModel, ids: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return logits and gradients."""
    model.zero_grad()
    logits = model(ids[:, :-1])
    F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
    return logits.detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("name", ALL)
def test_they_are_plain_torch_within_rounding(name: str) -> None:
    settings = ALL[name]
    if isinstance(settings, GPTSettings):
        settings = msgspec.structs.replace(settings, attention_dropout=0.0)
    elif not isinstance(settings, BackpackSettings):
        pytest.skip("no transformer in it: there are no native kernels for it")
    settings = msgspec.structs.replace(settings, dropout=0.0)
    model = random_model(settings).train()
    ids = torch.tensor(random_ids(3 * (settings.training_length + 1), settings.vocab_size)).view(3, -1)
    plain_logits, plain = step_of(model, ids)
    assert use_fused(model)
    logits, fused = step_of(model, ids)
    torch.testing.assert_close(logits, plain_logits, rtol=1e-4, atol=2e-5)
    for one, other in zip(fused, plain, strict=True):
        assert (one - other).norm() <= 2e-5 * other.norm() + 1e-7


def test_a_compiler_more_threads_and_other_numbers_go_without_them() -> None:
    model = random_model(tiny_gpt())
    torch.set_num_threads(2)
    assert not use_fused(model)
    torch.set_num_threads(1)
    assert not use_fused(model.double())
    assert isinstance(model, GPT)
    assert all(block.kernels is PLAIN for block in model.transformer["h"])  # type: ignore[union-attr]


def test_dropout_leaves_out_its_share_and_goes_back_the_same_way() -> None:
    native = load_learning()
    assert native is not None
    kernels = FusedKernels(native)
    x, y = torch.zeros(20_000), torch.ones(20_000, requires_grad=True)
    torch.manual_seed(3)
    total = kernels.add(x, y, 0.25)
    (gradient,) = torch.autograd.grad(total.sum(), y)
    assert sorted(set(total.tolist())) == pytest.approx([0.0, 4 / 3])
    assert torch.equal(gradient, total.detach())  # kept and left out alike
    assert (total == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert not torch.equal(kernels.add(x, y, 0.25), total)  # other places each time
    torch.manual_seed(3)
    assert torch.equal(kernels.add(x, y, 0.25), total)


def test_going_on_is_exact_with_them() -> None:
    changes: dict[str, Any] = {
        "positions": "rotary", "token_shift": 2, "activation": "relu_squared", "norm_weight": False, "dropout": 0.2
    }  # fmt: skip
    settings, corpus = small_corpus(small_training(steps=10, sample_tokens=0, **changes))
    straight = Training(settings, corpus, torch.device("cpu"))
    wanted = [event.loss for event in straight.events() if isinstance(event, Step)]
    first = Training(settings, corpus, torch.device("cpu"))
    for event in first.events():
        if isinstance(event, Step) and event.step == 5:
            break
    content = io.BytesIO()
    torch.save(first.state(), content)
    torch.manual_seed(999)
    second = Training(settings, corpus, torch.device("cpu"))
    second.load_state(torch.load(io.BytesIO(content.getvalue()), weights_only=True))
    assert [event.loss for event in second.events() if isinstance(event, Step)] == wanted[5:]
    assert all(torch.equal(a, b) for a, b in zip(second.model.parameters(), straight.model.parameters(), strict=True))
