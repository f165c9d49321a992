"""The honest loss: every token but the first, each once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from makers import LECTURE, MODERN, random_ids, random_model

from tinygpt_tui.corpora.rows import Rows
from tinygpt_tui.training import evaluate
from tinygpt_tui.training.evaluate import summed_losses, whole_loss


@torch.no_grad()
def naive_losses(model: torch.nn.Module, ids: list[int], block_size: int) -> list[float]:
    """-log p of each token but the first, one at a time, from the start of its window."""
    found = []
    for place in range(1, len(ids)):
        begin = (place - 1) // block_size * block_size
        logits = model(torch.tensor([ids[begin:place]]))[0, -1].double()
        found.append(float(logits.logsumexp(0) - logits[ids[place]]))
    return found


@pytest.mark.parametrize("length", [2, 8, 9, 10, 17, 50, 65])
@pytest.mark.parametrize("at_once", [1, 16, 8192])
def test_it_is_the_mean_over_each_token(length: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "TOKENS_AT_ONCE", at_once)
    model = random_model(MODERN)
    ids = random_ids(length)
    naive = naive_losses(model, ids, 8)
    assert whole_loss(model, np.array(ids), 8) == pytest.approx(sum(naive) / len(naive), rel=1e-4)
    assert sum(count for _, count, _ in summed_losses(model, Rows.side_by_side(np.array(ids), 8))) == length - 1


def test_the_model_is_left_in_its_mode_and_without_gradients() -> None:
    model = random_model(LECTURE).train()
    ids = np.array(random_ids(40))
    losses = [whole_loss(model, ids, 8) for _ in range(2)]
    assert losses[0] == losses[1]  # no dropout
    for _ in summed_losses(model, Rows.side_by_side(ids, 8)):
        assert model.training  # also between two pieces
    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert whole_loss(model.eval(), ids, 8) == losses[0]
    assert not model.training


@pytest.mark.parametrize("wanted", [1, 24, 40, 1000])
def test_some_windows_are_read_first_and_the_rest_after_them(wanted: int) -> None:
    model, ids = random_model(MODERN), np.array(random_ids(75))
    rows = Rows.side_by_side(ids, 8)
    first = rows.spread(wanted)
    assert len(set(first)) == len(first) == min(9, -(-wanted // 8))
    pieces = list(summed_losses(model, rows, first))
    naive = np.array(naive_losses(model, ids.tolist(), 8))
    chosen = [place for window in first for place in range(window * 8, window * 8 + 8)]
    assert pieces[0][:2] == (pytest.approx(naive[chosen].sum(), rel=1e-4), len(chosen))
    assert sum(loss for loss, _, _ in pieces) == pytest.approx(naive.sum(), rel=1e-4)
    assert sum(count for _, count, _ in pieces) == 74
