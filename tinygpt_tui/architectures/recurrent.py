"""Recurrent nets (Elman's, GRU, LSTM), stacked: one state is carried from token to token.

    token ids ── embedding ── n_layer × [ x + cell(norm(x)), x + MLP(norm(x)) ] ── head ── logits

With the cell of Elman 1990 and a state twice as wide as the stream this is the net of GPTnano, whose blocks all read
the embedding (only the last of them counted) and whose state was thrown away between two generated tokens; here each
block reads the one below, and the state is a memory. The steps through time run in torch's own kernels.

`cells_only`: `nn.RNN`, `nn.GRU` and `nn.LSTM` of torch between an embedding and a head, as most programs have them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_variadic

from tinygpt_tui.architectures.base import Head, LanguageModel
from tinygpt_tui.architectures.memory import Memory
from tinygpt_tui.settings.architecture import GRUSettings, LSTMSettings, RNNSettings

RecurrentSettings = RNNSettings | GRUSettings | LSTMSettings
CUDNN_MODES = {"rnn": 1, "lstm": 2, "gru": 3}  # cuDNN's numbers for them
WIDER = 4  # the MLP's inner width, in widths of the stream


@dataclass
class RecurrentMemory(Memory):
    """What every cell carries: `states` and, of an LSTM, `cells`, each (L, B, n_hidden)."""

    states: Tensor
    cells: Tensor

    def detach(self) -> RecurrentMemory:
        """Return the same numbers, through which no gradient flows back."""
        return RecurrentMemory(self.states.detach(), self.cells.detach(), lengths=list(self.lengths))

    def carry(self, states: Tensor, cells: Tensor) -> None:
        """Continue with these in the first rows."""
        B = states.shape[1]
        if self.states.shape[1] == B:
            # Not written into the old ones: in training a gradient may still need those.
            self.states, self.cells = states, cells
        else:
            self.states[:, :B], self.cells[:, :B] = states, cells

    def _put(self, row: int, other: RecurrentMemory, other_row: int) -> None:
        self.states[:, row], self.cells[:, row] = other.states[:, other_row], other.cells[:, other_row]


class Cell(nn.Module):
    """One recurrent cell, from a stream of tokens to a stream of its states.

    Sources: Elman 1990 (rnn); Cho et al. 2014, in cuDNN's form without `reset_first` (gru); Hochreiter and Schmidhuber
    1997 with the forget gate of Gers et al. 2000 (lstm).
    """

    def __init__(
        self, kind: str, gates: int, channels: int, hidden: int, *, state_bias: bool = False, reset_first: bool = False
    ) -> None:
        """`state_bias`: a second bias, as torch's own modules have it; only a GRU's is not one with the first.

        `reset_first`: a GRU of Cho et al. 2014, whose reset gate scales the state before its product.
        """
        super().__init__()
        self.kind, self.reset_first = kind, reset_first
        rows = gates * hidden
        self.from_token = nn.Linear(channels, rows)
        self.from_state = nn.Linear(hidden, rows, bias=state_bias)
        self.no_bias: Tensor
        self.register_buffer("no_bias", torch.zeros(rows), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Cell:
        """Move the cell, as `to` does, and arrange its weights for where it is now."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._pack()
        return self

    @property
    def _weights(self) -> list[Tensor]:
        state_bias: Tensor | None = self.from_state.bias
        second = self.no_bias if state_bias is None else state_bias
        return [self.from_token.weight, self.from_state.weight, self.from_token.bias, second]

    def _pack(self) -> None:
        """Put the weights into one piece of memory where cuDNN computes: it would copy them there at each call.

        They stay views of it, because loading and learning write into weights and do not replace them.
        """
        weights = self._weights
        if not all(torch.backends.cudnn.is_acceptable(weight) for weight in weights):  # type: ignore[no-untyped-call]
            return
        channels, hidden, mode = self.from_token.in_features, self.from_state.in_features, CUDNN_MODES[self.kind]
        with torch.no_grad():
            torch._cudnn_rnn_flatten_weight(weights, len(weights), channels, mode, hidden, 0, 1, True, False)

    def forward(self, x: Tensor, state: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, T, C), state and cell (B, H) -> all states (B, T, H), the last state and the last cell (B, H)."""
        weights = self._weights
        first = state[None]
        if self.reset_first:
            y, last = gru_reset_first(x, first, weights)
            return y, last[0], cell
        if self.kind == "lstm":
            y, last, last_cell = torch.lstm(x, (first, cell[None]), weights, True, 1, 0.0, self.training, False, True)
            return y, last[0], last_cell[0]
        run = torch.rnn_tanh if self.kind == "rnn" else torch.gru
        y, last = run(x, first, weights, True, 1, 0.0, self.training, False, True)
        return y, last[0], cell


def gru_reset_first(x: Tensor, first: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Compute a GRU whose reset gate scales the state before its product, which no kernel of torch does.

    x (B, T, C), first (1, B, H), weights as `torch.gru` takes them -> all states (B, T, H), the last one (1, B, H).
    Source: Cho et al. 2014.
    """
    if has_torch_function_variadic(x, first):  # for those who listen to what a net computes, it is one kernel, too
        found: tuple[Tensor, Tensor] = handle_torch_function(gru_reset_first, (x, first), x, first, weights)
        return found
    from_token, from_state, bias, state_bias = weights
    state, H = first[0], first.shape[-1]
    (of_gates, of_new), (gate_bias, new_bias) = (torch.split(one, [2 * H, H]) for one in (from_state, state_bias))
    states = []
    for of_token in F.linear(x, from_token, bias).unbind(1):
        reset, old = torch.sigmoid(of_token[:, : 2 * H] + F.linear(state, of_gates, gate_bias)).chunk(2, dim=-1)
        new = torch.tanh(of_token[:, 2 * H :] + F.linear(reset * state, of_new, new_bias))
        state = new + old * (state - new)
        states.append(state)
    return torch.stack(states, dim=1), state[None]


def resets_first(settings: RecurrentSettings) -> bool:
    """Return whether a GRU's reset gate scales the state before its product."""
    return isinstance(settings, GRUSettings) and settings.reset_first


class RecurrentBlock(nn.Module):
    """What was before, then what to make of it; each added to the stream."""

    def __init__(self, kind: str, settings: RecurrentSettings) -> None:
        super().__init__()
        C, H = settings.n_embd, settings.n_hidden
        self.dropout = settings.dropout
        self.squashes = kind == "rnn"  # GPTnano's output is a tanh; gated cells need none
        self.ln_1 = nn.LayerNorm(C, bias=False)
        self.cell = Cell(kind, settings.GATES, C, H, reset_first=resets_first(settings))
        self.c_proj = nn.Linear(H, C)
        self.ln_2 = nn.LayerNorm(C, bias=False)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(C, WIDER * C), "c_proj": nn.Linear(WIDER * C, C)})

    def forward(self, x: Tensor, state: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, T, C), state and cell (B, H) -> x (B, T, C) and the new state and cell."""
        y, state, cell = self.cell(self.ln_1(x), state, cell)
        y = self.c_proj(y)
        x = x + self._drop(torch.tanh(y) if self.squashes else y)
        y = self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x))))
        return x + self._drop(y), state, cell

    def _drop(self, y: Tensor) -> Tensor:
        return F.dropout(y, self.dropout, self.training) if self.dropout else y


class PlainBlock(nn.Module):
    """A cell alone."""

    def __init__(self, kind: str, settings: RecurrentSettings, channels: int) -> None:
        super().__init__()
        self.dropout = settings.dropout
        self.cell = Cell(
            kind, settings.GATES, channels, settings.n_hidden, state_bias=True, reset_first=resets_first(settings)
        )

    def forward(self, x: Tensor, state: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, T, C), state and cell (B, H) -> all states (B, T, H) and the new state and cell."""
        y, state, cell = self.cell(x, state, cell)
        return F.dropout(y, self.dropout, self.training) if self.dropout else y, state, cell


class Recurrent(LanguageModel):
    """A stack of recurrent blocks between an embedding and a head; no window, no positions."""

    settings: RecurrentSettings

    def __init__(self, settings: RecurrentSettings) -> None:
        super().__init__(settings)
        self.kind = str(settings.__struct_config__.tag)
        V, C, H, L = settings.vocab_size, settings.n_embd, settings.n_hidden, settings.n_layer
        self.wte = nn.Embedding(V, C)
        blocks: list[nn.Module] = [
            PlainBlock(self.kind, settings, H if layer else C)
            if settings.cells_only
            else RecurrentBlock(self.kind, settings)
            for layer in range(L)
        ]
        self.h = nn.ModuleList(blocks)
        self.start = nn.Parameter(torch.zeros(L, H)) if settings.learned_start else None
        self.lm_head = Head(H if settings.cells_only else C, V)
        self._start_weights()

    def forward(self, ids: Tensor, memory: Memory | None = None) -> Tensor:
        """ids (B, T) -> logits (B, T, V)."""
        assert memory is None or isinstance(memory, RecurrentMemory)
        B = len(ids)
        state_before = memory or self.new_memory(B)
        x = self.wte(ids)  # (B, T, C)
        states, cells = [], []
        blocks: Iterable[nn.Module] = self.h
        for block, state, cell in zip(blocks, state_before.states[:, :B], state_before.cells[:, :B], strict=True):
            x, state, cell = block(x, state, cell)
            states.append(state)
            cells.append(cell)
        if memory is not None:
            memory.carry(torch.stack(states), torch.stack(cells))
            memory.count(ids)
        logits: Tensor = self.lm_head(x)
        return logits

    def new_memory(self, batch: int) -> RecurrentMemory:
        """Return a memory of zeros for `batch` texts, or of the learned start."""
        s, weight = self.settings, self.lm_head.weight
        states = weight.new_zeros(s.n_layer, batch, s.n_hidden)
        cells = torch.zeros_like(states) if self.kind == "lstm" else states[..., :0]
        if self.start is not None:
            states = states + self.start[:, None]
        return RecurrentMemory(states, cells, lengths=[0] * batch)

    def _start_weights(self) -> None:
        """Draw the first weights; the states' own matrices begin orthogonal, so that nothing fades or explodes."""
        for name, parameter in self.named_parameters():
            if name.endswith("from_state.weight"):
                for square in torch.split(parameter.data, self.settings.n_hidden):
                    nn.init.orthogonal_(square)
            elif name == "start":
                continue
            elif "wte" in name:
                nn.init.normal_(parameter, std=0.8)
            elif name.startswith("lm_head.weight"):
                nn.init.normal_(parameter, std=0.001)
            elif name.endswith("c_proj.weight"):
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5 / (2 * self.settings.n_layer) ** 0.5)
            elif parameter.dim() == 2:
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
        for module in self.modules():
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
            if isinstance(module, Cell) and module.kind == "lstm":
                H = self.settings.n_hidden
                nn.init.ones_(module.from_token.bias[H : 2 * H])  # the forget gate begins open
