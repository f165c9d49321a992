"""The settings of the architectures, and their union: what makes one net differ from another."""

from __future__ import annotations

import typing
from typing import Annotated, ClassVar

from msgspec import Meta

from tinygpt_tui.settings.base import BaseArchitecture, BlockSize, Dropout, HeadCount, Layers, Part, VocabSize, Width
from tinygpt_tui.settings.gpt import GPTSettings

__all__ = [
    "ARCHITECTURE_SETTINGS",
    "CHANGES_NO_WEIGHT",
    "ArchitectureSettings",
    "BackpackSettings",
    "BigramSettings",
    "CNNSettings",
    "EncoderDecoderSettings",
    "GPTSettings",
    "GRUSettings",
    "LSTMSettings",
    "MLPSettings",
    "RNNSettings",
    "RecurrentSettings",
    "name_of",
]

# Settings that may change in a net that is already trained.
CHANGES_NO_WEIGHT = frozenset({"dropout", "attention_dropout"})


class RecurrentSettings(BaseArchitecture, frozen=True):
    """What the three recurrent nets have in common: only the cell differs.

    `block_size` is how far back training looks (truncated backpropagation); the state has no such limit.
    """

    GATES: ClassVar[int]  # products that a cell computes of the token, and of the state

    vocab_size: VocabSize = 65
    block_size: BlockSize = 64
    n_layer: Layers = 2
    n_embd: Width = 128
    n_hidden: Annotated[
        int, Meta(ge=1, le=8192, description="numbers that a recurrent cell passes from token to token")
    ] = 256
    dropout: Dropout = 0.0
    cells_only: Annotated[bool, Meta(description="each cell reads the one below: no norms, no projections, no MLP")] = (
        False
    )
    learned_start: Annotated[bool, Meta(description="the state before the first token is learned, not zero")] = False

    @property
    def context_length(self) -> int:
        return 0

    @property
    def supports_sliding(self) -> bool:
        return True

    @property
    def is_stateful(self) -> bool:
        return True

    def parameter_budget(self) -> dict[Part, int]:
        V, C, H, L = self.vocab_size, self.n_embd, self.n_hidden, self.n_layer
        start = L * H * self.learned_start
        if self.cells_only:
            read = C + (L - 1) * H  # what the cells of all layers read
            cells = self.GATES * H * (read + L * (H + 2)) + start
            return {Part.TOKEN_EMBEDDING: V * C, Part.CELLS: cells, Part.HEAD: V * H + V}
        return {
            Part.TOKEN_EMBEDDING: V * C,
            Part.CELLS: L * self.GATES * (C * H + H * H + H) + start,
            Part.PROJECTIONS: L * (H * C + C),
            Part.MLP: L * (8 * C * C + 5 * C),
            Part.NORMS: L * 2 * C,
            Part.HEAD: V * C + V,
        }


class RNNSettings(RecurrentSettings, frozen=True, tag="rnn"):
    """Elman's net, stacked: the new state is a tanh of the token and the old state."""

    GATES = 1


class GRUSettings(RecurrentSettings, frozen=True, tag="gru"):
    """The gated recurrent unit: one gate decides how much of the state is replaced, one how much of it is read."""

    GATES = 3

    reset_first: Annotated[
        bool, Meta(description="the reset gate scales the state before its product, not the product; slower")
    ] = False


class LSTMSettings(RecurrentSettings, frozen=True, tag="lstm"):
    """Long short-term memory: a cell beside the state, with gates to write, to forget and to read."""

    GATES = 4


class BigramSettings(BaseArchitecture, frozen=True, tag="bigram"):
    """One table: what follows each token. `block_size` is the length of a window in training; it sees one token."""

    vocab_size: VocabSize = 65
    block_size: BlockSize = 8

    @property
    def context_length(self) -> int:
        return 1

    @property
    def receptive_field(self) -> int:
        return 1

    @property
    def supports_sliding(self) -> bool:
        return True

    def parameter_budget(self) -> dict[Part, int]:
        """Return the parameters of its only part."""
        return {Part.TABLE: self.vocab_size**2}


class CNNSettings(BaseArchitecture, frozen=True, tag="cnn"):
    """Causal convolutions, gated and residual, whose dilation doubles from layer to layer."""

    vocab_size: VocabSize = 65
    block_size: BlockSize = 128
    n_layer: Layers = 6
    n_embd: Width = 128
    kernel_size: Annotated[int, Meta(ge=2, le=16, description="how many places one convolution looks at")] = 3
    dilation_cycle: Annotated[
        int, Meta(ge=1, le=16, description="after this many layers the dilation starts again at 1 (1, 2, 4, …)")
    ] = 6
    dropout: Dropout = 0.0

    @property
    def dilations(self) -> tuple[int, ...]:
        """The distance between the places that each layer looks at."""
        return tuple(2 ** (layer % self.dilation_cycle) for layer in range(self.n_layer))

    @property
    def context_length(self) -> int:
        return self.receptive_field

    @property
    def receptive_field(self) -> int:
        return 1 + (self.kernel_size - 1) * sum(self.dilations)

    @property
    def supports_sliding(self) -> bool:
        return True

    def parameter_budget(self) -> dict[Part, int]:
        V, C, L, k = self.vocab_size, self.n_embd, self.n_layer, self.kernel_size
        return {
            Part.TOKEN_EMBEDDING: V * C,
            Part.CONVOLUTIONS: L * (2 * k * C * C + 2 * C),
            Part.PROJECTIONS: L * (C * C + C),
            Part.NORMS: (L + 1) * C,
            Part.HEAD: V * C,
        }


class MLPSettings(BaseArchitecture, frozen=True, tag="mlp"):
    """The last `block_size` tokens side by side, and one hidden layer (Bengio et al. 2003)."""

    vocab_size: VocabSize = 65
    block_size: BlockSize = 16
    n_embd: Width = 64
    n_hidden: Annotated[int, Meta(ge=1, le=8192, description="width of the hidden layer")] = 256

    @property
    def hidden_size(self) -> int:
        return self.n_hidden

    @property
    def receptive_field(self) -> int:
        return self.block_size

    @property
    def supports_sliding(self) -> bool:
        return True

    def parameter_budget(self) -> dict[Part, int]:
        V, T, C, H = self.vocab_size, self.block_size, self.n_embd, self.n_hidden
        return {Part.TOKEN_EMBEDDING: (V + 1) * C, Part.MLP: H * T * C + H, Part.HEAD: V * H + V}


class BackpackSettings(BaseArchitecture, frozen=True, tag="backpack"):
    """The Backpack language model: every token has sense vectors, a transformer says how much of each is meant.

    Source: Hewitt et al. 2023 (arXiv 2305.16765).
    """

    TOKEN_SHIFT: ClassVar[int] = 2  # of the transformer

    vocab_size: VocabSize = 65
    block_size: BlockSize = 128
    n_layer: Layers = 4
    n_head: HeadCount = 4
    n_embd: Width = 128
    n_sense: Annotated[int, Meta(ge=1, le=64, description="sense vectors of each token; must divide n_embd")] = 8
    sliding: Annotated[bool, Meta(description="each token sees the last block_size tokens, however long the text")] = (
        True
    )
    dropout: Dropout = 0.0

    @property
    def is_rotary(self) -> bool:
        return True

    @property
    def receptive_field(self) -> int:
        return self.block_size + self.n_layer * (self.block_size - 1 + 2 * self.TOKEN_SHIFT)

    @property
    def trunk(self) -> GPTSettings:
        """The transformer that weighs the senses: the modern form, without a head."""
        return GPTSettings(
            vocab_size=self.vocab_size,
            block_size=self.block_size,
            n_layer=self.n_layer,
            n_head=self.n_head,
            n_embd=self.n_embd,
            dropout=self.dropout,
            positions="rotary",
            sliding=self.sliding,
            norm_weight=False,
            qk_norm=True,
            embedding_norm=True,
            token_shift=self.TOKEN_SHIFT,
            activation="relu_squared",
            tied_head=False,
            start="zero_residual",
        )

    def parameter_budget(self) -> dict[Part, int]:
        V, C, L, S = self.vocab_size, self.n_embd, self.n_layer, self.n_sense
        return {
            Part.TOKEN_EMBEDDING: V * C,
            Part.ATTENTION: L * 4 * C * C,
            Part.MLP: L * 8 * C * C,
            Part.TOKEN_SHIFT: L * 2 * self.TOKEN_SHIFT * C,
            Part.SENSES: 4 * C * C + 4 * C + 4 * C * S * C + S * C,
            Part.SENSE_WEIGHTS: 2 * C * C + 2 * C,
            Part.HEAD: V * C,
        }


class EncoderDecoderSettings(BaseArchitecture, frozen=True, tag="encoder_decoder"):
    """A transformer of two stacks: one reads the question, the other writes the answer and looks at the first.

    Source: Vaswani et al. 2017 (arXiv 1706.03762).
    """

    vocab_size: VocabSize = 65
    block_size: BlockSize = 48
    n_layer: Annotated[int, Meta(ge=1, le=48, description="blocks in the encoder, and as many in the decoder")] = 2
    n_head: HeadCount = 4
    n_embd: Width = 64
    dropout: Dropout = 0.0
    separator: Annotated[int, Meta(ge=0, description="the token between question and answer; the corpus decides")] = 1

    @property
    def answers_only(self) -> bool:
        return True

    @property
    def trunk(self) -> GPTSettings:
        return GPTSettings(
            vocab_size=self.vocab_size,
            block_size=self.block_size,
            n_layer=self.n_layer,
            n_head=self.n_head,
            n_embd=self.n_embd,
            dropout=self.dropout,
            norm_weight=False,
            activation="relu_squared",
        )

    def parameter_budget(self) -> dict[Part, int]:
        V, T, C, L = self.vocab_size, self.block_size, self.n_embd, self.n_layer
        return {
            Part.TOKEN_EMBEDDING: V * C,
            Part.POSITION_EMBEDDING: T * C,
            Part.ATTENTION: 2 * L * 4 * C * C,
            Part.CROSS_ATTENTION: L * 4 * C * C,
            Part.MLP: 2 * L * 8 * C * C,
            Part.HEAD: V * C,
        }


# Every architecture's settings; a new architecture adds its own (the tag is its name).
ArchitectureSettings = (
    GPTSettings
    | RNNSettings
    | GRUSettings
    | LSTMSettings
    | CNNSettings
    | MLPSettings
    | BackpackSettings
    | EncoderDecoderSettings
    | BigramSettings
)
ARCHITECTURE_SETTINGS: tuple[type[ArchitectureSettings], ...] = typing.get_args(ArchitectureSettings)


def name_of(settings: BaseArchitecture) -> str:
    """Return the architecture's name: "gpt"."""
    return str(settings.__struct_config__.tag)
