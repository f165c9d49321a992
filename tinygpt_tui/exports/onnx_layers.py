"""The layers of all nets as nodes of an ONNX graph, by the names of their weights."""

from __future__ import annotations

import numpy as np

from tinygpt_tui.exports.onnx_graph import Graph
from tinygpt_tui.foreign.layouts.base import Weights


class Layers:
    """Adds layers with the weights of `state` to a graph whose input is `ids` (B, T)."""

    def __init__(self, graph: Graph, state: Weights) -> None:
        self.graph, self.state = graph, state
        shape = graph.add("Shape", "ids")
        self.batch, self.time = (
            graph.add("Slice", shape, graph.integers(axis), graph.integers(axis + 1), graph.integers(0))
            for axis in (0, 1)
        )  # (1,) each

    def embedding(self, name: str) -> str:
        """The rows of a table for the ids, (B, T, C)."""
        table = self.graph.weight(f"{name}.weight", self.state[f"{name}.weight"])
        return str(self.graph.add("Gather", table, "ids", axis=0))

    def linear(self, x: str, name: str) -> str:
        """(..., in) -> (..., out); ONNX multiplies from the right."""
        weight = self.graph.weight(f"{name}.weight.T", self.state[f"{name}.weight"].T)
        return self.biased(self.graph.add("MatMul", x, weight), name)

    def biased(self, x: str, name: str) -> str:
        """`x` with the layer's bias, if it has one."""
        bias = self.state.get(f"{name}.bias")
        return x if bias is None else str(self.graph.add("Add", x, self.graph.weight(f"{name}.bias", bias)))

    def norm(self, x: str, name: str, width: int, kind: str = "layernorm", epsilon: float = 1e-5) -> str:
        """(..., width) -> (..., width); a norm without a weight has ones."""
        g = self.graph
        if kind == "none":
            return x
        weight = self.state.get(f"{name}.weight")
        ones = np.ones(width, dtype=np.float32)
        scale = g.weight(f"ones_{width}", ones) if weight is None else g.weight(f"{name}.weight", weight)
        if kind == "layernorm":
            bias = self.state.get(f"{name}.bias")
            more = () if bias is None else (g.weight(f"{name}.bias", bias),)
            return str(g.add("LayerNormalization", x, scale, *more, axis=-1, epsilon=epsilon))
        mean = g.add("ReduceMean", g.add("Mul", x, x), g.integers(-1), keepdims=1)
        root = g.add("Sqrt", g.add("Add", mean, g.number(epsilon)))
        return str(g.add("Mul", g.add("Div", x, root), scale))

    def activated(self, x: str, kind: str) -> str:
        """The activation of that name; of a gated one what the gate does."""
        g = self.graph
        if kind in ("swiglu", "silu"):
            return str(g.add("Mul", x, g.add("Sigmoid", x)))
        if kind == "glu":
            return str(g.add("Sigmoid", x))
        if kind in ("relu", "reglu", "relu_squared"):
            positive = str(g.add("Relu", x))
            return str(g.add("Mul", positive, positive)) if kind == "relu_squared" else positive
        return str(g.add("Gelu", x, approximate="tanh" if kind in ("gelu_tanh", "geglu_tanh") else "none"))

    def moved(self, x: str, back: int) -> str:
        """The row `back` positions before each of x (B, T, C); zeros precede the first."""
        g = self.graph
        padded = g.add("Pad", x, g.integers(0, back, 0, 0, 0, 0))
        return str(g.add("Slice", padded, g.integers(0), self.time, g.integers(1)))

    def attended(self, q: str, k: str, v: str, scale: float, visible: str, gains: str = "") -> str:
        """Mix values by attention: q, k (B, H, T, D), v (B, H, T, E), visible (T, T) -> (B, H, T, E).

        `gains` (H, 1, T) are added to the scores.
        """
        g = self.graph
        scores = g.add("Mul", g.add("MatMul", q, g.add("Transpose", k, perm=[0, 1, 3, 2])), g.number(scale))
        scores = g.add("Add", scores, gains) if gains else scores
        scores = g.add("Where", visible, scores, g.number(-np.inf))
        return str(g.add("MatMul", g.add("Softmax", scores, axis=-1), v))

    def heads(self, x: str, size: int) -> str:
        """(B, T, H * size) -> (B, H, T, size)."""
        g = self.graph
        return str(g.add("Transpose", g.add("Reshape", x, g.integers(0, 0, -1, size)), perm=[0, 2, 1, 3]))
