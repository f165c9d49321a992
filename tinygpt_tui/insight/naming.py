"""What the steps of a forward pass are called: name, title, axes and one line of maths, by module and by operation.

Only words: which steps there are, their shapes and their numbers come from the pass itself. What has no row here gets
plain words made of its operation, so that a new architecture can be walked through before anyone writes a row for it.

In a formula `{x}` is the name of the first input, `{y}` that of the second; `{+b}` is written if there is a bias.
"""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """`symbols` are the axes' names; "" where they follow from the sizes."""

    name: str
    title: str
    symbols: str
    formula: str


STREAM = "B, T, C"
HEADS = "B, H, T, D"
GROUPS = {"attn": "attention", "cross": "cross-attention", "mlp": "MLP", "cell": "cell"}
SILENT = ("transformer", "trunk", "h")  # parts of a path that say nothing

# By the end of a module's path, the longest first.
MODULES: dict[str, Words] = {
    "wte": Words("tok", "token embedding", STREAM, "tok = W[ids]"),
    "wpe": Words("pos", "position embedding", "T, C", "pos = W[0 … T−1]"),
    "places": Words("pos", "position embedding", STREAM, "pos = W[place in the question, or in the answer]"),
    "ngrams": Words("gram", "n-gram tables", STREAM, "gram = P[ids₋₁, ids] + Q[ids₋₂, ids₋₁, ids]"),
    "table": Words("logits", "table", "B, T, V", "logits = W[ids]"),
    "ln_1": Words("h", "norm", STREAM, "{norm}"),
    "ln_2": Words("h", "norm", STREAM, "{norm}"),
    "ln_3": Words("h", "norm", STREAM, "{norm}"),
    "ln_e": Words("e", "the question, encoded", STREAM, "{norm}"),
    "ln": Words("h", "norm", STREAM, "{norm}"),
    "ln_f": Words("h", "final norm", STREAM, "{norm}"),
    "shift_1": Words("h", "token shift", STREAM, "h = {x} + Σⱼ sⱼ · {x}ₜ₋ⱼ"),
    "shift_2": Words("h", "token shift", STREAM, "h = {x} + Σⱼ sⱼ · {x}ₜ₋ⱼ"),
    "c_attn": Words("qkv", "q, k and v", "", "qkv = {x} Wᵀ{+b}"),
    "c_q": Words("q", "queries", STREAM, "q = {x} Wᵀ{+b}"),
    "attn.c_proj": Words("y", "projection", STREAM, "y = {x} Wᵀ{+b}"),
    "mlp.c_fc": Words("m", "wider", "B, T, F", "m = {x} Wᵀ{+b}"),
    "mlp.c_gate": Words("g", "gate", "B, T, F", "g = {x} Wᵀ{+b}"),
    "mlp.c_proj": Words("y", "back", STREAM, "y = {x} Wᵀ{+b}"),
    "hidden": Words("m", "hidden layer", "B, T, F", "m = {x} Wᵀ{+b}"),
    "c_fc": Words("ab", "convolution", "", "ab = {x} Wᵀ{+b}"),
    "c_proj": Words("y", "projection", STREAM, "y = {x} Wᵀ{+b}"),
    "sense_fc": Words("m", "wider", "B, T, F", "m = {x} Wᵀ{+b}"),
    "sense_proj": Words("senses", "sense vectors", "B, T, S·C", "senses = {x} Wᵀ{+b}"),
    "weigh": Words("qk", "q and k", "", "qk = {x} Wᵀ{+b}"),
    "lm_head": Words("logits", "output head", "B, T, V", "logits = {x} Wᵀ{+b}"),
}

# By the class of the module that computes, and the operation; one row for each time it does so, None: not a step.
OPERATIONS: dict[tuple[str, str], tuple[Words | None, ...]] = {
    ("CausalSelfAttention", "transpose"): (
        Words("q", "queries", HEADS, "q = what each head asks: its part of {x}"),
        Words("k", "keys", "", "k = what each head can be asked: its part of {x}"),
        Words("v", "values", "", "v = what each head would answer: its part of {x}"),
        None,
    ),
    ("CausalSelfAttention", "layer_norm"): (
        Words("q", "queries, normed", HEADS, "q = (q − mean q) / √(var q + ε)"),
        Words("k", "keys, normed", "", "k = (k − mean k) / √(var k + ε)"),
    ),
    ("CausalSelfAttention", "rms_norm"): (
        Words("q", "queries, normed", HEADS, "q = q / √(mean q² + ε)"),
        Words("k", "keys, normed", "", "k = k / √(mean k² + ε)"),
    ),
    ("CausalSelfAttention", "flatten"): (
        Words("q", "queries, turned", HEADS, "q = q turned by its position (RoPE)"),
        Words("k", "keys, turned", "", "k = k turned by its position (RoPE)"),
    ),
    ("CausalSelfAttention", "cat"): (
        Words("q", "queries, turned", HEADS, "q = the first part of q turned by its position (RoPE), and the rest"),
        Words("k", "keys, turned", "", "k = the first part of k turned by its position (RoPE), and the rest"),
    ),
    ("CausalSelfAttention", "repeat_interleave"): (
        Words("k", "keys, shared", HEADS, "k = each group's keys, once for each of its heads"),
        Words("v", "values, shared", HEADS, "v = each group's values, once for each of its heads"),
    ),
    ("CausalSelfAttention", "reshape"): (Words("o", "heads side by side", "", "o = [o₁, o₂, …, o_H]"),),
    ("Attention", "transpose"): (Words("q", "queries", HEADS, "q = what each head asks: its part of {x}"), None),
    ("Attention", "reshape"): (Words("o", "heads side by side", "", "o = [o₁, o₂, …, o_H]"),),
    **{
        (block, "transpose"): (
            Words("k", "keys", HEADS, "k = what each head can be asked: its part of {x}"),
            Words("v", "values", HEADS, "v = what each head would answer: its part of {x}"),
        )
        * attentions
        for block, attentions in (("EncoderBlock", 1), ("DecoderBlock", 2))
    },
    **{
        (block, "add"): (Words("x", "add to the stream", STREAM, "x = {x} + {y}"),) * sublayers
        for block, sublayers in (("EncoderBlock", 2), ("DecoderBlock", 3))
    },
    ("Block", "add"): (
        Words("x", "add to the stream", STREAM, "x = {x} + {y}"),
        Words("x", "add to the stream", STREAM, "x = {x} + {y}"),
    ),
    ("GatedConvolution", "cat"): (None, Words("h", "places", "", "h = [{x}ₜ, {x}ₜ₋d, {x}ₜ₋₂d, …]")),
    ("GatedConvolution", "tanh"): (Words("a", "signal", STREAM, "a = tanh(first half of {x})"),),
    ("GatedConvolution", "sigmoid"): (Words("g", "gate", STREAM, "g = σ(second half of {x})"),),
    ("GatedConvolution", "mul"): (Words("h", "gated", STREAM, "h = {x} · {y}"),),
    ("GatedConvolution", "add"): (Words("x", "add to the stream", STREAM, "x = {x} + {y}"),),
    ("WindowMLP", "cat"): (None, Words("h", "the last tokens", "", "h = [{x}ₜ, {x}ₜ₋₁, {x}ₜ₋₂, …]")),
    ("RecurrentBlock", "add"): (
        Words("x", "add to the stream", STREAM, "x = {x} + {y}"),
        Words("x", "add to the stream", STREAM, "x = {x} + {y}"),
    ),
    ("Backpack", "transpose"): (
        Words("senses", "senses", "B, S, T, C", "senses: what each sense of each token says"),
        Words("q", "queries", "B, S, T, E", "q = a query for each sense: first half of {x}"),
        Words("k", "keys", "B, S, T, E", "k = a key for each sense: second half of {x}"),
    ),
    ("Backpack", "sum"): (Words("x", "sum over the senses", STREAM, "x = Σₛ {x}ₛ"),),
    ("Backpack", "layer_norm"): (
        Words("x", "norm", STREAM, "x = ({x} − mean) / √(var + ε)"),
        Words("h", "norm", STREAM, "h = ({x} − mean) / √(var + ε)"),
    ),
    ("GPT", "add"): (
        Words("x", "sum", STREAM, "x = {x} + {y}"),
        Words("x", "sum", STREAM, "x = {x} + {y}"),
    ),
    ("GPT", "layer_norm"): (Words("x", "norm", STREAM, "x = ({x} − mean) / √(var + ε)"),),
    ("GPT", "rms_norm"): (Words("x", "norm", STREAM, "x = {x} / √(mean {x}² + ε)"),),
}

# Wherever it is computed.
ANYWHERE: dict[str, Words] = {
    "add": Words("x", "sum", "", "x = {x} + {y}"),
    "mul": Words("m", "product", "", "m = {x} · {y}"),
    "tanh": Words("y", "tanh", "", "y = tanh({x})"),
    "sigmoid": Words("g", "sigmoid", "", "g = σ({x})"),
    "relu": Words("a", "ReLU", "", "a = max({x}, 0)"),
    "square": Words("a", "square", "", "a = {x}²"),
    "gelu": Words("a", "GELU", "", "a = {x} · Φ({x})"),
    "silu": Words("a", "SiLU", "", "a = {x} · σ({x})"),
    "softmax": Words("p", "softmax", "", "p = exp {x} / Σ exp {x}"),
    "matmul": Words("y", "product", "", "y = {x} {y}"),
    "linear": Words("y", "product", "", "y = {x} Wᵀ"),
    "embedding": Words("tok", "embedding", "", "tok = W[{x}]"),
    "layer_norm": Words("h", "norm", "", "h = ({x} − mean) / √(var + ε)"),
    "rms_norm": Words("h", "norm", "", "h = {x} / √(mean {x}² + ε)"),
    "sum": Words("y", "sum", "", "y = Σ {x}"),
}

NORMS = {
    "layernorm": "h = ({x} − mean) / √(var + ε){*w}{+b}",
    "rmsnorm": "h = {x} / √(mean {x}² + ε){*w}{+b}",
}
IDS = Words("ids", "token ids", "B, T", "ids = the number of each token")
WEIGHTS = Words("w", "attention", "B, {H}, T, T", "w = softmax(mask({x} {y}ᵀ {scale}))")
MIXED = Words("o", "values, mixed", "", "o = w {x}")

_GATES = (
    Words("r", "reset gate", "B, T, N", "r = σ({x} W_r + s₋₁ U_r + b_r)"),
    Words("z", "update gate", "B, T, N", "z = σ({x} W_z + s₋₁ U_z + b_z)"),
)
_MIXED_STATE = Words("s", "state", "B, T, N", "s = (1 − z) · n + z · s₋₁")
# What the kernels of recurrent nets compute inside, in the order in which it is computed here.
CELLS: dict[str, tuple[Words, ...]] = {
    "rnn_tanh": (Words("s", "state", "B, T, N", "s = tanh({x} W + s₋₁ U + b)"),),
    "gru": (*_GATES, Words("n", "candidate", "B, T, N", "n = tanh({x} W_n + r · s₋₁ U_n + b_n)"), _MIXED_STATE),
    "gru_reset_first": (
        *_GATES,
        Words("n", "candidate", "B, T, N", "n = tanh({x} W_n + (r · s₋₁) U_n + b_n)"),
        _MIXED_STATE,
    ),
    "lstm": (
        Words("i", "input gate", "B, T, N", "i = σ({x} W_i + s₋₁ U_i + b_i)"),
        Words("f", "forget gate", "B, T, N", "f = σ({x} W_f + s₋₁ U_f + b_f)"),
        Words("g", "candidate", "B, T, N", "g = tanh({x} W_g + s₋₁ U_g + b_g)"),
        Words("o", "output gate", "B, T, N", "o = σ({x} W_o + s₋₁ U_o + b_o)"),
        Words("c", "cell", "B, T, N", "c = f · c₋₁ + i · g"),
        Words("s", "state", "B, T, N", "s = o · tanh(c)"),
    ),
}

# Which of the steps before it, by name, a step inside a kernel is computed from; the token's own where none is named.
CELL_INPUTS: dict[tuple[str, str], str] = {
    ("gru", "n"): "r",
    ("gru", "s"): "zn",
    ("gru_reset_first", "n"): "r",
    ("gru_reset_first", "s"): "zn",
    ("lstm", "c"): "ifg",
    ("lstm", "s"): "oc",
}


def words_of_module(path: str) -> Words | None:
    """Return the row of the module at this path: the one that fits most of its end."""
    names = path.split(".")
    for length in (2, 1):
        found = MODULES.get(".".join(names[-length:]))
        if found is not None:
            return found
    return None


def place_of(path: str) -> tuple[str, ...]:
    """Return the parts that a path leads through, in words.

    >>> place_of("trunk.transformer.h.0.attn"), place_of("")
    (('block 1', 'attention'), ())
    """
    words: list[str] = []
    for name in path.split("."):
        if name.isdigit():
            words.append(f"block {int(name) + 1}")
        elif name and name not in SILENT:
            words.append(GROUPS.get(name, "senses" if name.startswith("sense") else name))
    return tuple(words)
