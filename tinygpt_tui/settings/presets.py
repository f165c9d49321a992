"""Training settings that are known to work well, by name."""

from __future__ import annotations

import difflib

import msgspec

from tinygpt_tui.errors import NotFoundError
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.family_presets import FAMILY_PRESETS
from tinygpt_tui.settings.preset import Preset
from tinygpt_tui.settings.training import TrainingSettings


def _lecture(block_size: int, n_embd: int, n_head: int, n_layer: int, dropout: float) -> GPTSettings:
    """The net of the lecture: biases everywhere but in q, k and v, ReLU, a head of its own, scale as in the video."""
    return GPTSettings(
        block_size=block_size,
        n_embd=n_embd,
        n_head=n_head,
        n_layer=n_layer,
        dropout=dropout,
        attention_dropout=dropout,
        activation="relu",
        attention_scale="n_embd",
        bias=True,
        head_bias=True,
        tied_head=False,
    )


def _modern(
    block_size: int,
    n_embd: int,
    n_head: int,
    n_layer: int,
    *,
    dropout: float = 0.0,
    ngram_rows: int = 0,
    sliding: bool = True,
) -> GPTSettings:
    """The net that learns most in a laptop's minutes."""
    return GPTSettings(
        block_size=block_size,
        n_embd=n_embd,
        n_head=n_head,
        n_layer=n_layer,
        dropout=dropout,
        ngram_rows=ngram_rows,
        positions="rotary",
        sliding=sliding,
        norm_weight=False,
        qk_norm=True,
        embedding_norm=True,
        token_shift=2,
        activation="relu_squared",
        tied_head=False,
        start="zero_residual",
    )


CALIBRATION_SHARE = 0.02
_LECTURE_RECIPE = {"optimizer": "adamw", "decay": "constant", "warmup_share": 0.0, "weight_decay": 0.01, "beta2": 0.999}

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="seconds",
            title="Seconds",
            description="one layer and n-gram tables: words in a few seconds, to see that it works",
            training=TrainingSettings(
                architecture=_modern(64, 64, 4, 1, ngram_rows=16_384, sliding=False),
                steps=140,
                batch_size=16,
                learning_rate=2e-2,
                head_rate=1e-2,
                embedding_rate=1e-1,
            ),
        ),
        Preset(
            name="quick",
            title="Quick",
            description="something readable in under a minute",
            training=TrainingSettings(
                architecture=_modern(128, 96, 4, 3, ngram_rows=16_384),
                steps=500,
                batch_size=4,
                learning_rate=2e-2,
                head_rate=2e-2,
                embedding_rate=4e-2,
            ),
        ),
        Preset(
            name="timed",
            title="For a given time",
            description="net, batch and rates chosen for the minutes, the text and this machine",
            training=TrainingSettings(
                architecture=_modern(128, 96, 4, 3, ngram_rows=16_384),
                minutes=3.0,
                batch_size=4,
                learning_rate=2e-2,
                head_rate=2e-2,
                embedding_rate=4e-2,
            ),
        ),
        Preset(
            name="coffee",
            title="Coffee",
            description="five minutes on one core: whole sentences",
            training=TrainingSettings(
                architecture=_modern(128, 96, 4, 4, ngram_rows=16_384),
                steps=1200,
                batch_size=8,
                learning_rate=1.2e-2,
                head_rate=1e-2,
                embedding_rate=2e-2,
            ),
        ),
        Preset(
            name="modern",
            title="Modern",
            description="the best for a laptop: 0.8 million parameters, about half an hour on one core",
            training=TrainingSettings(
                architecture=_modern(128, 128, 4, 4, dropout=0.1),
                steps=6000,
                batch_size=8,
                learning_rate=1.2e-2,
                head_rate=1e-2,
                embedding_rate=2e-2,
            ),
        ),
        Preset(
            name="llama",
            title="Llama",
            description="a Llama nearly as large as `modern`, in its time: transformers and llama.cpp run it as it is",
            training=TrainingSettings(
                architecture=GPTSettings(
                    block_size=256,
                    n_embd=128,
                    n_head=4,
                    n_layer=4,
                    dropout=0.05,
                    positions="rotary",
                    norm="rmsnorm",
                    activation="swiglu",
                    hidden=320,
                    rotary_base=300.0,  # a short window: 10,000 is for thousands of tokens
                    start="look_back",
                ),
                steps=6000,
                batch_size=8,
                learning_rate=1.2e-2,
                head_rate=1e-2,
                embedding_rate=1e-2,
            ),
        ),
        Preset(
            name="micro",
            title="Micro",
            description="4,192 parameters on `names`: microgpt, the smallest whole GPT, one name a step",
            training=TrainingSettings(
                architecture=GPTSettings(
                    block_size=16,
                    n_embd=16,
                    n_head=4,
                    n_layer=1,
                    norm="rmsnorm",
                    norm_weight=False,
                    embedding_norm=True,
                    final_norm=False,
                    activation="relu",
                    tied_head=False,
                    start="normal",
                ),
                windows="documents",
                steps=1000,
                batch_size=1,
                optimizer="adamw",
                learning_rate=1e-2,
                beta1=0.85,
                beta2=0.99,
                weight_decay=0.0,
                warmup_share=0.0,
                gradient_clip=0.0,
            ),
        ),
        Preset(
            name="small",
            title="Small (tutorial)",
            description="54,977 parameters, the tutorial's small model, trained its way",
            training=TrainingSettings(
                architecture=_lecture(8, 32, 4, 4, 0.2),
                steps=5000,
                batch_size=32,
                learning_rate=1e-3,
                **_LECTURE_RECIPE,  # type: ignore[arg-type]
            ),
        ),
        Preset(
            name="tinygpt",
            title="TinyGPT",
            description="1,220,673 parameters, TinyGPT's own sizes and recipe; over an hour on one core",
            training=TrainingSettings(
                architecture=_lecture(128, 128, 4, 6, 0.3),
                steps=6000,
                batch_size=64,
                learning_rate=1e-3,
                **_LECTURE_RECIPE,  # type: ignore[arg-type]
            ),
        ),
        Preset(
            name="large",
            title="Large (lecture)",
            description="10,788,929 parameters, the lecture's final model; wants a GPU",
            training=TrainingSettings(
                architecture=_lecture(256, 384, 6, 6, 0.2),
                steps=5000,
                batch_size=64,
                learning_rate=3e-4,
                **_LECTURE_RECIPE,  # type: ignore[arg-type]
            ),
        ),
        Preset(
            name="classic",
            title="Classic",
            description="nanoGPT's net for a processor, trained with Muon and a straight schedule",
            training=TrainingSettings(
                architecture=GPTSettings(block_size=64, n_embd=128, n_head=4, n_layer=4),
                steps=540,
                batch_size=12,
                learning_rate=3e-2,
                head_rate=1e-2,
                embedding_rate=1e-2,
            ),
        ),
        Preset(
            name="nanogpt",
            title="nanoGPT (CPU)",
            description="804,096 parameters, nanoGPT's own recipe for a processor",
            training=TrainingSettings(
                architecture=GPTSettings(block_size=64, n_embd=128, n_head=4, n_layer=4),
                steps=2000,
                batch_size=12,
                optimizer="adamw",
                learning_rate=1e-3,
                decay="cosine",
                final_rate=0.1,
                warmup_share=0.05,
                weight_decay=0.1,
            ),
        ),
    )
}
# Runs of old have no such setting, and set nothing aside.
ALL_PRESETS = {
    name: msgspec.structs.replace(
        preset, training=msgspec.structs.replace(preset.training, calibration_share=CALIBRATION_SHARE)
    )
    for name, preset in (PRESETS | FAMILY_PRESETS).items()
}
DEFAULT_PRESET = "quick"
TIMED_PRESET = "timed"  # what stands in its row is only where the choosing begins (training/fitting.py)


def find_preset(name: str) -> Preset:
    """Return the preset called `name`. Raises NotFoundError, which names the nearest."""
    if name not in ALL_PRESETS:
        near = difflib.get_close_matches(name, ALL_PRESETS, n=1)
        guess = f"did you mean {near[0]}? " if near else ""
        raise NotFoundError(f"no preset is called {name!r}", f"{guess}there is {', '.join(ALL_PRESETS)}")
    return ALL_PRESETS[name]
