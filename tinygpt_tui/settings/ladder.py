"""The lecture as a ladder: its stages as settings of one small net, each with one more part than the one before.

Sizes and recipe are the lecture's (batch 32 of 8 characters, 32 wide, AdamW at 1e-3, 5000 steps). Its published losses
are means over random batches of the validation split. Source: Andrej Karpathy, "Let's build GPT: from scratch, in code,
spelled out" (https://www.youtube.com/watch?v=kCc8FmEb1nY).
"""

from __future__ import annotations

from typing import Any

import msgspec

from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.training import TrainingSettings


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One rung: its name, what it adds, its training, and the loss that the lecture names, where it names one."""

    name: str
    adds: str
    training: TrainingSettings
    published: float | None = None


_BARE: dict[str, Any] = {
    "block_size": 8,
    "n_embd": 32,
    "n_layer": 1,
    "n_head": 1,
    "activation": "relu",
    "attention_scale": "n_embd",
    "bias": True,
    "head_bias": True,
    "tied_head": False,
    "norm": "none",
    "final_norm": False,
    "residual": "none",
    "feed_forward": "none",
    "projection": False,
    "start": "torch",
}
_RECIPE: dict[str, Any] = {
    "steps": 5000,
    "batch_size": 32,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "decay": "constant",
    "warmup_share": 0.0,
    "weight_decay": 0.01,
    "beta2": 0.999,
    "evaluate_every": 500,
}


def _stage(name: str, adds: str, published: float | None = None, **changes: Any) -> Stage:
    net = GPTSettings(**{**_BARE, **changes})
    return Stage(name=name, adds=adds, training=TrainingSettings(architecture=net, **_RECIPE), published=published)


_HEADS: dict[str, Any] = {"n_head": 4}
_THINKS: dict[str, Any] = {**_HEADS, "feed_forward": "one_layer"}
_DEEP: dict[str, Any] = {**_HEADS, "n_layer": 3, "feed_forward": "mlp", "projection": True, "residual": "stream"}
_NORMED: dict[str, Any] = {**_DEEP, "norm": "layernorm", "final_norm": True}

LADDER: tuple[Stage, ...] = (
    _stage("one-head", "one head of attention", 2.5),
    _stage("heads", "four heads side by side", 2.28, **_HEADS),
    _stage("feed-forward", "a layer in which each token thinks for itself", 2.24, **_THINKS),
    _stage("residual", "three blocks, what they find added to a stream", None, **_DEEP),
    _stage("layer-norm", "a LayerNorm before each part and at the end", 2.06, **_NORMED),
    _stage("scale", "four blocks, dropout, and scores divided by the head's width",
           **{**_NORMED, "n_layer": 4, "attention_scale": "head_size", "dropout": 0.1, "attention_dropout": 0.1}),
)  # fmt: skip
