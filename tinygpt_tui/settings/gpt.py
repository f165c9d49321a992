"""The settings of GPT: from nanoGPT's form, the default, to the modern one."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tinygpt_tui.settings.base import BaseArchitecture, BlockSize, Dropout, HeadCount, Layers, Part, VocabSize, Width

GATED = ("swiglu", "geglu", "geglu_tanh", "reglu", "glu")  # activations with a gate, a third matrix


class GPTSettings(BaseArchitecture, frozen=True, tag="gpt"):
    """A decoder-only transformer, from the lecture's to the modern form.

    The defaults are nanoGPT's arithmetic; every modern option is one field.
    """

    vocab_size: VocabSize = 65
    block_size: BlockSize = 128
    n_layer: Layers = 4
    n_head: HeadCount = 4
    n_embd: Width = 128
    dropout: Dropout = 0.0
    attention_dropout: Annotated[
        float, Meta(ge=0, lt=1, description="the same inside attention; slower, without the fast kernel")
    ] = 0.0
    positions: Annotated[
        Literal["learned", "rotary", "alibi"],
        Meta(description="a learned vector per position, rotation of q and k (RoPE), or a penalty by distance (ALiBi)"),
    ] = "learned"
    norm: Annotated[Literal["layernorm", "rmsnorm", "none"], Meta(description="normalisation before each sublayer")] = (
        "layernorm"
    )
    norm_weight: Annotated[bool, Meta(description="norms carry learned weights")] = True
    activation: Annotated[
        Literal["gelu", "gelu_tanh", "relu", "relu_squared", "silu", "swiglu", "geglu", "geglu_tanh", "reglu", "glu"],
        Meta(description="non-linearity inside the MLP; swiglu, geglu, reglu and glu have a gate, a third matrix"),
    ] = "gelu"
    attention_scale: Annotated[
        Literal["head_size", "n_embd", "one"], Meta(description="scores are divided by the root of this")
    ] = "head_size"
    bias: Annotated[bool, Meta(description="biases in norms, projections and MLP")] = False
    qkv_bias: Annotated[bool, Meta(description="biases in queries, keys and values")] = False
    head_bias: Annotated[bool, Meta(description="a bias in the output head")] = False
    logit_cap: Annotated[
        float, Meta(ge=0, le=1000, description="logits are pressed below this by a tanh; 0: they are not")
    ] = 0.0
    tied_head: Annotated[bool, Meta(description="the output head is the token embedding")] = True
    qk_norm: Annotated[bool, Meta(description="queries and keys are normalised")] = False
    qk_norm_weight: Annotated[bool, Meta(description="the norms of queries and keys carry learned weights")] = False
    embedding_norm: Annotated[bool, Meta(description="the summed embeddings are normalised")] = False
    token_shift: Annotated[
        int, Meta(ge=0, le=3, description="each channel adds a learned weight of this many previous positions")
    ] = 0
    sliding: Annotated[
        bool,
        Meta(description="each token sees the last block_size tokens, however long the text; needs rotary positions"),
    ] = False
    ngram_rows: Annotated[
        int, Meta(ge=0, le=1 << 20, description="rows of a hashed table for the last three tokens; 0: no n-gram tables")
    ] = 0

    n_kv_head: Annotated[
        int, Meta(ge=0, le=64, description="heads of keys and values, shared by groups of query heads; 0: one each")
    ] = 0
    head_width: Annotated[int, Meta(ge=0, le=4096, description="width of one head; 0: n_embd / n_head")] = 0
    hidden: Annotated[int, Meta(ge=0, le=65536, description="width inside the MLP; 0: four times n_embd")] = 0
    projection: Annotated[bool, Meta(description="a matrix mixes the heads' results")] = True
    feed_forward: Annotated[
        Literal["mlp", "one_layer", "none"],
        Meta(description="after attention: an MLP, its first layer, or nothing"),
    ] = "mlp"
    residual: Annotated[
        Literal["stream", "post_norm", "normed", "none"],
        Meta(
            description="what a sublayer's result is added to: the stream; the stream, and the sum is normed "
            "(no norm before the sublayer); the stream's norm; nothing"
        ),
    ] = "stream"
    parallel: Annotated[bool, Meta(description="attention and MLP both read the stream as it comes into the block")] = (
        False
    )
    final_norm: Annotated[bool, Meta(description="a norm before the output head")] = True
    epsilon: Annotated[float, Meta(gt=0, lt=1, description="what a norm adds to the variance")] = 1e-5
    rotary_base: Annotated[
        float, Meta(gt=1, description="rotary positions: the slowest pair turns once in 2π of these")
    ] = 10_000.0
    rotary_width: Annotated[
        int, Meta(ge=0, le=4096, description="rotary positions: the first numbers of a head that rotate; 0: all")
    ] = 0
    rotary_factors: Annotated[
        tuple[float, ...],
        Meta(description="rotary positions: how many times slower each pair turns, for longer texts; none: not slower"),
    ] = ()
    local_windows: Annotated[
        tuple[int, ...],
        Meta(description="how many tokens each layer sees, again from the first for more layers; 0: the whole window"),
    ] = ()

    start: Annotated[
        Literal["gpt2", "zero_residual", "look_back", "normal", "torch"],
        Meta(
            description="initial weights: GPT-2's, blocks that start by adding nothing, the same with three heads "
            "that see the last three tokens (needs rotary positions), the same normal distribution for all, or "
            "torch's own"
        ),
    ] = "gpt2"

    @property
    def is_rotary(self) -> bool:
        return self.positions == "rotary"

    @property
    def alibi_slopes(self) -> tuple[float, ...]:
        """What each head takes off a score for a token of distance. Source: Press et al. 2022, appendix."""
        whole = 1 << self.n_head.bit_length() - 1  # the largest power of two
        exponents = [place / whole for place in range(1, whole + 1)]
        exponents += [place / (2 * whole) for place in range(1, 2 * whole, 2)]
        return tuple(float(2 ** (-8 * one)) for one in exponents[: self.n_head])

    @property
    def score_scale(self) -> float:
        """What the scores of attention are multiplied by."""
        divisor = {"head_size": self.head_size, "n_embd": self.n_embd, "one": 1}[self.attention_scale]
        return float(divisor**-0.5)

    @property
    def receptive_field(self) -> int:
        each = self.block_size - 1 + 2 * self.token_shift
        return 1 + self.n_layer * each + (2 if self.ngram_rows else 0)

    @property
    def head_size(self) -> int:
        return self.head_width or self.n_embd // self.n_head

    @property
    def kv_heads(self) -> int:
        return self.n_kv_head or self.n_head

    @property
    def hidden_size(self) -> int:
        return self.n_embd if self.feed_forward == "one_layer" else self.hidden or 4 * self.n_embd

    @property
    def has_gate(self) -> bool:
        """Whether a third matrix of the MLP says how much of each number passes."""
        return self.activation in GATED

    @property
    def rotary_frequencies(self) -> tuple[float, ...]:
        """By what angle each pair of a head turns from one position to the next (radians), the fastest first.

        Source: Su et al. 2021, eq. 15.
        """
        width = self.rotary_width or self.head_size
        factors = self.rotary_factors or (1.0,) * (width // 2)
        return tuple(self.rotary_base ** (-2 * pair / width) / factor for pair, factor in enumerate(factors))

    def window_of(self, layer: int) -> int:
        """Return how many tokens a position of this layer sees, itself included."""
        windows = self.local_windows
        return min(self.block_size, (windows[layer % len(windows)] if windows else 0) or self.block_size)

    @property
    def is_standard(self) -> bool:
        return (
            self.norm != "none"
            and self.positions != "alibi"
            and self.activation not in ("silu", "glu")
            and not self.logit_cap
            and self.projection
            and self.feed_forward == "mlp"
            and self.residual in ("stream", "post_norm")
            and self.final_norm
        )

    def parameter_budget(self) -> dict[Part, int]:
        V, T, C, L, bias = self.vocab_size, self.block_size, self.n_embd, self.n_layer, self.bias
        heads, hidden, has_mlp = self.n_head * self.head_size, self.hidden_size, self.feed_forward != "none"
        norm = C * (self.norm_weight and self.norm != "none") * (2 if bias and self.norm == "layernorm" else 1)
        qkv = heads + 2 * self.kv_heads * self.head_size
        qk_norm = L * 2 * self.head_size * self.qk_norm_weight
        widening = has_mlp * (1 + self.has_gate)
        narrowing = self.feed_forward == "mlp"
        pair_rows = min((V + 1) ** 2, self.ngram_rows)
        return {
            Part.TOKEN_EMBEDDING: V * C,
            Part.POSITION_EMBEDDING: T * C if self.positions == "learned" else 0,
            Part.NGRAM_TABLES: (pair_rows + self.ngram_rows) * C,
            Part.ATTENTION: L * (qkv * (C + self.qkv_bias) + self.projection * (heads * C + C * bias)),
            Part.MLP: L * (widening * hidden * (C + bias) + narrowing * (hidden * C + C * bias)),
            Part.TOKEN_SHIFT: L * (1 + has_mlp) * self.token_shift * C,
            Part.NORMS: (L * (1 + has_mlp) + self.final_norm) * norm + qk_norm,
            Part.HEAD: (0 if self.tied_head else V * C) + V * self.head_bias,
        }
