"""What every architecture's settings answer: a new one overrides what is different for it."""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

VocabSize = Annotated[int, Meta(ge=1, description="number of different tokens; the corpus decides")]
BlockSize = Annotated[int, Meta(ge=1, le=8192, description="how many tokens the model sees at once")]
Layers = Annotated[int, Meta(ge=1, le=48, description="number of blocks")]
HeadCount = Annotated[int, Meta(ge=1, le=64, description="attention heads in each block; must divide n_embd")]
Width = Annotated[int, Meta(ge=2, le=4096, description="width: numbers that describe one token")]
Dropout = Annotated[float, Meta(ge=0, lt=1, description="share of activations set to zero while training")]


class Part(enum.StrEnum):
    """A part of a net whose parameters are counted together; the value is what a user reads."""

    TOKEN_EMBEDDING = "token embedding"
    POSITION_EMBEDDING = "position embedding"
    NGRAM_TABLES = "n-gram tables"
    TABLE = "table"
    ATTENTION = "attention"
    CROSS_ATTENTION = "cross-attention"
    CELLS = "cells"
    CONVOLUTIONS = "convolutions"
    PROJECTIONS = "projections"
    MLP = "MLP"
    TOKEN_SHIFT = "token shift"
    SENSES = "senses"
    SENSE_WEIGHTS = "weights of the senses"
    NORMS = "norms"
    HEAD = "head"


class BaseArchitecture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name"):
    """The settings of a net and what follows from them. The properties' own values mean "it has none of it".

    An architecture declares its fields itself, `vocab_size` and `block_size` first: forms show them in that order.
    """

    @property
    def vocab_size(self) -> int:
        """How many different tokens there are."""
        raise NotImplementedError

    @property
    def block_size(self) -> int:
        """How many tokens a window has."""
        raise NotImplementedError

    @property
    def n_layer(self) -> int:
        """How many blocks there are."""
        return 0

    @property
    def n_embd(self) -> int:
        """How many numbers describe one token."""
        return self.vocab_size

    @property
    def n_head(self) -> int:
        """How many attention heads each block has."""
        return 0

    @property
    def kv_heads(self) -> int:
        """How many heads of keys and values there are."""
        return self.n_head

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.n_embd // self.n_head if self.n_head else 0

    @property
    def hidden_size(self) -> int:
        """Width inside the MLP."""
        return 4 * self.n_embd

    @property
    def n_sense(self) -> int:
        """How many sense vectors each token has."""
        return 0

    @property
    def dropout(self) -> float:
        """Share of activations set to zero in training."""
        return 0.0

    @property
    def attention_dropout(self) -> float:
        """The same inside attention."""
        return 0.0

    @property
    def bias(self) -> bool:
        """Whether norms, projections and MLP have biases by choice."""
        return False

    @property
    def tied_head(self) -> bool:
        """Whether the output head is the token embedding."""
        return False

    @property
    def is_rotary(self) -> bool:
        """Whether attention rotates queries and keys by their positions."""
        return False

    @property
    def sliding(self) -> bool:
        """Whether attention sees a fixed number of tokens before each one."""
        return False

    @property
    def context_length(self) -> int:
        """How many tokens the model sees at once; 0: no limit."""
        return self.block_size

    @property
    def receptive_field(self) -> int | None:
        """How many tokens of an endless text the last logits depend on; None: all of them."""
        return None

    @property
    def training_length(self) -> int:
        """How many tokens a window has in training: a model learns to slide only on texts longer than its window."""
        return 2 * self.block_size if self.sliding else self.block_size

    @property
    def supports_sliding(self) -> bool:
        """Whether its memory can continue exactly, however long the text."""
        return self.sliding

    @property
    def is_stateful(self) -> bool:
        """Whether training passes the memory from one window to the next one of the text."""
        return False

    @property
    def answers_only(self) -> bool:
        """Whether nothing is predicted before a separator: the model learns pairs alone."""
        return False

    @property
    def is_standard(self) -> bool:
        """Whether the native engine knows its blocks; torch runs all others."""
        return False

    def parameter_budget(self) -> dict[Part, int]:
        """Return the parameters of each part, in the order of the forward pass."""
        raise NotImplementedError


def count_parameters(settings: BaseArchitecture) -> int:
    """Return the number of parameters by arithmetic, without building the net."""
    return sum(settings.parameter_budget().values())
