"""The forward pass of a GPT as an ONNX graph: `architectures.gpt.GPT`, in its order."""

from __future__ import annotations

import numpy as np

from tinygpt_tui.exports.onnx_graph import Graph
from tinygpt_tui.exports.onnx_layers import Layers
from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.settings.architecture import GPTSettings


def gpt(graph: Graph, settings: GPTSettings, state: Weights) -> str:
    """Add the net; return the name of its logits."""
    net = GPTNet(graph, settings, state)
    x = net.stream()
    if settings.tied_head:
        embedding = graph.weight("transformer.wte.weight", state["transformer.wte.weight"])  # stored once
        logits = net.biased(graph.add("MatMul", x, graph.add("Transpose", embedding, perm=[1, 0])), "lm_head")
    else:
        logits = net.linear(x, "lm_head")
    if not settings.logit_cap:
        return logits
    cap = graph.number(settings.logit_cap)
    return str(graph.add("Mul", graph.add("Tanh", graph.add("Div", logits, cap)), cap))


class GPTNet(Layers):
    """Adds embeddings and blocks; `visible` says for each layer's window which positions see which, (T, T)."""

    def __init__(self, graph: Graph, settings: GPTSettings, state: Weights) -> None:
        super().__init__(graph, state)
        self.settings = settings
        length = graph.add("Squeeze", self.time, graph.integers(0))
        self.positions = graph.add("Range", graph.integer(0), length, graph.integer(1))  # (T,)
        windows = {settings.window_of(layer) for layer in range(settings.n_layer)}
        self.visible = {window: self._visible(window) for window in windows}
        self.rope = self._rope_tables() if settings.is_rotary else None
        self.gains = self._gains() if settings.positions == "alibi" else ""

    def stream(self) -> str:
        """What the head is given, (B, T, C)."""
        g, s = self.graph, self.settings
        x = self.embedding("transformer.wte")
        if s.positions == "learned":
            table = g.weight("transformer.wpe.weight", self.state["transformer.wpe.weight"])
            x = g.add("Add", x, g.add("Gather", table, self.positions, axis=0))
        if s.ngram_rows:
            x = g.add("Add", x, self._ngrams())
        if s.embedding_norm:
            x = self._normed(x, "")
        for layer in range(s.n_layer):
            x = self._block(x, f"transformer.h.{layer}", s.window_of(layer))
        return self._normed(x, "transformer.ln_f") if s.final_norm else x

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
        return x if self.settings.residual == "post_norm" else self._normed(x, norm)

    def _joined(self, stream: str, given: str, result: str, norm: str) -> str:
        s = self.settings
        if s.residual == "none":
            return result
        total = str(self.graph.add("Add", given if s.residual == "normed" else stream, result))
        return self._normed(total, norm) if s.residual == "post_norm" else total

    def _mlp(self, x: str, name: str) -> str:
        g, s = self.graph, self.settings
        h = self.linear(x, f"{name}.c_fc")
        if s.has_gate:
            h = g.add("Mul", self.activated(self.linear(x, f"{name}.c_gate"), s.activation), h)
        else:
            h = self.activated(h, s.activation)
        return self.linear(h, f"{name}.c_proj") if s.feed_forward == "mlp" else h

    def _normed(self, x: str, name: str) -> str:
        s = self.settings
        return self.norm(x, name, s.n_embd, s.norm, s.epsilon)

    def _shifted(self, x: str, name: str) -> str:
        """Each channel adds its share of the positions before; zeros precede the first."""
        g = self.graph
        if not self.settings.token_shift:
            return x
        y = x
        for back, share in enumerate(self.state[f"{name}.shares"], start=1):
            y = g.add("Add", y, g.add("Mul", self.moved(x, back), g.weight(f"{name}.share_{back}", share)))
        return y

    def _attention(self, x: str, name: str, window: int) -> str:
        g, s = self.graph, self.settings
        D = s.head_size
        widths = g.integers(s.n_head * D, s.kv_heads * D, s.kv_heads * D)
        parts = g.add("Split", self.linear(x, f"{name}.c_attn"), widths, outputs=3, axis=-1)
        q, k, v = (self.heads(part, D) for part in parts)
        if s.qk_norm:
            q, k = (self.norm(part, f"{name}.{of}_norm", D, s.norm, s.epsilon) for part, of in ((q, "q"), (k, "k")))
        if self.rope is not None:
            q, k = self._turned(q), self._turned(k)
        if s.kv_heads < s.n_head:
            k, v = self._shared(k), self._shared(v)
        attended = self.attended(q, k, v, s.score_scale, self.visible[window], self.gains)
        mixed = g.add("Transpose", attended, perm=[0, 2, 1, 3])
        mixed = g.add("Reshape", mixed, g.integers(0, 0, s.n_head * D))
        return self.linear(mixed, f"{name}.c_proj") if s.projection else str(mixed)

    def _shared(self, x: str) -> str:
        """Give each of a group of query heads the group's keys or values: (B, kv heads, T, D) -> (B, H, T, D)."""
        g, s = self.graph, self.settings
        each = g.add("Unsqueeze", x, g.integers(2))
        each = g.add("Expand", each, g.integers(1, 1, s.n_head // s.kv_heads, 1, 1))
        return str(g.add("Reshape", each, g.integers(0, s.n_head, -1, s.head_size)))

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

    def _gains(self) -> str:
        """What ALiBi adds to the scores of each key by its place, (H, 1, T): a penalty for distance but a constant."""
        g, slopes = self.graph, np.array(self.settings.alibi_slopes, dtype=np.float32)
        places = g.add("Cast", self.positions, to=1)  # float
        return str(g.add("Mul", g.weight("slopes", slopes[:, None, None]), places))

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
