"""The settings of the architectures: what makes one net differ from another."""

from __future__ import annotations

import typing
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tinygpt_tui.settings.family import (
    BackpackSettings,
    BigramSettings,
    CNNSettings,
    GRUSettings,
    LSTMSettings,
    RNNSettings,
)

# What can be another in a net that has learnt already.
CHANGES_NO_WEIGHT = frozenset({"dropout", "attention_dropout"})


class GPTSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="gpt"):
    """A decoder-only transformer, from the lecture's to the modern form.

    The defaults are nanoGPT's arithmetic; every modern option is one field.
    """

    vocab_size: Annotated[int, Meta(ge=1, description="how many different tokens there are; the corpus decides")] = 65
    block_size: Annotated[int, Meta(ge=1, le=8192, description="how many tokens the model sees at once")] = 128
    n_layer: Annotated[int, Meta(ge=1, le=48, description="how many blocks stand on one another")] = 4
    n_head: Annotated[int, Meta(ge=1, le=64, description="attention heads in each block; must divide n_embd")] = 4
    n_embd: Annotated[int, Meta(ge=2, le=4096, description="width: numbers that describe one token")] = 128
    dropout: Annotated[float, Meta(ge=0, lt=1, description="share of activations set to zero while training")] = 0.0
    attention_dropout: Annotated[
        float, Meta(ge=0, lt=1, description="the same inside attention; leaves the fast kernel")
    ] = 0.0
    positions: Annotated[
        Literal["learned", "rotary"], Meta(description="a learned vector per position, or rotation of q and k (RoPE)")
    ] = "learned"
    norm: Annotated[Literal["layernorm", "rmsnorm", "none"], Meta(description="normalisation before each sublayer")] = (
        "layernorm"
    )
    norm_weight: Annotated[bool, Meta(description="norms carry learned weights")] = True
    activation: Annotated[
        Literal["gelu", "gelu_tanh", "relu", "relu_squared", "swiglu"],
        Meta(description="non-linearity inside the MLP; swiglu has a gate, a third matrix"),
    ] = "gelu"
    attention_scale: Annotated[
        Literal["head_size", "n_embd"], Meta(description="scores are divided by the root of this")
    ] = "head_size"
    bias: Annotated[bool, Meta(description="biases in norms, projections and MLP")] = False
    qkv_bias: Annotated[bool, Meta(description="biases in query, key and value")] = False
    head_bias: Annotated[bool, Meta(description="a bias in the output head")] = False
    tied_head: Annotated[bool, Meta(description="the output head is the token embedding")] = True
    qk_norm: Annotated[bool, Meta(description="queries and keys are normalised")] = False
    embedding_norm: Annotated[bool, Meta(description="the summed embeddings are normalised")] = False
    token_shift: Annotated[
        int, Meta(ge=0, le=3, description="each channel adds a learned share of this many previous positions")
    ] = 0
    sliding: Annotated[
        bool,
        Meta(
            description="attention reaches back block_size tokens from each token, however long the text; wants rotary"
        ),
    ] = False
    ngram_rows: Annotated[
        int, Meta(ge=0, le=1 << 20, description="rows of a hashed table for the last three tokens; 0: no n-gram tables")
    ] = 0

    n_kv_head: Annotated[
        int, Meta(ge=0, le=64, description="heads of keys and values, shared by groups of query heads; 0: one each")
    ] = 0
    head_width: Annotated[int, Meta(ge=0, le=4096, description="width of one head; 0: n_embd / n_head")] = 0
    hidden: Annotated[int, Meta(ge=0, le=65536, description="width inside the MLP; 0: four times n_embd")] = 0
    projection: Annotated[bool, Meta(description="the heads' results are mixed by a matrix")] = True
    feed_forward: Annotated[
        Literal["mlp", "one_layer", "none"], Meta(description="after attention: an MLP, half of one, or nothing")
    ] = "mlp"
    residual: Annotated[
        Literal["stream", "normed", "none"],
        Meta(description="what a sublayer's result is added to: the stream, its norm, or nothing"),
    ] = "stream"
    final_norm: Annotated[bool, Meta(description="a norm before the output head")] = True
    epsilon: Annotated[float, Meta(gt=0, lt=1, description="what a norm adds to the variance")] = 1e-5
    rotary_base: Annotated[
        float, Meta(gt=1, description="rotary positions: the slowest pair turns once in 2π of these")
    ] = 10_000.0

    start: Annotated[
        Literal["gpt2", "zero_residual", "torch"],
        Meta(description="first weights: GPT-2's, blocks that begin by adding nothing, or as torch draws them"),
    ] = "gpt2"

    @property
    def training_length(self) -> int:
        """How many tokens a window in training has: sliding is only learnt on texts longer than the reach."""
        return 2 * self.block_size if self.sliding else self.block_size

    @property
    def context_length(self) -> int:
        """How many tokens the model sees at once; 0: no limit."""
        return self.block_size

    @property
    def receptive_field(self) -> int:
        """How many tokens of an endless text the last logits depend on, where attention slides."""
        each = self.block_size - 1 + 2 * self.token_shift
        return 1 + self.n_layer * each + (2 if self.ngram_rows else 0)

    @property
    def supports_sliding(self) -> bool:
        """Whether the memory goes on exactly, however long the text."""
        return self.sliding

    @property
    def is_stateful(self) -> bool:
        """Whether training hands the memory on from one window to the next one of the text."""
        return False

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.head_width or self.n_embd // self.n_head

    @property
    def kv_heads(self) -> int:
        """How many heads of keys and values there are."""
        return self.n_kv_head or self.n_head

    @property
    def hidden_size(self) -> int:
        """Width inside the MLP."""
        return self.n_embd if self.feed_forward == "one_layer" else self.hidden or 4 * self.n_embd

    @property
    def is_standard(self) -> bool:
        """Whether its blocks are those that the native engine knows; torch runs all others."""
        return (
            self.kv_heads == self.n_head
            and self.head_size * self.n_head == self.n_embd
            and self.hidden_size == 4 * self.n_embd
            and self.activation != "swiglu"
            and self.norm != "none"
            and self.projection
            and self.feed_forward == "mlp"
            and self.residual == "stream"
            and self.final_norm
            and self.epsilon == 1e-5
            and self.rotary_base == 10_000.0
        )


# Every architecture's settings; grows by one `| XSettings` a new architecture (the tag is its name).
ArchitectureSettings = (
    GPTSettings | RNNSettings | GRUSettings | LSTMSettings | CNNSettings | BackpackSettings | BigramSettings
)
ARCHITECTURE_SETTINGS: tuple[type[ArchitectureSettings], ...] = typing.get_args(ArchitectureSettings)


def name_of(settings: ArchitectureSettings) -> str:
    """Return the architecture's name: "gpt"."""
    return str(settings.__struct_config__.tag)


def is_tied(settings: ArchitectureSettings) -> bool:
    """Whether the output head is the token embedding."""
    return isinstance(settings, GPTSettings) and settings.tied_head
