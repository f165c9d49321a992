"""The encoder-decoder as transformers' Blenderbot, which is the same net: norms first, learned positions, both stacks.

Blenderbot has biases, and norms with weights: here these are zeros and ones.
Source: Roller et al. 2020 (arXiv 2004.13637), with another activation and without the scale of the embeddings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.settings.architecture import EncoderDecoderSettings

NET = "encoder_decoder"
_ENCODER = {"ln_1": "self_attn_layer_norm", "attn": "self_attn", "ln_2": "final_layer_norm", "mlp": "fc"}
_DECODER = {**_ENCODER, "ln_3": "encoder_attn_layer_norm", "cross": "encoder_attn"}


def tensors(settings: EncoderDecoderSettings, state: Weights) -> Weights:
    """Return `state` under Blenderbot's names; both stacks have the embeddings, which are shared here."""
    C = settings.n_embd
    found: Weights = {
        "model.shared.weight": state["wte.weight"],
        "lm_head.weight": state["lm_head.weight"],
        "final_logits_bias": np.zeros((1, settings.vocab_size), np.float32),
    }

    def add(name: str, weight: NDArray[np.float32]) -> None:
        found[f"{name}.weight"], found[f"{name}.bias"] = weight, np.zeros(len(weight), np.float32)

    for stack, ours, parts in (("encoder", "encoder", _ENCODER), ("decoder", "h", _DECODER)):
        there = f"model.{stack}"
        found[f"{there}.embed_tokens.weight"] = state["wte.weight"]
        found[f"{there}.embed_positions.weight"] = state["places.weight"]
        add(f"{there}.layer_norm", np.ones(C, np.float32))
        for layer in range(settings.n_layer):
            for part, theirs in parts.items():
                here, name = f"{ours}.{layer}.{part}", f"{there}.layers.{layer}.{theirs}"
                if part == "mlp":
                    add(f"{name}1", state[f"{here}.c_fc.weight"])
                    add(f"{name}2", state[f"{here}.c_proj.weight"])
                elif part.startswith("ln"):
                    add(name, np.ones(C, np.float32))
                else:
                    key, value = np.split(state[f"{here}.c_kv.weight"], 2)
                    projections = {"q": state[f"{here}.c_q.weight"], "k": key, "v": value}
                    for one, weight in {**projections, "out": state[f"{here}.c_proj.weight"]}.items():
                        add(f"{name}.{one}_proj", weight)
    return found


def configuration(settings: EncoderDecoderSettings) -> dict[str, Any]:
    """Return what BlenderbotConfig reads. The answer starts with the separator, as here."""
    sizes = {"layers": settings.n_layer, "attention_heads": settings.n_head, "ffn_dim": settings.trunk.hidden_size}
    return {
        "architectures": ["BlenderbotForConditionalGeneration"],
        "model_type": "blenderbot",
        "is_encoder_decoder": True,
        "max_position_embeddings": settings.block_size,
        "d_model": settings.n_embd,
        **{f"{stack}_{name}": size for stack in ("encoder", "decoder") for name, size in sizes.items()},
        "activation_function": "relu2",
        "scale_embedding": False,
        "dropout": settings.dropout,
        "decoder_start_token_id": settings.separator,
        "pad_token_id": None,
        "forced_eos_token_id": None,
        "encoder_no_repeat_ngram_size": 0,
    }
