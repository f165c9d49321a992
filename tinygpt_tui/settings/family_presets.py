"""Presets of the architectures beside GPT, each at a size that can be compared."""

from __future__ import annotations

from typing import Any

from tinygpt_tui.settings.architecture import (
    BackpackSettings,
    BigramSettings,
    CNNSettings,
    EncoderDecoderSettings,
    GPTSettings,
    GRUSettings,
    LSTMSettings,
    MLPSettings,
    RNNSettings,
)
from tinygpt_tui.settings.preset import Preset
from tinygpt_tui.settings.training import TrainingSettings

_RECIPE: dict[str, Any] = {"learning_rate": 2e-2, "head_rate": 2e-2, "embedding_rate": 4e-2}

FAMILY_PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="bigram",
            title="Bigram",
            description="one table of which character follows which: no better than counting pairs, and as quick",
            training=TrainingSettings(
                architecture=BigramSettings(block_size=64),
                steps=1000,
                batch_size=32,
                optimizer="adamw",
                learning_rate=5e-2,
                weight_decay=0.0,
            ),
        ),
        Preset(
            name="mlp",
            title="MLP",
            description="makemore's MLP (Bengio 2003) on `names`: one hidden layer sees the last 16 characters",
            training=TrainingSettings(
                architecture=MLPSettings(n_hidden=64),
                windows="documents",
                steps=600,
                batch_size=32,
                optimizer="adamw",
                learning_rate=5e-3,
            ),
        ),
        Preset(
            name="rnn-nano",
            title="Elman, tiny",
            description="71,041 parameters, GPTnano's recurrent net with its blocks truly on one another",
            training=TrainingSettings(
                architecture=RNNSettings(n_layer=4, n_embd=32, n_hidden=64), steps=4000, batch_size=8, **_RECIPE
            ),
        ),
        Preset(
            name="rnn",
            title="Elman",
            description="a recurrent net as large as `tinygpt`",
            training=TrainingSettings(
                architecture=RNNSettings(n_layer=4, n_embd=128, n_hidden=302), steps=1000, batch_size=8, **_RECIPE
            ),
        ),
        Preset(
            name="gru",
            title="GRU",
            description="gated recurrent units, as large as `modern`",
            training=TrainingSettings(
                architecture=GRUSettings(n_layer=2, n_embd=128, n_hidden=222), steps=1200, batch_size=8, **_RECIPE
            ),
        ),
        Preset(
            name="lstm",
            title="LSTM",
            description="long short-term memory, as large as `modern`",
            training=TrainingSettings(
                architecture=LSTMSettings(n_layer=2, n_embd=128, n_hidden=188), steps=2000, batch_size=8, **_RECIPE
            ),
        ),
        Preset(
            name="cnn",
            title="Convolutions",
            description="dilated causal convolutions, gated, as large as `modern`",
            training=TrainingSettings(
                architecture=CNNSettings(n_layer=7, n_embd=128, dilation_cycle=6), steps=1500, batch_size=4, **_RECIPE
            ),
        ),
        Preset(
            name="pairs",
            title="Pairs",
            description="a small GPT for questions with answers: the tasks",
            training=TrainingSettings(
                architecture=GPTSettings(
                    block_size=96,
                    n_embd=64,
                    n_head=4,
                    n_layer=2,
                    norm_weight=False,
                    qk_norm=True,
                    activation="relu_squared",
                    tied_head=False,
                    start="zero_residual",
                ),
                windows="pairs",
                steps=1500,
                batch_size=32,
                **_RECIPE,
            ),
        ),
        Preset(
            name="pairs-gru",
            title="Pairs, GRU",
            description="gated recurrent units as large as `pairs`",
            training=TrainingSettings(
                architecture=GRUSettings(block_size=96, n_layer=1, n_embd=64, n_hidden=128),
                windows="pairs",
                steps=1500,
                batch_size=32,
                **_RECIPE,
            ),
        ),
        Preset(
            name="grokking",
            title="Grokking",
            description="on `task:addition`: first it memorises half of all sums, long after it can add",
            training=TrainingSettings(
                architecture=GPTSettings(
                    block_size=8,
                    n_embd=64,
                    n_head=4,
                    n_layer=1,
                    norm_weight=False,
                    qk_norm=True,
                    activation="relu_squared",
                    tied_head=False,
                    start="zero_residual",
                ),
                windows="pairs",
                steps=1500,
                batch_size=512,
                validation_share=0.5,
                learning_rate=1e-2,
                head_rate=2e-2,
                embedding_rate=4e-2,
                weight_decay=0.3,
                decay="constant",
                evaluate_every=50,
            ),
        ),
        Preset(
            name="encoder-decoder",
            title="Encoder-decoder",
            description="two stacks and cross-attention (Vaswani 2017), for questions with answers: the tasks",
            training=TrainingSettings(
                architecture=EncoderDecoderSettings(block_size=96, n_layer=1),
                windows="pairs",
                steps=1500,
                batch_size=32,
                **_RECIPE,
            ),
        ),
        Preset(
            name="backpack-nano",
            title="Backpack, tiny",
            description="a backpack to look into: 203,000 parameters, eight senses for each character",
            training=TrainingSettings(
                architecture=BackpackSettings(block_size=64, n_layer=2, n_embd=56, n_sense=8),
                steps=2400,
                batch_size=8,
                **_RECIPE,
            ),
        ),
        Preset(
            name="backpack",
            title="Backpack",
            description="sense vectors weighed by a transformer, as large as `modern`",
            training=TrainingSettings(
                architecture=BackpackSettings(n_layer=4, n_embd=96, n_sense=8), steps=900, batch_size=4, **_RECIPE
            ),
        ),
    )
}
