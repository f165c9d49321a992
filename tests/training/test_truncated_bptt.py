"""A recurrent net's memory goes on from window to window, in training and after a kill."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
import torch
from makers import small_corpus, small_training
from numpy.typing import NDArray

from tinygpt_tui.corpora.streams import rows_of_old
from tinygpt_tui.events.training import Evaluation, Step
from tinygpt_tui.settings.architecture import LSTMSettings, RNNSettings
from tinygpt_tui.training.evaluate import whole_loss
from tinygpt_tui.training.loop import Training

NET = LSTMSettings(block_size=8, n_layer=2, n_embd=16, n_hidden=16)


def training(net: RNNSettings | LSTMSettings = NET, **changes: object) -> Training:
    settings = msgspec.structs.replace(small_training(**changes), architecture=net)
    settings, corpus = small_corpus(settings)
    return Training(settings, corpus, torch.device("cpu"))


def test_what_is_carried_is_what_one_long_reading_carries() -> None:
    run = training(steps=3, learning_rate=1e-9, weight_decay=0, head_rate=1e-9, embedding_rate=1e-9)
    list(run.events())
    assert run.gradients.bptt is not None
    carried = run.gradients.bptt.state()
    assert carried is not None
    assert carried["length"] == 24
    rows = torch.from_numpy(run.gradients.batches.batch(0)[0]), torch.from_numpy(run.gradients.batches.batch(1)[0])
    last = torch.from_numpy(run.gradients.batches.batch(2)[0])
    memory = run.model.new_memory(rows[0].shape[0])
    with torch.no_grad():
        run.model(torch.cat((*rows, last), dim=1), memory)
    torch.testing.assert_close(carried["states"], memory.states, rtol=1e-4, atol=1e-5)  # type: ignore[attr-defined]


def test_a_run_that_is_gone_on_with_ends_in_the_same_weights() -> None:
    whole, first, second = (training(steps=11, evaluate_every=4) for _ in range(3))
    list(whole.events())
    for event in first.events():
        if isinstance(event, Step) and event.step == 6:
            break
    second.load_state(first.state())
    list(second.events())
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, second.model.state_dict()[name]), name


def test_an_old_text_is_mixed_in_and_its_rows_are_carried_and_resumed_too() -> None:
    def mixed() -> Training:
        settings = msgspec.structs.replace(small_training(steps=11, evaluate_every=4, mix_old=0.3), architecture=NET)
        settings, corpus = small_corpus(settings)
        corpus = dataclasses.replace(corpus, old=corpus.train[::-1][:150].copy())
        return Training(settings, corpus, torch.device("cpu"))

    whole, first, second = (mixed() for _ in range(3))
    old = whole.corpus.old
    for step in (0, 3, 40):
        inputs, _ = whole.gradients.batches.batch(step)
        assert len(inputs) == 8
        assert all(_is_in(row, old) for row in inputs[6:])  # 0.3 of 8 rows
        assert not all(_is_in(row, old) for row in inputs[:6])
    list(whole.events())
    for event in first.events():
        if isinstance(event, Step) and event.step == 6:
            break
    second.load_state(first.state())
    list(second.events())
    assert all(
        torch.equal(one, two) for one, two in zip(whole.model.parameters(), second.model.parameters(), strict=True)
    )


def _is_in(row: NDArray[np.int64], ids: NDArray[np.int64]) -> bool:
    return any((ids[start : start + len(row)] == row).all() for start in range(len(ids) - len(row) + 1))


@pytest.mark.parametrize(("batch_size", "share", "rows"), [(2, 0.01, 1), (2, 0.9, 1), (10, 0.3, 3), (16, 0.1, 2)])
def test_each_of_two_texts_has_a_row(batch_size: int, share: float, rows: int) -> None:
    assert rows_of_old(batch_size, share) == rows


def test_it_learns_what_lies_further_back_than_a_window() -> None:
    """The text repeats itself after 20 characters; a window has 4, so only what is carried can tell what comes."""
    text = "abacabadabacabaeabab" * 60
    net = LSTMSettings(block_size=4, n_layer=1, n_embd=16, n_hidden=24)
    settings = msgspec.structs.replace(
        small_training(steps=150, batch_size=4, evaluate_every=150), architecture=net, sample_tokens=0
    )
    settings, corpus = small_corpus(settings, text)
    losses = [
        event.loss for event in Training(settings, corpus, torch.device("cpu")).events() if isinstance(event, Step)
    ]
    assert sum(losses[-10:]) / 10 < 0.1


def test_evaluations_begin_each_window_with_an_empty_memory() -> None:
    """So that all architectures are measured alike."""
    run = training(RNNSettings(block_size=8, n_layer=1, n_embd=16, n_hidden=16), steps=2)
    found = [event.validation_loss for event in run.events() if isinstance(event, Evaluation)]
    assert len(found) >= 1
    ids = run.corpus.validation
    assert abs(whole_loss(run.model, ids, 8) - found[-1]) < 1e-6


def test_nothing_is_compiled_for_it() -> None:
    run = training(steps=2, compile="auto")
    assert run.compiling.choice == "never"
