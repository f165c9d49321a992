"""Tiny models of Hugging Face's families, as transformers is told to make them."""

from __future__ import annotations

from typing import Any

SIZES = {
    "vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 256,
}  # fmt: skip
GROUPED = {**SIZES, "num_key_value_heads": 2}
NEO = {
    "vocab_size": 60, "hidden_size": 32, "num_layers": 3, "num_heads": 4, "max_position_embeddings": 256,
    "attention_types": [[["global", "local"], 1], [["local"], 1]], "window_size": 7,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
# name -> (layout, transformers' config and model, the config's entries, settings that must have been found)
FAMILIES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "llama": ("hf-llama", "Llama", SIZES, {"tied_head": False, "n_kv_head": 0, "epsilon": 1e-6}),
    "llama, grouped, tied": ("hf-llama", "Llama", {**GROUPED, "tie_word_embeddings": True}, {"n_kv_head": 2}),
    "llama, wide heads, biases": (
        "hf-llama", "Llama", {**GROUPED, "head_dim": 12, "attention_bias": True, "mlp_bias": True}, {"head_width": 12}
    ),
    "llama, scaled for longer texts": ("hf-llama", "Llama", {**SIZES, "rope_parameters": LLAMA3}, {}),
    "llama, linear": (
        "hf-llama", "Llama", {**SIZES, "rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}},
        {"rotary_factors": (4.0,) * 4},
    ),
    "mistral, local": ("hf-llama", "Mistral", {**GROUPED, "sliding_window": 9}, {"local_windows": (9,)}),
    "qwen2": ("hf-llama", "Qwen2", {**GROUPED, "tie_word_embeddings": True}, {"qkv_bias": True, "bias": False}),
    "qwen2, local above": (
        "hf-llama", "Qwen2", {**GROUPED, "use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1},
        {"local_windows": (0, 6)},
    ),
    "qwen3": ("hf-llama", "Qwen3", {**GROUPED, "head_dim": 16}, {"qk_norm_weight": True, "head_width": 16}),
    "a gate of gelu": ("hf-llama", "Qwen2", {**GROUPED, "hidden_act": "gelu"}, {"activation": "geglu"}),
    "phi3": ("hf-llama", "Phi3", {**GROUPED, "pad_token_id": 0, "sliding_window": 8}, {"local_windows": (8,)}),
    "neo": ("hf-gpt-neo", "GPTNeo", NEO, {"local_windows": (0, 7, 7), "qkv_bias": False}),
    "neox": ("hf-gpt-neox", "GPTNeoX", SIZES, {"parallel": True, "rotary_width": 2}),
    "neox, one after the other": (
        "hf-gpt-neox", "GPTNeoX",
        {**SIZES, "use_parallel_residual": False, "attention_bias": False, "hidden_act": "gelu_new"},
        {"parallel": False, "qkv_bias": False},
    ),
    "gptj": (
        "hf-gptj", "GPTJ",
        {"vocab_size": 60, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 256, "rotary_dim": 8},
        {"head_bias": True, "rotary_width": 8},
    ),
    "phi": ("hf-phi", "Phi", GROUPED, {"head_bias": True, "rotary_width": 4}),
}  # fmt: skip
