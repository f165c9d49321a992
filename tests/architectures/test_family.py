"""What is true of the recurrent, convolutional and backpack nets beyond the contract."""

from __future__ import annotations

import msgspec
import pytest
import torch
from makers import TINY, VARIANTS, random_ids, random_model
from torch import nn

from tinygpt_tui.architectures.backpack import Backpack, dialled
from tinygpt_tui.architectures.cnn import CNN
from tinygpt_tui.architectures.recurrent import Cell, Recurrent, RecurrentMemory
from tinygpt_tui.architectures.table import build
from tinygpt_tui.settings.architecture import BackpackSettings, CNNSettings, GRUSettings, LSTMSettings, RNNSettings
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.presets import ALL_PRESETS


def test_the_elman_preset_has_gptnano_s_parameters_exactly() -> None:
    assert build(ALL_PRESETS["rnn-nano"].training.architecture).count_parameters() == 71_041


def test_the_mlp_preset_has_makemore_s_parameters_exactly() -> None:
    """Its vectors for 27 characters and for what is before a name, a layer of 64 over 16 of them, the logits."""
    training = ALL_PRESETS["mlp"].training
    net = build(msgspec.structs.replace(training.architecture, vocab_size=27))
    assert net.count_parameters() == (27 + 1) * 64 + (16 * 64 * 64 + 64) + (64 * 27 + 27)
    assert training.windows == "documents"


def test_presets_of_equal_size_are_of_equal_size() -> None:
    tinygpt = count_parameters(ALL_PRESETS["tinygpt"].training.architecture)
    assert abs(count_parameters(ALL_PRESETS["rnn"].training.architecture) / tinygpt - 1) < 0.01
    modern = count_parameters(ALL_PRESETS["modern"].training.architecture)
    for name in ("gru", "lstm", "cnn", "backpack"):
        assert abs(count_parameters(ALL_PRESETS[name].training.architecture) / modern - 1) < 0.03, name


@torch.no_grad()
def test_a_cell_is_what_torch_s_own_modules_compute() -> None:
    kinds = {"rnn": (nn.RNN, RNNSettings), "gru": (nn.GRU, GRUSettings), "lstm": (nn.LSTM, LSTMSettings)}
    for kind, (module, settings) in kinds.items():
        cell, theirs = Cell(kind, settings.GATES, 5, 7), module(5, 7, batch_first=True)
        theirs.weight_ih_l0.copy_(cell.from_token.weight)
        theirs.weight_hh_l0.copy_(cell.from_state.weight)
        theirs.bias_ih_l0.copy_(cell.from_token.bias)
        theirs.bias_hh_l0.zero_()
        x = torch.randn(2, 6, 5)
        found, _, _ = cell(x, torch.zeros(2, 7), torch.zeros(2, 7))
        torch.testing.assert_close(found, theirs(x)[0])


@torch.no_grad()
def test_each_recurrent_block_reads_the_one_below() -> None:
    """GPTnano's all read the embedding, so that only the last of them counted."""
    model = random_model(RNNSettings(**TINY, n_layer=3, n_hidden=8))
    ids = torch.tensor([random_ids(6)])
    before = model(ids)
    model.h[0].cell.from_token.weight.add_(0.5)
    assert (model(ids) - before).abs().max() > 1e-3


@torch.no_grad()
def test_a_recurrent_state_carries_further_than_a_window() -> None:
    model = random_model(RNNSettings(**TINY, n_layer=1, n_hidden=8))
    ids = torch.tensor([random_ids(3 * TINY["block_size"])])
    changed = ids.clone()
    changed[0, 0] = (changed[0, 0] + 1) % 13
    model.h[0].cell.from_state.weight.copy_(torch.eye(8))
    assert (model(ids)[0, -1] - model(changed)[0, -1]).abs().max() > 0


def test_gradients_end_where_a_memory_was_cut() -> None:
    model = Recurrent(RNNSettings(**TINY, n_layer=1, n_hidden=8)).train()
    memory = model.new_memory(1)
    model(torch.tensor([random_ids(4)]), memory)
    assert memory.states.requires_grad
    cut = memory.detach()
    assert isinstance(cut, RecurrentMemory)
    assert not cut.states.requires_grad
    assert cut.length == 4


@torch.no_grad()
def test_a_convolution_sees_its_receptive_field_and_no_further() -> None:
    settings = CNNSettings(**TINY, n_layer=3, kernel_size=3, dilation_cycle=2)
    model, length = random_model(settings), 30
    assert isinstance(model, CNN)
    ids = torch.tensor([random_ids(length)])
    before = model(ids)[0, -1]
    assert settings.receptive_field == 1 + 2 * (1 + 2 + 1)
    for place in range(length):
        changed = ids.clone()
        changed[0, place] = (changed[0, place] + 1) % 13
        felt = bool((model(changed)[0, -1] - before).abs().max() > 1e-7)
        assert felt == (place > length - 1 - settings.receptive_field), place


@torch.no_grad()
def test_senses_belong_to_the_token_alone_and_act_linearly() -> None:
    model = random_model(BackpackSettings(**TINY, n_layer=1, n_head=2, n_sense=4, sliding=False))
    assert isinstance(model, Backpack)
    ids = torch.tensor([random_ids(8)])
    alone = model.senses_of(ids[:, 3:4])
    torch.testing.assert_close(model.senses_of(ids)[:, 3:4], alone)
    id = int(ids[0, 3])
    answers = [dialled(model, [(id, 2, gain)])(ids) for gain in (0.0, 1.0, 2.0)]
    torch.testing.assert_close(answers[1], model(ids))
    torch.testing.assert_close(answers[2] - answers[1], answers[1] - answers[0], rtol=1e-3, atol=1e-3)
    assert (answers[1] - answers[0]).abs().max() > 1e-3
    assert model.gains is None


@torch.no_grad()
def test_a_sense_alone_says_what_it_speaks_for() -> None:
    model = random_model(BackpackSettings(**TINY, n_layer=1, n_head=2, n_sense=4))
    assert isinstance(model, Backpack)
    table = model.sense_logits(5)
    assert table.shape == (4, 13)
    # A text of one token weighs each of its senses fully: the answer is their sum.
    torch.testing.assert_close(model(torch.tensor([[5]]))[0, 0], table.sum(0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_cudnn_gets_a_cells_weights_in_one_piece_as_torchs_own_layers_give_them(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it copies them there at every call, and warns."""
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(torch.backends.cudnn, "is_acceptable", lambda weight: True)
    monkeypatch.setattr(torch, "_cudnn_rnn_flatten_weight", lambda *given: asked.append(given))
    model = random_model(VARIANTS[kind]).to("cpu")
    settings = VARIANTS[kind]
    assert len(asked) == settings.n_layer
    weights, count, *rest = asked[0]
    cell = model.h[0].cell
    assert count == len(weights) == 4
    assert weights[0] is cell.from_token.weight
    assert weights[1] is cell.from_state.weight
    mode = {"rnn": 1, "lstm": 2, "gru": 3}[kind]  # cudnnRNNMode_t
    hidden, layers, projected, batch_first, both_ways = settings.n_hidden, 1, 0, True, False
    assert rest == [settings.n_embd, mode, hidden, projected, layers, batch_first, both_ways]
