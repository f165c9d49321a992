"""ONNX: the net as a graph from ids (batch, time) to logits (batch, time, vocabulary), built node by node.

torch's own exporter would do it too, but needs packages several times the size of `onnx`, and unrolls what it has seen
run; this graph takes any batch and any length up to the window, or any length at all where attention slides.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tinygpt_tui.exports.onnx_graph import Graph
from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.settings.architecture import GPTSettings

LARGEST_FILE = 1 << 30  # bytes of weights; a single protobuf must stay below two GiB


def write(source: ExportSource, folder: Path) -> None:
    """Write `model.onnx` into `folder`; the weights of a large model are stored in `model.onnx.data`."""
    onnx: Any = importlib.import_module("onnx")
    graph = Graph()
    _Net(graph, source.gpt, source.state()).build()
    facts = {
        "name": source.name,
        "settings": msgspec.json.encode(source.config.architecture).decode(),
        "tokenizer": json.dumps(source.tokenizer.to_dict(), ensure_ascii=False),
    }
    logits = ["batch", "time", str(source.gpt.vocab_size)]
    model = graph.model({"ids": ["batch", "time"]}, {"logits": logits}, facts)
    large = {"save_as_external_data": True, "location": "model.onnx.data"} if graph.bytes > LARGEST_FILE else {}
    onnx.save_model(model, str(folder / "model.onnx"), **large)
    onnx.checker.check_model(str(folder / "model.onnx"))


class _Net:
    """Writes the forward pass of `architectures.gpt.GPT` into a graph, in its order."""

    def __init__(self, graph: Graph, settings: GPTSettings, state: Weights) -> None:
        self.graph, self.settings, self.state = graph, settings, state

    def build(self) -> None:
        g, s = self.graph, self.settings
        shape = g.add("Shape", "ids")
        self.batch = g.add("Slice", shape, g.integers(0), g.integers(1), g.integers(0))  # (1,)
        self.time = g.add("Slice", shape, g.integers(1), g.integers(2), g.integers(0))  # (1,)
        length = g.add("Squeeze", self.time, g.integers(0))
        self.positions = g.add("Range", g.integer(0), length, g.integer(1))  # (T,)
        embedding = g.weight("transformer.wte.weight", self.state["transformer.wte.weight"])
        x = g.add("Gather", embedding, "ids", axis=0)  # (B, T, C)
        self.rope: tuple[str, str] | None = None
        if s.positions == "learned":
            table = g.weight("transformer.wpe.weight", self.state["transformer.wpe.weight"])
            x = g.add("Add", x, g.add("Gather", table, self.positions, axis=0))
        else:
            self.rope = self._rope_tables()
        if s.ngram_rows:
            x = g.add("Add", x, self._ngrams())
        if s.embedding_norm:
            x = self._norm(x, "", s.n_embd, s.epsilon)
        windows = {s.window_of(layer) for layer in range(s.n_layer)}
        self.visible = {window: self._visible(window) for window in windows}
        for layer in range(s.n_layer):
            x = self._block(x, f"transformer.h.{layer}", s.window_of(layer))
        if s.final_norm:
            x = self._norm(x, "transformer.ln_f", s.n_embd, s.epsilon)
        g.name(self._head(x, embedding), "logits")

    def _block(self, x: str, name: str, window: int) -> str:
        s, before = self.settings, x
        h = self._input(x, f"{name}.ln_1")
        y = self._attention(self._shifted(h, f"{name}.shift_1"), f"{name}.attn", window)
        x = self._joined(x, h, y, f"{name}.ln_1")
        if s.feed_forward == "none":
            return x
        h = self._input(before if s.parallel else x, f"{name}.ln_2")
        return self._joined(x, h, self._mlp(self._shifted(h, f"{name}.shift_2"), f"{name}.mlp"), f"{name}.ln_2")

    def _input(self, x: str, norm: str) -> str:
        s = self.settings
        return x if s.residual == "post_norm" else self._norm(x, norm, s.n_embd, s.epsilon)

    def _joined(self, stream: str, given: str, result: str, norm: str) -> str:
        s = self.settings
        if s.residual == "none":
            return result
        total = str(self.graph.add("Add", given if s.residual == "normed" else stream, result))
        return self._norm(total, norm, s.n_embd, s.epsilon) if s.residual == "post_norm" else total

    def _mlp(self, x: str, name: str) -> str:
        g, s = self.graph, self.settings
        h = self._linear(x, f"{name}.c_fc")
        h = g.add("Mul", self._activated(self._linear(x, f"{name}.c_gate")), h) if s.has_gate else self._activated(h)
        return self._linear(h, f"{name}.c_proj") if s.feed_forward == "mlp" else h

    def _head(self, x: str, embedding: str) -> str:
        if not self.settings.tied_head:
            return self._linear(x, "lm_head")
        logits = self.graph.add("MatMul", x, self.graph.add("Transpose", embedding, perm=[1, 0]))
        return self._biased(logits, "lm_head")

    def _linear(self, x: str, name: str) -> str:
        """(..., in) -> (..., out); ONNX multiplies from the right."""
        weight = self.graph.weight(f"{name}.weight", self.state[f"{name}.weight"].T)
        return self._biased(self.graph.add("MatMul", x, weight), name)

    def _biased(self, x: str, name: str) -> str:
        bias = self.state.get(f"{name}.bias")
        return x if bias is None else str(self.graph.add("Add", x, self.graph.weight(f"{name}.bias", bias)))

    def _norm(self, x: str, name: str, width: int, epsilon: float) -> str:
        g = self.graph
        if self.settings.norm == "none":
            return x
        weight = self.state.get(f"{name}.weight")
        ones = np.ones(width, dtype=np.float32)
        scale = g.weight(f"ones_{width}", ones) if weight is None else g.weight(f"{name}.weight", weight)
        if self.settings.norm == "layernorm":
            bias = self.state.get(f"{name}.bias")
            more = () if bias is None else (g.weight(f"{name}.bias", bias),)
            return str(g.add("LayerNormalization", x, scale, *more, axis=-1, epsilon=epsilon))
        mean = g.add("ReduceMean", g.add("Mul", x, x), g.integers(-1), keepdims=1)
        root = g.add("Sqrt", g.add("Add", mean, g.number(epsilon)))
        return str(g.add("Mul", g.add("Div", x, root), scale))

    def _shifted(self, x: str, name: str) -> str:
        """Each channel adds its share of the positions before; zeros precede the first."""
        g = self.graph
        if not self.settings.token_shift:
            return x
        y = x
        for back, share in enumerate(self.state[f"{name}.shares"], start=1):
            padded = g.add("Pad", x, g.integers(0, back, 0, 0, 0, 0))
            moved = g.add("Slice", padded, g.integers(0), self.time, g.integers(1))
            y = g.add("Add", y, g.add("Mul", moved, g.weight(f"{name}.share_{back}", share)))
        return y

    def _attention(self, x: str, name: str, window: int) -> str:
        g, s = self.graph, self.settings
        D = s.head_size
        widths = g.integers(s.n_head * D, s.kv_heads * D, s.kv_heads * D)
        parts = []
        for part in g.add("Split", self._linear(x, f"{name}.c_attn"), widths, outputs=3, axis=-1):
            heads = g.add("Reshape", part, g.integers(0, 0, -1, D))
            parts.append(g.add("Transpose", heads, perm=[0, 2, 1, 3]))  # (B, heads, T, D)
        q, k, v = parts
        if s.qk_norm:
            q, k = (self._norm(part, f"{name}.{of}_norm", D, s.epsilon) for part, of in ((q, "q"), (k, "k")))
        if self.rope is not None:
            q, k = self._turned(q), self._turned(k)
        if s.kv_heads < s.n_head:
            k, v = self._shared(k), self._shared(v)
        scale = (s.n_embd if s.attention_scale == "n_embd" else D) ** -0.5
        scores = g.add("Mul", g.add("MatMul", q, g.add("Transpose", k, perm=[0, 1, 3, 2])), g.number(scale))
        scores = g.add("Where", self.visible[window], scores, g.number(-np.inf))
        mixed = g.add("Transpose", g.add("MatMul", g.add("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        mixed = g.add("Reshape", mixed, g.integers(0, 0, s.n_head * D))
        return self._linear(mixed, f"{name}.c_proj") if s.projection else str(mixed)

    def _shared(self, x: str) -> str:
        """Give each of a group of query heads the group's keys or values: (B, kv heads, T, D) -> (B, H, T, D)."""
        g, s = self.graph, self.settings
        each = g.add("Unsqueeze", x, g.integers(2))
        each = g.add("Expand", each, g.integers(1, 1, s.n_head // s.kv_heads, 1, 1))
        return str(g.add("Reshape", each, g.integers(0, s.n_head, -1, s.head_size)))

    def _activated(self, x: str) -> str:
        g, kind = self.graph, self.settings.activation
        if kind == "swiglu":
            return str(g.add("Mul", x, g.add("Sigmoid", x)))
        if kind in ("relu", "relu_squared"):
            positive = str(g.add("Relu", x))
            return positive if kind == "relu" else str(g.add("Mul", positive, positive))
        return str(g.add("Gelu", x, approximate="tanh" if kind in ("gelu_tanh", "geglu_tanh") else "none"))

    def _visible(self, window: int) -> str:
        """(T, T): whether the row's position sees the column's; `window` counts itself."""
        g = self.graph
        row = g.add("Unsqueeze", self.positions, g.integers(1))
        column = g.add("Unsqueeze", self.positions, g.integers(0))
        visible = g.add("LessOrEqual", column, row)
        if self.settings.sliding or window < self.settings.block_size:
            near = g.add("Less", g.add("Sub", row, column), g.integer(window))
            visible = g.add("And", visible, near)
        return str(visible)

    def _rope_tables(self) -> tuple[str, str]:
        """Cosine and sine of RoPE's angles, each (T, D/2, 1); the angles in double precision, as they grow."""
        g, frequencies = self.graph, np.array(self.settings.rotary_frequencies)
        places = g.add("Unsqueeze", g.add("Cast", self.positions, to=11), g.integers(1))  # 11: double
        angles = g.add("Mul", places, g.weight("frequencies", frequencies))
        whole = g.add("Floor", g.add("Div", angles, g.number(2 * np.pi, np.float64)))
        rest = g.add("Sub", angles, g.add("Mul", whole, g.number(2 * np.pi, np.float64)))
        rest = g.add("Unsqueeze", g.add("Cast", rest, to=1), g.integers(-1))  # 1: float
        return g.add("Cos", rest), g.add("Sin", rest)

    def _turned(self, x: str) -> str:
        """Turn neighbouring pairs of (B, H, T, D), or of the first numbers of each head."""
        g, s = self.graph, self.settings
        assert self.rope is not None
        cosine, sine = self.rope
        width = s.rotary_width or s.head_size
        if width < s.head_size:
            x, rest = g.add("Split", x, g.integers(width, s.head_size - width), outputs=2, axis=-1)
        pairs = g.add("Reshape", x, g.integers(0, 0, 0, width // 2, 2))
        even, odd = g.add("Split", pairs, outputs=2, axis=-1, num_outputs=2)
        first = g.add("Sub", g.add("Mul", even, cosine), g.add("Mul", odd, sine))
        second = g.add("Add", g.add("Mul", even, sine), g.add("Mul", odd, cosine))
        joined = g.add("Concat", first, second, axis=-1)
        turned = g.add("Reshape", joined, g.integers(0, 0, 0, width))
        return str(g.add("Concat", turned, rest, axis=-1) if width < s.head_size else turned)

    def _ngrams(self) -> str:
        """The two tables' rows for each place, added: see architectures/extras.py, whose arithmetic this is."""
        g, V = self.graph, self.settings.vocab_size
        first = g.add("Add", "ids", g.integer(1))
        nothing = g.add(
            "Expand", g.integer(0), g.add("Concat", self.batch, g.integers(2), axis=0)
        )  # (B, 2): before the first
        joined = g.add("Concat", nothing, first, axis=1)
        third = g.add("Slice", joined, g.integers(0), g.integers(-2), g.integers(1))
        second = g.add("Slice", joined, g.integers(1), g.integers(-1), g.integers(1))
        pair = g.add("Add", g.add("Mul", second, g.integer(V + 1)), first)
        triple = g.integer(0)
        for value, factor in ((third, 0x9E3779B1), (second, 0x85EBCA77), (first, 0xC2B2AE3D)):
            triple = g.add("Add", triple, g.add("Mul", value, g.integer(factor)))
        triple = g.add("Div", triple, g.integer(1 << 7))  # all of it is positive: the same as a shift
        rows = []
        for name, place in (("pairs", pair), ("triples", triple)):
            table = self.state[f"transformer.ngrams.{name}.weight"]
            row = g.add("Mod", place, g.integer(len(table)))
            rows.append(g.add("Gather", g.weight(f"transformer.ngrams.{name}.weight", table), row, axis=0))
        return str(g.add("Add", *rows))
