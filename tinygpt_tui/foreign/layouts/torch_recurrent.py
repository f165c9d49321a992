"""torch's own recurrent modules between an embedding, or one-hot vectors, and a linear layer, under any names.

Shapes say which is which: `weight_ih` has one part for `nn.RNN`, three for `nn.GRU` and four for `nn.LSTM`, each
as many rows as the state. Such are char-rnn.pytorch, Udacity's CharRNN and most tutorials' models.
"""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.facts import FactSource
from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch, Weights, limited, matrix
from tinygpt_tui.foreign.rename import To, place
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.settings.architecture import (
    ArchitectureSettings,
    GRUSettings,
    LSTMSettings,
    RNNSettings,
)

Net = RNNSettings | GRUSettings | LSTMSettings
NETS: Mapping[int, type[Net]] = {net.GATES: net for net in (RNNSettings, GRUSettings, LSTMSettings)}
_INPUT = re.compile(r"(?P<prefix>(?:.*[._])?)weight_ih(?P<layer>_l\d+)?")
_NOT_HERE = {"_reverse": "reads texts backwards, too", "weight_hr": "projects its states"}
_HEADS = ("fc", "linear", "dec", "out", "head", "dense", "proj", "h2o", "classifier")


@dataclass(frozen=True)
class _Cell:
    """The names of a layer's tensors, and its sizes."""

    prefix: str
    layer: str
    channels: int
    hidden: int
    gates: int

    def table(self, number: int) -> dict[str, To | None]:
        parts = {"ih": "from_token", "hh": "from_state"}
        return {
            f"{self.prefix}{kind}_{theirs}{self.layer}": To(f"h.{number}.cell.{ours}.{kind}")
            for theirs, ours in parts.items()
            for kind in ("weight", "bias")
        }


class TorchRecurrent:
    """A model around torch's RNN, GRU or LSTM."""

    name, title = "torch-recurrent", "torch's RNN, GRU and LSTM"

    def recognises(self, source: Source) -> bool:
        return any(_INPUT.fullmatch(name) for name in source.tensors)

    def match(self, source: Source) -> LayoutMatch:
        cells = _cells(source)
        first, last = cells[0], cells[-1]
        table: dict[str, To | None] = {}
        for number, cell in enumerate(cells):
            table |= cell.table(number)
        embedding, head, V = _around(source, table, first.channels, last.hidden)
        if embedding:
            table[embedding] = To("wte.weight")
        table |= {head: To("lm_head.weight"), head.removesuffix("weight") + "bias": To("lm_head.bias")}
        placed = place(source.tensors, table, "a recurrent model of torch")
        net = NETS[first.gates]
        found = Findings()
        found.known(
            "cell", str(net.__struct_config__.tag), "tensor", f"weight_ih has {first.gates} x {first.hidden} rows"
        )
        if net is RNNSettings:
            modes = {part.attribute("mode") for part in source.module.values()}
            if "RNN_RELU" in modes:
                raise CheckpointError(f"{source.name} is an RNN with ReLU, which is not built here", "only tanh is")
            kind: FactSource = "module" if "RNN_TANH" in modes else "convention"
            found.known("non-linearity", "tanh", kind, "torch's default" if kind == "convention" else "mode")
        found.known("vocab_size", V, "tensor", head)
        found.known("n_embd", first.channels, "tensor", embedding or "one-hot vectors")
        found.known("n_hidden", first.hidden, "tensor", "weight_hh")
        found.known("n_layer", len(cells), "tensor", "counted")
        found.known("cells_only", True, "tensor", "cells alone")
        sizes: dict[str, Any] = {"n_embd": first.channels, "n_hidden": first.hidden, "n_layer": len(cells)}
        settings = limited(net(vocab_size=V, **sizes, cells_only=True), source.name)

        def finish(weights: Weights, settings: ArchitectureSettings) -> Weights:
            return weights if embedding else weights | {"wte.weight": np.eye(V, dtype=np.float32)}

        characters = string.printable if len(string.printable) == V else ""
        return found.match(settings, placed, finish=finish, characters=characters)


def _cells(source: Source) -> list[_Cell]:
    """Return the layers in their order: each reads the states of the one before."""
    for part, what in _NOT_HERE.items():
        strange = next((name for name in source.tensors if part in name), None)
        if strange:
            raise CheckpointError(f"{source.name} {what} ({strange}), which is not built here", "")
    found = []
    for name in sorted(source.tensors, key=_natural):
        match = _INPUT.fullmatch(name)
        if match is None:
            continue
        prefix, layer = match["prefix"], match["layer"] or ""
        rows, channels = matrix(source, name)
        of_state, hidden = matrix(source, f"{prefix}weight_hh{layer}")
        if of_state != rows or not hidden or rows % hidden or rows // hidden not in NETS:
            raise CheckpointError(f"{source.name}: {name} is of no RNN, GRU or LSTM: {rows} x {channels}", "")
        found.append(_Cell(prefix, layer, channels, hidden, rows // hidden))
    for below, above in itertools.pairwise(found):
        if (above.channels, above.hidden, above.gates) != (below.hidden, below.hidden, below.gates):
            raise CheckpointError(
                f"{source.name}: its recurrent layers are of different sizes or kinds",
                "only equal ones are opened here",
            )
    return found


def _around(source: Source, table: Mapping[str, To | None], channels: int, hidden: int) -> tuple[str, str, int]:
    """Return the names of embedding (empty for one-hot vectors) and head, and the size of the vocabulary.

    The head is (V, H), the embedding (V, C); where both could be either, a name or a bias tells.
    """
    others = [name for name, tensor in source.tensors.items()
              if name not in table and len(tensor.shape) == 2 and tensor.is_float]  # fmt: skip
    heads = [name for name in others if name.endswith("weight") and source.tensors[name].shape[1] == hidden]
    heads.sort(key=lambda name: (_has_bias(source, name), any(word in name.lower() for word in _HEADS)))
    if not heads:
        raise CheckpointError(f"{source.name} has no linear layer from its states of {hidden} to tokens", "")
    head = heads[-1]
    V = source.tensors[head].shape[0]
    rest = [name for name in others if name != head]
    embedding = next((name for name in rest if source.tensors[name].shape == (V, channels)), "")
    if not embedding and channels != V:
        raise CheckpointError(
            f"{source.name}: its cells read {channels} numbers of a token, and no table of {V:,} tokens has those", ""
        )
    return embedding, head, V


def _has_bias(source: Source, name: str) -> bool:
    return name.removesuffix("weight") + "bias" in source.tensors


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort numbers in names by their value."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
