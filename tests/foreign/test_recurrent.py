"""torch's recurrent character models, makemore's nets and bigrams under any names: the logits are the program's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_programs import made
from torch import Tensor, nn

from tinygpt_tui.checkpoints.stored import weights_of
from tinygpt_tui.checkpoints.torch_net import filled, tensors_of
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.opening import Inspection, inspect_checkpoint

V, H = 20, 12


class CharRNN(nn.Module):
    """spro's char-rnn.pytorch: embedding, GRU or LSTM, linear."""

    def __init__(self, kind: str = "GRU", layers: int = 1, **how: Any) -> None:
        super().__init__()
        self.encoder = nn.Embedding(V, H)
        self.rnn = getattr(nn, kind)(H, H, layers, batch_first=True, **how)
        self.decoder = nn.Linear(H, V)

    def forward(self, ids: Tensor) -> Tensor:
        return self.decoder(self.rnn(self.encoder(ids))[0])


class Udacity(nn.Module):
    """Udacity's CharRNN: one-hot vectors, LSTM, dropout, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.lstm = nn.LSTM(V, H, 2, batch_first=True, dropout=0.5)
        self.fc = nn.Linear(H, V)

    def forward(self, ids: Tensor) -> Tensor:
        return self.fc(self.dropout(self.lstm(nn.functional.one_hot(ids, V).float())[0]))


class Otherwise(nn.Module):
    """A tutorial's: the head comes first, has no bias, and the layers are modules of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.to_tokens = nn.Linear(H, V, bias=False)
        self.words = nn.Embedding(V, 7)
        self.first, self.second = nn.RNN(7, H, batch_first=True, bias=False), nn.RNN(H, H, batch_first=True, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        return self.to_tokens(self.second(self.first(self.words(ids))[0])[0])


class StepByStep(nn.Module):
    """One nn.LSTMCell, called for each token."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.cell, self.out = nn.Embedding(V, 9), nn.LSTMCell(9, H), nn.Linear(H, V)

    def forward(self, ids: Tensor) -> Tensor:
        state, rows = None, []
        for x in self.embed(ids).unbind(1):
            state = self.cell(x, state)
            rows.append(self.out(state[0]))
        return torch.stack(rows, 1)


class MakemoreCells(nn.Module):
    """makemore.py's RNN and GRU."""

    def __init__(self, *gates: str) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.zeros(1, H))
        self.wte = nn.Embedding(V, 8)
        self.cell = nn.ModuleDict({f"xh_to_{gate}": nn.Linear(8 + H, H) for gate in gates})
        self.lm_head = nn.Linear(H, V)

    def step(self, x: Tensor, state: Tensor) -> Tensor:
        both = torch.cat((x, state), 1)
        if "xh_to_h" in self.cell:
            return torch.tanh(self.cell["xh_to_h"](both))
        new, reset = (torch.sigmoid(self.cell[f"xh_to_{gate}"](both)) for gate in "zr")
        candidate = torch.tanh(self.cell["xh_to_hbar"](torch.cat((x, reset * state), 1)))
        return (1 - new) * state + new * candidate

    def forward(self, ids: Tensor) -> Tensor:
        state, rows = self.start.expand(len(ids), -1), []
        for x in self.wte(ids).unbind(1):
            state = self.step(x, state)
            rows.append(self.lm_head(state))
        return torch.stack(rows, 1)


class MakemoreMLP(nn.Module):
    """makemore.py's MLP: the embedding has one row more, for what is before a name."""

    def __init__(self, window: int = 4) -> None:
        super().__init__()
        self.window = window
        self.wte = nn.Embedding(V + 1, 6)
        self.mlp = nn.Sequential(nn.Linear(6 * window, H), nn.Tanh(), nn.Linear(H, V))

    def forward(self, ids: Tensor) -> Tensor:
        shifted = []
        for _ in range(self.window):
            shifted.append(self.wte(ids))
            ids = torch.roll(ids, 1, 1)
            ids[:, 0] = V
        return self.mlp(torch.cat(shifted, -1))


class LectureMLP(nn.Module):
    """The same net as makemore's lecture writes it: token 0 before a name, the oldest token first, (in, out)."""

    def __init__(self, window: int = 3) -> None:
        super().__init__()
        sizes = {"C": (V, 5), "W1": (5 * window, H), "b1": (H,), "W2": (H, V), "b2": (V,)}
        for name, size in sizes.items():
            setattr(self, name, nn.Parameter(torch.zeros(size)))
        self.window = window

    def forward(self, ids: Tensor) -> Tensor:
        windows = nn.functional.pad(ids, (self.window - 1, 0)).unfold(1, self.window, 1)
        return torch.tanh(self.C[windows].flatten(2) @ self.W1 + self.b1) @ self.W2 + self.b2


class Bigram(nn.Module):
    """makemore.py's bigram."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(V, V))

    def forward(self, ids: Tensor) -> Tensor:
        return self.logits[ids]


MODELS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "char-rnn": (CharRNN, "gru"),
    "char-rnn, two layers": (lambda: CharRNN("LSTM", 2), "lstm"),
    "char-rnn without biases": (lambda: CharRNN("GRU", 3, bias=False), "gru"),
    "udacity": (Udacity, "lstm"),
    "otherwise": (Otherwise, "rnn"),
    "step by step": (StepByStep, "lstm"),
    "makemore's rnn": (lambda: MakemoreCells("h"), "rnn"),
    "makemore's gru": (lambda: MakemoreCells("z", "r", "hbar"), "gru"),
    "makemore's mlp": (MakemoreMLP, "mlp"),
    "makemore's mlp, of the last token": (lambda: MakemoreMLP(1), "mlp"),
    "the mlp of makemore's lecture": (LectureMLP, "mlp"),
    "makemore's bigram": (Bigram, "bigram"),
    "a bigram's embedding": (lambda: nn.Sequential(nn.Embedding(V, V)), "bigram"),
    "embedding and linear": (lambda: nn.Sequential(nn.Embedding(V, 6), nn.Linear(6, V)), "bigram"),
}


def saved(name: str, folder: Path, whole: bool = False) -> nn.Module:
    model = made(MODELS[name][0]())
    names = {"a bigram's embedding": ("emb",), "embedding and linear": ("emb", "head")}.get(name)
    if names:
        model = nn.Sequential(OrderedDict(zip(names, model, strict=True)))
    torch.save(model if whole else model.state_dict(), folder / "model.pt")
    return model


@torch.no_grad()
def agree(model: nn.Module, path: Path) -> Inspection:
    """Logits of a whole text, and of the same text token by token, are the model's."""
    inspection = inspect_checkpoint(path)
    ids = torch.randint(V, (2, 15), generator=torch.Generator().manual_seed(1))
    net = filled(inspection.settings, tensors_of(weights_of(inspection))).eval()
    memory = net.new_memory(2)
    wanted = model.eval()(ids)
    torch.testing.assert_close(net(ids), wanted, rtol=1e-4, atol=1e-4)
    stepped = torch.cat([net(ids[:, place : place + 1], memory) for place in range(15)], 1)
    torch.testing.assert_close(stepped, wanted, rtol=1e-4, atol=1e-4)
    return inspection


@pytest.mark.parametrize("name", MODELS)
def test_its_logits_are_the_programs(name: str, tmp_path: Path) -> None:
    inspection = agree(saved(name, tmp_path), tmp_path / "model.pt")
    assert inspection.settings.__struct_config__.tag == MODELS[name][1]
    assert inspection.config.parameters > 0


def test_a_whole_module_says_its_non_linearity(tmp_path: Path) -> None:
    inspection = agree(saved("otherwise", tmp_path, whole=True), tmp_path / "model.pt")
    fact = next(fact for fact in inspection.facts if fact.name == "non-linearity")
    assert (fact.value, fact.source) == ("tanh", "module")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.LSTM(4, 5, bidirectional=True), "reads texts backwards"),
        (nn.LSTM(4, 5, proj_size=3), "projects its states"),
        (nn.LSTM(4, 5), "has no linear layer"),
        (nn.ModuleDict({"lstm": nn.LSTM(4, 5), "fc": nn.Linear(5, 9)}), "no table of 9 tokens"),
        (nn.ModuleList([nn.LSTM(4, 5), nn.GRU(5, 5), nn.Linear(5, 4)]), "different sizes or kinds"),
        (nn.ModuleDict({"rnn": nn.GRU(9, 5), "fc1": nn.Linear(5, 6), "fc2": nn.Linear(6, 9)}), "no table of 6 tokens"),
        (nn.ModuleDict({"rnn": nn.GRU(9, 5), "fc": nn.Linear(5, 9), "ln": nn.LayerNorm(5)}), r"no place .* ln\."),
        (nn.ModuleDict({"rnn": nn.RNN(9, 5, nonlinearity="relu"), "fc": nn.Linear(5, 9)}), "an RNN with ReLU"),
    ],
    ids=str,
)
def test_what_is_not_built_here_is_named(model: nn.Module, words: str, tmp_path: Path) -> None:
    torch.save(model if "ReLU" in words else model.state_dict(), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=words):
        inspect_checkpoint(tmp_path / "model.pt")
