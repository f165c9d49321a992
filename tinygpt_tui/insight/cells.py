"""The inside of a recurrent kernel, computed again from its inputs and the states that it returned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def inside_of(name: str, arguments: Sequence[Any], states: Tensor) -> list[Tensor]:
    """Return gates and states, each (B, T, N), in the order of naming.CELLS.

    `arguments` are those of `torch.rnn_tanh`, `torch.gru`, recurrent.gru_reset_first or `torch.lstm` with one layer,
    batch first: the inputs (B, T, C), the state before them (1, B, N; two of them for an LSTM), and weights and biases.
    `states` (B, T, N) are all that it returned. The states before are known, so that the gates of all tokens are one
    product.
    """
    x, first, (from_token, from_state, bias, state_bias) = arguments[0], arguments[1], arguments[2]
    state, cell = (first[0][0], first[1][0]) if name == "lstm" else (first[0], first[0])
    before = torch.cat((state[:, None], states[:, :-1]), dim=1)  # (B, T, N)
    of_token, of_state = x @ from_token.T + bias, before @ from_state.T + state_bias
    if name == "rnn_tanh":
        return [torch.tanh(of_token + of_state)]
    if name.startswith("gru"):
        token_r, token_z, token_n = of_token.chunk(3, dim=-1)
        state_r, state_z, state_n = of_state.chunk(3, dim=-1)
        r, z = torch.sigmoid(token_r + state_r), torch.sigmoid(token_z + state_z)
        H = state.shape[-1]
        reset = (r * before) @ from_state[2 * H :].T + state_bias[2 * H :] if name != "gru" else r * state_n
        n = torch.tanh(token_n + reset)
        return [r, z, n, (1 - z) * n + z * before]
    i, f, g, o = (of_token + of_state).chunk(4, dim=-1)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    cells = []
    for place in range(x.shape[1]):
        cell = f[:, place] * cell + i[:, place] * g[:, place]
        cells.append(cell)
    c = torch.stack(cells, dim=1)
    return [i, f, g, o, c, o * torch.tanh(c)]
