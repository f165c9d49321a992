"""The forward passes of the nets that are no GPT as ONNX graphs, each that of `architectures`.

Recurrent nets read the whole text at once: their graph takes and gives no state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.exports.onnx_gpt import GPTNet
from tinygpt_tui.exports.onnx_graph import Graph
from tinygpt_tui.exports.onnx_layers import Layers
from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.settings.architecture import (
    BackpackSettings,
    BigramSettings,
    CNNSettings,
    GRUSettings,
    MLPSettings,
    RecurrentSettings,
    name_of,
)

# ONNX has the gates of a cell in another order than torch: the place of each of its gates there.
_GATES = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
_CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn": ("RNN", {"activations": ["Tanh"]}),
    "gru": ("GRU", {}),
    "lstm": ("LSTM", {}),
}


def bigram(graph: Graph, settings: BigramSettings, state: Weights) -> str:
    """Add the net; return the name of its logits."""
    return Layers(graph, state).embedding("table")


def cnn(graph: Graph, settings: CNNSettings, state: Weights) -> str:
    """Add the net; return the name of its logits."""
    layers, C = Layers(graph, state), settings.n_embd
    x = layers.embedding("wte")
    for layer, dilation in enumerate(settings.dilations):
        h = layers.norm(x, f"h.{layer}.ln", C)
        seen = [h, *(layers.moved(h, j * dilation) for j in range(1, settings.kernel_size))]
        both = layers.linear(graph.add("Concat", *seen, axis=-1), f"h.{layer}.c_fc")
        a, b = graph.add("Split", both, outputs=2, axis=-1, num_outputs=2)
        gated = graph.add("Mul", graph.add("Tanh", a), graph.add("Sigmoid", b))
        x = graph.add("Add", x, layers.linear(gated, f"h.{layer}.c_proj"))
    return layers.linear(layers.norm(x, "ln_f", C), "lm_head")


def mlp(graph: Graph, settings: MLPSettings, state: Weights) -> str:
    """Add the net; return the name of its logits."""
    layers, start = Layers(graph, state), graph.weight("start", state["start"])
    x = layers.embedding("wte")
    shifted = graph.add("Sub", x, start)  # zeros, which precede the first token, then stand for `start`
    earlier = [graph.add("Add", layers.moved(shifted, back), start) for back in range(1, settings.block_size)]
    inner = layers.linear(graph.add("Concat", x, *earlier, axis=-1), "hidden")
    return layers.linear(graph.add("Tanh", inner), "lm_head")


def backpack(graph: Graph, settings: BackpackSettings, state: Weights) -> str:
    """Add the net; return the name of its logits."""
    trunk = GPTNet(graph, settings.trunk, {name.removeprefix("trunk."): array for name, array in state.items()})
    C, S = settings.n_embd, settings.n_sense
    stream = trunk.stream()
    q, k = (
        trunk.heads(part, C // S)
        for part in graph.add("Split", trunk.linear(stream, "weigh"), outputs=2, axis=-1, num_outputs=2)
    )
    own = trunk.norm(trunk.embedding("transformer.wte"), "", C)
    inner = trunk.activated(trunk.linear(own, "sense_fc"), "gelu")
    senses = trunk.heads(trunk.linear(inner, "sense_proj"), C)  # (B, S, T, C)
    mixed = trunk.attended(q, k, senses, (C // S) ** -0.5, trunk.visible[settings.block_size])
    return trunk.linear(graph.add("ReduceSum", mixed, graph.integers(1), keepdims=0), "lm_head")


def recurrent(graph: Graph, settings: RecurrentSettings, state: Weights) -> str:
    """Add an RNN, a GRU or an LSTM; return the name of its logits."""
    layers, C, kind = Layers(graph, state), settings.n_embd, name_of(settings)
    x = layers.embedding("wte")
    for layer in range(settings.n_layer):
        block = f"h.{layer}"
        if settings.cells_only:
            x = _cell(layers, settings, x, layer)
            continue
        y = layers.linear(_cell(layers, settings, layers.norm(x, f"{block}.ln_1", C), layer), f"{block}.c_proj")
        x = graph.add("Add", x, graph.add("Tanh", y) if kind == "rnn" else y)
        inner = layers.activated(layers.linear(layers.norm(x, f"{block}.ln_2", C), f"{block}.mlp.c_fc"), "gelu")
        x = graph.add("Add", x, layers.linear(inner, f"{block}.mlp.c_proj"))
    return layers.linear(x, "lm_head")


def _cell(layers: Layers, settings: RecurrentSettings, x: str, layer: int) -> str:
    """One cell over the whole text: x (B, T, C) -> its states (B, T, H)."""
    g, H, kind = layers.graph, settings.n_hidden, name_of(settings)
    operator, attributes = _CELLS[kind]
    if isinstance(settings, GRUSettings):
        attributes = {"linear_before_reset": int(not settings.reset_first)}
    name = f"h.{layer}.cell"

    def arranged(part: str) -> NDArray[np.float32]:
        rows = layers.state.get(f"{name}.{part}", np.zeros(settings.GATES * H, np.float32))
        gates = np.split(rows, settings.GATES)
        return np.concatenate([gates[place] for place in _GATES[kind]])[None]

    biases = np.concatenate((arranged("from_token.bias"), arranged("from_state.bias")), axis=1)
    weights = [
        g.weight(f"{name}.from_token", arranged("from_token.weight")),
        g.weight(f"{name}.from_state", arranged("from_state.weight")),
        g.weight(f"{name}.bias", biases),
    ]
    first = []
    if settings.learned_start:
        start = g.weight(f"start.{layer}", layers.state["start"][None, layer : layer + 1])  # (1, 1, H)
        shape = g.add("Concat", g.integers(1), layers.batch, g.integers(H), axis=0)
        first = ["", g.add("Expand", start, shape)]  # no lengths: all texts are equally long
    turned = g.add("Transpose", x, perm=[1, 0, 2])  # (T, B, C)
    states = g.add(operator, turned, *weights, *first, hidden_size=H, **attributes)  # (T, 1, B, H)
    return str(g.add("Transpose", g.add("Squeeze", states, g.integers(1)), perm=[1, 0, 2]))
