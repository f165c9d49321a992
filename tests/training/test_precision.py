"""Half the numbers where a GPU is built for it: what can be shown of that without one."""

from __future__ import annotations

import msgspec
import pytest
import torch
from makers import VARIANTS, make_run, small_corpus, small_training

from tinygpt_tui.errors import UsageError
from tinygpt_tui.events.training import Evaluation, Note, Step
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.training.evaluate import whole_loss
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.precision import Precision
from tinygpt_tui.training.run import run_training
from tinygpt_tui.training.state import copied

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for able in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, able=able: able)
        assert Precision(small_training(), CUDA).halved is able
        assert not Precision(small_training(precision="fp32"), CUDA).halved
        assert Precision(small_training(precision="bf16"), CUDA).halved
        assert not Precision(small_training(), CPU).halved
        recurrent = msgspec.structs.replace(small_training(), architecture=VARIANTS["lstm"])
        assert not Precision(recurrent, CUDA).halved
        with pytest.raises(UsageError, match="trains in fp32"):
            Precision(msgspec.structs.replace(recurrent, precision="bf16"), CUDA)


def test_updates_take_short_products_where_the_net_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    before = torch.get_float32_matmul_precision()
    for settings, device, wanted in (
        (small_training(), CUDA, "high"),
        (small_training(precision="fp32"), CUDA, before),
        (small_training(precision="bf16"), CPU, before),
    ):
        with Precision(settings, device).updates():
            assert torch.get_float32_matmul_precision() == wanted
        assert torch.get_float32_matmul_precision() == before


NETS = ["classic", "modern", "sliding", "cnn", "bigram", "backpack"]


@pytest.mark.parametrize("name", NETS)
def test_every_net_learns_in_it_and_keeps_whole_weights(name: str) -> None:
    chosen = small_training(precision="bf16", optimizer="adamw", steps=30, evaluate_every=30)
    settings, corpus = small_corpus(msgspec.structs.replace(chosen, architecture=VARIANTS[name]))
    training = Training(settings, corpus, CPU)
    assert training.precision.halved
    halved: list[torch.dtype] = []
    take = training.precision.__class__.__call__
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Precision, "__call__", lambda self: halved.append(torch.bfloat16) or take(self))
        events = list(training.events())
    assert len(halved) == 30
    assert all(parameter.dtype == torch.float32 for parameter in training.model.parameters())
    measured = [event for event in events if isinstance(event, Evaluation)]
    assert measured[-1].validation_loss < measured[0].validation_loss
    # What is told is the loss of the weights as they are kept, in float32.
    assert measured[-1].validation_loss == whole_loss(
        training.model, corpus.validation, settings.architecture.block_size
    )


def test_products_are_half_as_long_and_a_run_in_it_goes_on_exactly() -> None:
    losses = {}
    for precision in ("fp32", "bf16"):
        settings, corpus = small_corpus(small_training(precision=precision, dropout=0.1))
        training = Training(settings, corpus, CPU)
        kinds: set[torch.dtype] = set()
        training.model.lm_head.register_forward_hook(lambda module, given, made, kinds=kinds: kinds.add(made.dtype))
        losses[precision] = [event.loss for event in training.events() if isinstance(event, Step)]
        assert (torch.bfloat16 in kinds) == (precision == "bf16")
    assert losses["fp32"] != losses["bf16"]
    assert losses["fp32"] == pytest.approx(losses["bf16"], rel=0.05)

    settings, corpus = small_corpus(small_training(precision="bf16", dropout=0.1))
    first = Training(settings, corpus, CPU)
    told = []
    for event in first.events():
        told += [event.loss] if isinstance(event, Step) else []
        if first.step == 5:
            break
    kept = copied(first.state())
    second = Training(settings, corpus, CPU)
    second.load_state(kept)
    told += [event.loss for event in second.events() if isinstance(event, Step)]
    assert told == losses["bf16"]


def test_a_run_says_so() -> None:
    run = make_run(precision="bf16", steps=2)
    list(run_training(run.model))
    assert any("bfloat16" in event.text for event in read_journal(run.events) if isinstance(event, Note))
