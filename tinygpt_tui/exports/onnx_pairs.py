"""The forward pass of the encoder-decoder as an ONNX graph: `architectures.encoder_decoder`, in its order."""

from __future__ import annotations

from tinygpt_tui.exports.onnx_graph import Graph
from tinygpt_tui.exports.onnx_layers import Layers
from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.settings.architecture import EncoderDecoderSettings


def encoder_decoder(graph: Graph, settings: EncoderDecoderSettings, state: Weights) -> str:
    """Add the net; return the name of its logits, which are 0 inside a question."""
    net = EncoderDecoderNet(graph, settings, state)
    encoded = net.embedded(net.columns)
    for layer in range(settings.n_layer):
        encoded = net.block(encoded, f"encoder.{layer}", {"attn": (None, net.question)})
    encoded = net.norm(encoded, "ln_e", settings.n_embd)
    x = net.embedded(graph.add("Max", graph.add("Sub", net.columns, net.ends), graph.integer(0)))
    for layer in range(settings.n_layer):
        x = net.block(x, f"h.{layer}", {"attn": (None, net.answer), "cross": (encoded, net.question)})
    logits = net.linear(net.norm(x, "ln_f", settings.n_embd), "lm_head")
    asked = graph.add("Unsqueeze", graph.add("Less", net.columns, net.ends), graph.integers(-1))
    return str(graph.add("Where", asked, graph.number(0.0), logits))


class EncoderDecoderNet(Layers):
    """Adds blocks; `question` (B, 1, 1, T) and `answer` (B, 1, T, T) say what is visible, as in the net.

    `ends` (B, 1) is where each text's first separator is; T where it has none.
    """

    def __init__(self, graph: Graph, settings: EncoderDecoderSettings, state: Weights) -> None:
        super().__init__(graph, state)
        g, self.settings = graph, settings
        length = g.add("Squeeze", self.time, g.integers(0))
        places = g.add("Range", g.integer(0), length, g.integer(1))
        self.columns = g.add("Unsqueeze", places, g.integers(0))  # (1, T)
        rows = g.add("Unsqueeze", places, g.integers(1))  # (T, 1)
        is_separator = g.add("Equal", "ids", g.integer(settings.separator))
        found = g.add("Where", is_separator, self.columns, self.time)  # (B, T)
        self.ends = g.add("ReduceMin", found, g.integers(-1), keepdims=1)
        self.question = g.add("Unsqueeze", g.add("LessOrEqual", self.columns, self.ends), g.integers(1, 2))
        started = g.add("GreaterOrEqual", self.columns, g.add("Unsqueeze", self.ends, g.integers(-1)))  # (B, 1, T)
        seen = g.add("And", started, g.add("LessOrEqual", self.columns, rows))
        self.answer = g.add("Unsqueeze", g.add("Or", seen, g.add("Equal", self.columns, rows)), g.integers(1))

    def embedded(self, places: str) -> str:
        """The embeddings of all ids at `places` (B or 1, T), (B, T, C)."""
        g = self.graph
        table = g.weight("places.weight", self.state["places.weight"])
        return str(g.add("Add", self.embedding("wte"), g.add("Gather", table, places, axis=0)))

    def block(self, x: str, name: str, asked: dict[str, tuple[str | None, str]]) -> str:
        """x (B, T, C) -> (B, T, C); `asked` says of each attention whose keys it sees (None: its own) and which."""
        g, C = self.graph, self.settings.n_embd
        for attention, norm in (("attn", "ln_1"), ("cross", "ln_3")):
            if attention in asked:
                h = self.norm(x, f"{name}.{norm}", C)
                given, visible = asked[attention]
                x = g.add("Add", x, self._attention(h, given or h, f"{name}.{attention}", visible))
        inner = self.activated(self.linear(self.norm(x, f"{name}.ln_2", C), f"{name}.mlp.c_fc"), "relu_squared")
        return str(g.add("Add", x, self.linear(inner, f"{name}.mlp.c_proj")))

    def _attention(self, x: str, given: str, name: str, visible: str) -> str:
        g, s = self.graph, self.settings
        D = s.n_embd // s.n_head
        keys_and_values = g.add("Split", self.linear(given, f"{name}.c_kv"), outputs=2, axis=-1, num_outputs=2)
        q, k, v = (self.heads(part, D) for part in (self.linear(x, f"{name}.c_q"), *keys_and_values))
        y = g.add("Transpose", self.attended(q, k, v, s.trunk.score_scale, visible), perm=[0, 2, 1, 3])
        return self.linear(g.add("Reshape", y, g.integers(0, 0, s.n_embd)), f"{name}.c_proj")
