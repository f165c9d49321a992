"""Which weights are moved by what, how far, and when."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch
from makers import GPT_VARIANTS, random_model, small_training
from torch.optim import AdamW

from tinygpt_tui.architectures.optimizers import PlainAdamW
from tinygpt_tui.architectures.table import build
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.presets import PRESETS
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.muon import Muon, orthogonalise
from tinygpt_tui.training.optimizer import clip, make_optimizers, set_rate
from tinygpt_tui.training.schedule import rate_share


@pytest.mark.parametrize("shape", [(3, 16, 64), (2, 64, 16), (4, 32, 32), (1, 8, 8), (1, 1, 5), (2, 5, 1)], ids=str)
def test_orthogonalised_singular_values_are_about_one(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 3
    found = orthogonalise(matrices)
    assert found.shape == matrices.shape
    u, values, v = torch.linalg.svd(matrices, full_matrices=False)
    turned = torch.linalg.svdvals(found)
    seen = values > 0.02 * values[:, :1]  # what is nearly zero may stay small
    assert seen.float().mean() > 0.9
    assert turned.max() < 1.2
    assert torch.linalg.svdvals(found)[:, : int(seen.sum(1).min())].min() > 0.7
    assert (found - u @ v).norm() / (u @ v).norm() < 0.35


@pytest.mark.parametrize("scale", [1e-3, 1e6])
def test_orthogonalising_does_not_care_about_size(scale: float) -> None:
    matrices = torch.randn(2, 8, 24, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonalise(matrices * scale), orthogonalise(matrices), rtol=0.02, atol=0.02)


def test_a_gradient_of_zero_moves_nothing() -> None:
    assert torch.equal(orthogonalise(torch.zeros(2, 4, 8)), torch.zeros(2, 4, 8))
    weight = torch.nn.Parameter(torch.ones(4, 8))
    weight.grad = torch.zeros(4, 8)
    Muon([weight], lr=0.1).step()
    assert torch.equal(weight, torch.ones(4, 8))


@pytest.mark.parametrize("shape", [(8, 8), (4, 16), (16, 4), (12, 4)], ids=str)
def test_a_step_of_muon_is_the_turned_gradient(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(2)
    before, gradient = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
    weight = torch.nn.Parameter(before.clone())
    weight.grad = gradient.clone()
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    squares = gradient.split(shape[1]) if shape[0] == 3 * shape[1] else (gradient,)  # query, key and value apart
    turned = torch.cat([orthogonalise(square[None])[0] for square in squares])
    rows, columns = squares[0].shape
    wanted = before * (1 - 0.1 * 0.5) - 0.1 * max(1.0, rows / columns) ** 0.5 * turned
    torch.testing.assert_close(weight.detach(), wanted, rtol=1e-4, atol=1e-5)


def test_muon_looks_ahead() -> None:
    """Nesterov: the direction is the gradient moved towards the momentum that has this gradient in it already."""
    generator = torch.Generator().manual_seed(5)
    weight = torch.nn.Parameter(torch.zeros(4, 8))
    momentum = torch.zeros(4, 8)
    optimizer = Muon([weight], lr=1.0)
    for number in (1, 2, 3):
        weight.grad = torch.randn(4, 8, generator=generator)
        before = weight.detach().clone()
        optimizer.step()
        beta = 0.85 + 0.1 * number / 100
        momentum = beta * momentum + (1 - beta) * weight.grad
        wanted = orthogonalise((beta * momentum + (1 - beta) * weight.grad)[None])[0]
        torch.testing.assert_close(before - weight.detach(), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize("name", [*PRESETS, *GPT_VARIANTS])
def test_every_weight_is_in_exactly_one_group(name: str, optimizer: str) -> None:
    net = PRESETS[name].training.architecture if name in PRESETS else GPT_VARIANTS[name]
    with torch.device("meta"):
        model = build(net)
    optimizers = make_optimizers(model, TrainingSettings(architecture=net, optimizer=optimizer))  # type: ignore[arg-type]
    found = [id(weight) for one in optimizers for group in one.param_groups for weight in group["params"]]
    assert sorted(found) == sorted(id(weight) for weight in model.parameters())
    if optimizer == "muon":
        turned = {id(weight) for group in optimizers[0].param_groups for weight in group["params"]}
        names = {name for name, weight in model.named_parameters() if id(weight) in turned}
        inside = ("c_attn.weight", "c_proj.weight", "c_fc.weight", "c_gate.weight")
        assert names == {
            name for name, _ in model.named_parameters() if name.startswith("transformer.h.") and name.endswith(inside)
        }


def test_groups_have_their_own_rates_and_only_matrices_decay() -> None:
    settings = small_training(
        learning_rate=0.1,
        embedding_rate=0.2,
        head_rate=0.3,
        weight_decay=0.5,
        tied_head=False,
        bias=True,
        token_shift=1,
    )
    model = build(settings.architecture)
    names = {id(weight): name for name, weight in model.named_parameters()}
    found = {}
    for one in make_optimizers(model, settings):
        for group in one.param_groups:
            found |= {names[id(weight)]: (group["lr"], group["weight_decay"]) for weight in group["params"]}
    assert found["transformer.h.0.attn.c_attn.weight"] == (0.1, 0.5)
    assert found["transformer.wte.weight"] == found["transformer.wpe.weight"] == (0.2, 0.0)
    assert found["transformer.h.0.shift_1.shares"] == (0.2, 0.0)
    assert found["lm_head.weight"] == found["transformer.ln_f.bias"] == (0.3, 0.0)


def test_the_share_moves_every_rate_and_the_matrices_is_told() -> None:
    settings = small_training(learning_rate=0.1, embedding_rate=0.2, head_rate=0.4)
    optimizers = make_optimizers(build(settings.architecture), settings)
    for _ in range(2):  # from the peak each time, not from the last rate
        assert set_rate(optimizers, 0.5) == pytest.approx(0.05)
    rates = {group["lr"] for one in optimizers for group in one.param_groups}
    assert rates == {0.05, 0.1, 0.2}


def test_clipping_tells_the_norm_there_was() -> None:
    model = random_model(GPTSettings(vocab_size=5, block_size=4, n_embd=4, n_layer=1, n_head=1))
    for largest, after in ((1.0, 1.0), (0.0, None), (1e9, None)):
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        norm = math.sqrt(sum(parameter.numel() for parameter in model.parameters()))
        assert clip(model, largest).item() == pytest.approx(norm)
        left = math.sqrt(
            sum(float(parameter.grad.square().sum()) for parameter in model.parameters() if parameter.grad is not None)
        )
        assert left == pytest.approx(after or norm, rel=1e-4)


def test_adamw_has_nanogpts_betas() -> None:
    settings = PRESETS["nanogpt"].training
    with torch.device("meta"):
        optimizers = make_optimizers(build(settings.architecture), settings)
    assert [isinstance(one, AdamW) for one in optimizers] == [True]
    assert {group["betas"] for group in optimizers[0].param_groups} == {(0.9, 0.99)}


def test_a_step_without_the_compiler_is_torchs_own() -> None:
    plain, own = (random_model(GPTSettings(n_layer=1, n_head=2, n_embd=8, vocab_size=11, block_size=4)) for _ in "ab")
    optimizers = PlainAdamW(plain.parameters(), lr=0.01), AdamW(own.parameters(), lr=0.01)
    for step in range(6):
        for model, optimizer in zip((plain, own), optimizers, strict=True):
            optimizer.zero_grad()
            model(torch.tensor([[step, 2, 3, 1]])).sum().backward()
            optimizer.step()
        if step == 2:  # each goes on with the other's state
            states = [optimizer.state_dict() for optimizer in optimizers]
            for optimizer, state in zip(optimizers, reversed(states), strict=True):
                optimizer.load_state_dict(state)
    assert all(torch.equal(one, other) for one, other in zip(plain.parameters(), own.parameters(), strict=True))


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_an_optimizer_imports_no_compiler(kind: str) -> None:
    code = f"""
import sys, torch
from tinygpt_tui.architectures.table import build
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.optimizer import make_optimizers
model = build(GPTSettings(n_layer=1, n_head=2, n_embd=8, vocab_size=11, block_size=4))
optimizers = make_optimizers(model, TrainingSettings(optimizer={kind!r}))
model(torch.tensor([[1, 2]])).sum().backward()
for one in optimizers:
    one.step()
    one.load_state_dict(one.state_dict())
    one.zero_grad()
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("decay", ["linear", "cosine", "constant"])
@pytest.mark.parametrize("steps", [1, 2, 10, 1000])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("final", [0.0, 0.1])
def test_the_rate_rises_then_falls(decay: str, steps: int, warmup: float, final: float) -> None:
    settings = TrainingSettings(decay=decay, steps=steps, warmup_share=warmup, final_rate=final)  # type: ignore[arg-type]
    shares = [rate_share(step, settings) for step in range(steps)]
    rising = max(1, round(warmup * steps))
    assert all(0 < share <= 1 for share in shares)
    assert shares[:rising] == pytest.approx([(step + 1) / rising for step in range(rising)])
    assert shares[rising - 1] == 1
    assert shares[rising - 1 :] == sorted(shares[rising - 1 :], reverse=True)
    if decay == "constant":
        assert set(shares[rising:]) <= {1.0}
    elif steps == 1000 and warmup < 1:
        middle = (rising + steps) // 2
        assert shares[middle] == pytest.approx((1 + final) / 2, abs=0.01)
        assert shares[-1] == pytest.approx(final, abs=0.002)
