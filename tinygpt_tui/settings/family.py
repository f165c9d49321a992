"""The settings of the architectures beside GPT: recurrent nets, convolutions, and the backpack."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

VocabSize = Annotated[int, Meta(ge=1, description="how many different tokens there are; the corpus decides")]
BlockSize = Annotated[int, Meta(ge=1, le=8192, description="how many tokens the model sees at once")]
Layers = Annotated[int, Meta(ge=1, le=48, description="how many blocks stand on one another")]
Width = Annotated[int, Meta(ge=2, le=4096, description="width: numbers that describe one token")]
Dropout = Annotated[float, Meta(ge=0, lt=1, description="share of activations set to zero while training")]


class _Recurrent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name"):
    """What the three recurrent nets share: they differ in the cell alone.

    `block_size` is how far back training looks (truncated backpropagation); what the state carries has no such limit.
    """

    vocab_size: VocabSize = 65
    block_size: BlockSize = 64
    n_layer: Layers = 2
    n_embd: Width = 128
    n_hidden: Annotated[
        int, Meta(ge=1, le=8192, description="numbers that a recurrent cell carries from token to token")
    ] = 256
    dropout: Dropout = 0.0

    @property
    def context_length(self) -> int:
        """How many tokens the model sees at once; 0: no limit."""
        return 0

    @property
    def training_length(self) -> int:
        """How many tokens a window in training has."""
        return self.block_size

    @property
    def supports_sliding(self) -> bool:
        """Whether the memory goes on exactly, however long the text."""
        return True

    @property
    def is_stateful(self) -> bool:
        """Whether training hands the memory on from one window to the next one of the text."""
        return True


class RNNSettings(_Recurrent, frozen=True, tag="rnn"):
    """Elman's net, stacked: the new state is a tanh of the token and the old state."""


class GRUSettings(_Recurrent, frozen=True, tag="gru"):
    """The gated recurrent unit: one gate decides how much of the state is replaced, one how much is looked at."""


class LSTMSettings(_Recurrent, frozen=True, tag="lstm"):
    """Long short-term memory: a cell beside the state, with gates to write, to forget and to read."""


class BigramSettings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="bigram"
):
    """One table: what follows each token. `block_size` is how long a window is in training; it sees one token."""

    vocab_size: VocabSize = 65
    block_size: BlockSize = 8

    @property
    def n_embd(self) -> int:
        """Width: a row of the table."""
        return self.vocab_size

    @property
    def n_layer(self) -> int:
        """No block stands on the table."""
        return 0

    @property
    def dropout(self) -> float:
        """Nothing is set to zero."""
        return 0.0

    @property
    def context_length(self) -> int:
        """How many tokens the model sees at once; 0: no limit."""
        return 1

    @property
    def training_length(self) -> int:
        """How many tokens a window in training has."""
        return self.block_size

    @property
    def supports_sliding(self) -> bool:
        """Whether the memory goes on exactly, however long the text."""
        return True

    @property
    def is_stateful(self) -> bool:
        """Whether training hands the memory on from one window to the next one of the text."""
        return False


class CNNSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="cnn"):
    """Causal convolutions, gated and residual, whose dilation doubles from layer to layer."""

    vocab_size: VocabSize = 65
    block_size: BlockSize = 128
    n_layer: Layers = 6
    n_embd: Width = 128
    kernel_size: Annotated[int, Meta(ge=2, le=16, description="how many places one convolution looks at")] = 3
    dilation_cycle: Annotated[
        int, Meta(ge=1, le=16, description="after so many layers the dilation begins again at 1 (1, 2, 4, …)")
    ] = 6
    dropout: Dropout = 0.0

    @property
    def dilations(self) -> tuple[int, ...]:
        """How far apart the places lie that each layer looks at."""
        return tuple(2 ** (layer % self.dilation_cycle) for layer in range(self.n_layer))

    @property
    def receptive_field(self) -> int:
        """How many tokens the answer depends on: the receptive field."""
        return 1 + (self.kernel_size - 1) * sum(self.dilations)

    @property
    def context_length(self) -> int:
        """How many tokens the model sees at once; 0: no limit."""
        return self.receptive_field

    @property
    def training_length(self) -> int:
        """How many tokens a window in training has."""
        return self.block_size

    @property
    def supports_sliding(self) -> bool:
        """Whether the memory goes on exactly, however long the text."""
        return True

    @property
    def is_stateful(self) -> bool:
        """Whether training hands the memory on from one window to the next one of the text."""
        return False


class BackpackSettings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="backpack"
):
    """The Backpack language model: every token has sense vectors, a transformer says how much of each is meant.

    Source: Hewitt et al. 2023 (arXiv 2305.16765).
    """

    vocab_size: VocabSize = 65
    block_size: BlockSize = 128
    n_layer: Layers = 4
    n_head: Annotated[int, Meta(ge=1, le=64, description="attention heads in each block; must divide n_embd")] = 4
    n_embd: Width = 128
    n_sense: Annotated[int, Meta(ge=1, le=64, description="sense vectors of each token; must divide n_embd")] = 8
    sliding: Annotated[
        bool, Meta(description="attention reaches back block_size tokens from each token, however long the text")
    ] = True
    dropout: Dropout = 0.0

    @property
    def context_length(self) -> int:
        """How many tokens the model sees at once; 0: no limit."""
        return self.block_size

    @property
    def training_length(self) -> int:
        """How many tokens a window in training has: sliding is only learnt on texts longer than the reach."""
        return 2 * self.block_size if self.sliding else self.block_size

    @property
    def supports_sliding(self) -> bool:
        """Whether the memory goes on exactly, however long the text."""
        return self.sliding

    @property
    def is_stateful(self) -> bool:
        """Whether training hands the memory on from one window to the next one of the text."""
        return False
