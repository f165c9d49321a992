"""makemore's nets beside its transformer: RNN, GRU and the MLP with a fixed window; token 0 begins and ends a name.

Its cells multiply token and state by one matrix, start from a learned state, and its GRU resets the state before the
product. Its MLP reads a window of tokens with the newest first, and one row more of the embedding before a name.
"""

from __future__ import annotations

import numpy as np

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch, Weights, limited, matrix
from tinygpt_tui.foreign.rename import To, place
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.settings.architecture import (
    ArchitectureSettings,
    GRUSettings,
    MLPSettings,
    RNNSettings,
)

_KINDS = ("weight", "bias")
_CELL = "h.0.cell.from_token"


class MakemoreCells:
    """makemore's RNN or GRU; `gates` are the layers of its cell, in the order in which torch has them."""

    def __init__(
        self, name: str, title: str, net: type[RNNSettings] | type[GRUSettings], gates: tuple[str, ...]
    ) -> None:
        self.name, self.title, self._net, self._gates = name, title, net, gates

    def recognises(self, source: Source) -> bool:
        return source.has("start", "wte.weight", f"cell.{self._gates[0]}.weight", "lm_head.weight")

    def match(self, source: Source) -> LayoutMatch:
        table: dict[str, To | None] = {"start": To("start"), "wte.weight": To("wte.weight")}
        for kind in _KINDS:
            table[f"lm_head.{kind}"] = To(f"lm_head.{kind}")
            table |= {
                f"cell.{gate}.{kind}": To(f"{_CELL}.{kind}", str(number)) for number, gate in enumerate(self._gates)
            }
        placed = place(source.tensors, table, self.title)
        V, C = matrix(source, "wte.weight")
        H = matrix(source, f"cell.{self._gates[0]}.weight")[0]
        sizes = {"vocab_size": V, "n_embd": C, "n_hidden": H, "n_layer": 1}
        found = Findings()
        options = {"learned_start": True} | ({"reset_first": True} if self._net is GRUSettings else {})
        for name, value in (sizes | options | {"cells_only": True}).items():
            found.known(name, value, "tensor")

        def finish(weights: Weights, settings: ArchitectureSettings) -> Weights:
            both, bias = weights[f"{_CELL}.weight"], weights[f"{_CELL}.bias"]
            if settings.__struct_config__.tag == "gru":  # its z is how much of the state is new, ours how much is old
                sign = np.repeat(np.array([1, -1, 1], dtype=np.float32), len(both) // 3)
                both, bias = both * sign[:, None], bias * sign
            apart = {"h.0.cell.from_token.weight": both[:, :C], "h.0.cell.from_state.weight": both[:, C:]}
            arrays = {name: np.ascontiguousarray(part) for name, part in apart.items()}
            return weights | arrays | {f"{_CELL}.bias": bias}

        return found.match(limited(self._net(**found.values), source.name), placed, finish=finish)


RNN = MakemoreCells("makemore-rnn", "makemore's RNN", RNNSettings, ("xh_to_h",))
GRU = MakemoreCells("makemore-gru", "makemore's GRU", GRUSettings, ("xh_to_r", "xh_to_z", "xh_to_hbar"))


class MakemoreMLP:
    """The vectors of a fixed number of tokens side by side; as makemore.py has it, or as its lecture writes it."""

    name, title = "makemore-mlp", "makemore's MLP"

    def recognises(self, source: Source) -> bool:
        return source.has(*_MLP) or source.has(*_LECTURE)

    def match(self, source: Source) -> LayoutMatch:
        lecture = source.has(*_LECTURE)
        placed = place(source.tensors, _LECTURE if lecture else _MLP, self.title)
        embedding, first, last = ("C", "W1", "W2") if lecture else ("wte.weight", "mlp.0.weight", "mlp.2.weight")
        rows, C = matrix(source, embedding)
        wide, high = (matrix(source, name)[:: -1 if lecture else 1] for name in (first, last))
        (H, read), (V, inner) = wide, high
        if read % C or inner != H or rows != V + (not lecture):
            raise CheckpointError(f"{source.name} is like {self.title}, but its sizes do not fit together", "")
        found = Findings()
        for name, value, why in (
            ("vocab_size", V, last), ("block_size", read // C, f"{first} reads {read} numbers"),
            ("n_embd", C, embedding), ("n_hidden", H, first),
        ):  # fmt: skip
            found.known(name, value, "tensor", why)
        settings = limited(MLPSettings(**found.values), source.name)

        def finish(weights: Weights, settings: ArchitectureSettings) -> Weights:
            table, hidden = weights["wte.weight"], weights["hidden.weight"]
            if lecture:  # the oldest token first, and token 0 before a name
                apart = hidden.reshape(len(hidden), -1, C)[:, ::-1].reshape(hidden.shape)
                return weights | {"start": table[0], "hidden.weight": np.ascontiguousarray(apart)}
            return weights | {"start": table[-1], "wte.weight": table[:-1]}

        return found.match(settings, placed, finish=finish)


_MLP = {
    "wte.weight": To("wte.weight"),
    **{f"mlp.0.{kind}": To(f"hidden.{kind}") for kind in _KINDS},
    **{f"mlp.2.{kind}": To(f"lm_head.{kind}") for kind in _KINDS},
}
_LECTURE = {
    "C": To("wte.weight"),
    "W1": To("hidden.weight", turned=True),
    "b1": To("hidden.bias"),
    "W2": To("lm_head.weight", turned=True),
    "b2": To("lm_head.bias"),
}
