"""litgpt's and nanochat's checkpoints: logits equal to those of their nets, written plainly here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tinygpt_tui.checkpoints.engines import forward_of
from tinygpt_tui.checkpoints.stored import weights_of
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.opening import inspect_checkpoint

V, C, L, D, F_ = 13, 32, 2, 8, 24
State = dict[str, Tensor]


def turned(x: Tensor, width: int, direction: float = 1.0) -> Tensor:
    """Rotate the halves of the first `width` numbers of each head of x (B, H, T, D)."""
    angles = torch.arange(x.shape[-2])[:, None] * 100.0 ** (-torch.arange(width // 2) / (width // 2)) * direction
    one, other, rest = x.split((width // 2, width // 2, x.shape[-1] - width), dim=-1)
    return torch.cat(
        (one * angles.cos() - other * angles.sin(), other * angles.cos() + one * angles.sin(), rest), dim=-1
    )


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """q (B, H, T, D), k and v (B, G, T, D) -> (B, T, H D)."""
    each = q.shape[1] // k.shape[1]
    mixed = F.scaled_dot_product_attention(
        q, k.repeat_interleave(each, 1), v.repeat_interleave(each, 1), is_causal=True
    )
    return mixed.transpose(1, 2).flatten(2)


def litgpt(state: State, config: dict[str, Any], ids: Tensor) -> Tensor:
    H, G = config["n_head"], config["n_query_groups"]
    width = int(config["rotary_percentage"] * D)

    def linear(name: str, x: Tensor) -> Tensor:
        return F.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))

    def norm(name: str, x: Tensor) -> Tensor:
        weight, bias = state[f"{name}.weight"], state.get(f"{name}.bias")
        if config["norm_class_name"] == "RMSNorm":
            return F.rms_norm(x, (C,), weight, config["norm_eps"])
        return F.layer_norm(x, (C,), weight, bias, config["norm_eps"])

    def attend(at: str, x: Tensor) -> Tensor:
        name = "qkv" if f"{at}.attn.qkv.weight" in state else "attn"
        made = linear(f"{at}.attn.{name}", x).view(*x.shape[:2], -1, D).transpose(1, 2)
        if name == "attn":  # of each group its queries, its key, its value
            groups = made.unflatten(1, (G, -1))
            q, k, v = groups[:, :, :-2].flatten(1, 2), groups[:, :, -2], groups[:, :, -1]
        else:
            q, k, v = made.split((H, G, G), dim=1)
        return linear(f"{at}.attn.proj", attention(turned(q, width), turned(k, width), v))

    def mlp(at: str, x: Tensor) -> Tensor:
        if config["mlp_class_name"] == "GptNeoxMLP":
            return linear(f"{at}.mlp.proj", F.gelu(linear(f"{at}.mlp.fc", x), approximate=config["gelu_approximate"]))
        return linear(f"{at}.mlp.proj", F.silu(linear(f"{at}.mlp.fc_1", x)) * linear(f"{at}.mlp.fc_2", x))

    x = state["transformer.wte.weight"][ids] * (C**0.5 if config.get("scale_embeddings") else 1)
    for layer in range(L):
        at = f"transformer.h.{layer}"
        h = norm(f"{at}.norm_1", x)
        if config["parallel_residual"]:
            second = h if config.get("shared_attention_norm") else norm(f"{at}.norm_2", x)
            x = x + attend(at, h) + mlp(at, second)
        else:
            x = x + attend(at, h)
            x = x + mlp(at, norm(f"{at}.norm_2", x))
    logits = linear("lm_head", norm("transformer.ln_f", x))
    cap = config.get("final_logit_softcapping")
    return cap * torch.tanh(logits / cap) if cap else logits


NEOX = {
    "name": "pythia-tiny", "hf_config": {}, "block_size": 16, "n_head": 4, "n_query_groups": 4, "bias": True,
    "rotary_percentage": 0.25, "rope_base": 100, "parallel_residual": True, "norm_class_name": "LayerNorm",
    "norm_eps": 1e-3, "mlp_class_name": "GptNeoxMLP", "gelu_approximate": "tanh",
}  # fmt: skip
LLAMA = NEOX | {
    "name": "tiny-llama", "n_query_groups": 2, "bias": False, "rotary_percentage": 1.0, "parallel_residual": False,
    "norm_class_name": "RMSNorm", "mlp_class_name": "LLaMAMLP", "scale_embeddings": True,
    "final_logit_softcapping": 2.0,
}  # fmt: skip
LITGPTS = {
    "neox": (NEOX, "qkv"),
    "llama": (LLAMA, "qkv"),
    "llama, by groups": (LLAMA, "attn"),
    "one norm, by groups": (NEOX | {"shared_attention_norm": True, "n_query_groups": 1}, "attn"),
}


def litgpt_state(config: dict[str, Any], fused: str) -> State:
    torch.manual_seed(0)
    H, G = config["n_head"], config["n_query_groups"]
    shapes = {"transformer.wte": (V, C), "transformer.ln_f": (C,), "lm_head": (V, C)}
    for layer in range(L):
        at = f"transformer.h.{layer}"
        shapes |= {f"{at}.norm_1": (C,), f"{at}.attn.{fused}": ((H + 2 * G) * D, C), f"{at}.attn.proj": (C, H * D)}
        shapes |= {} if config.get("shared_attention_norm") else {f"{at}.norm_2": (C,)}
        wide = ("fc_1", "fc_2") if config["mlp_class_name"] == "LLaMAMLP" else ("fc",)
        shapes |= {f"{at}.mlp.{name}": (F_, C) for name in wide} | {f"{at}.mlp.proj": (C, F_)}
    state = {f"{name}.weight": torch.randn(shape) * 0.3 for name, shape in shapes.items()}
    if config["bias"]:
        state |= {f"{name}.bias": torch.randn(shape[0]) * 0.3 for name, shape in shapes.items() if ".h." in name}
        state["transformer.ln_f.bias"] = torch.randn(C) * 0.3
    return state


def nanochat(state: State, n_head: int, ids: Tensor) -> Tensor:
    def norm(x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:])

    def heads(name: str, x: Tensor) -> Tensor:
        return F.linear(x, state[name]).view(*x.shape[:2], -1, C // n_head).transpose(1, 2)

    x = norm(state["transformer.wte.weight"][ids])
    for layer in range(L):
        at, h = f"transformer.h.{layer}", norm(x)
        q, k, v = (heads(f"{at}.attn.c_{part}.weight", h) for part in "qkv")
        # Its base is 10,000, and it turns the other way.
        q, k = (norm(far_turned(one)) for one in (q, k))
        x = x + F.linear(attention(q, k, v), state[f"{at}.attn.c_proj.weight"])
        h = F.relu(F.linear(norm(x), state[f"{at}.mlp.c_fc.weight"])).square()
        x = x + F.linear(h, state[f"{at}.mlp.c_proj.weight"])
    return 15 * torch.tanh(F.linear(norm(x), state["lm_head.weight"]) / 15)


def far_turned(x: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[-2])[:, None] * 10_000.0 ** (-torch.arange(half) / half)
    one, other = x.chunk(2, dim=-1)
    return torch.cat((one * angles.cos() + other * angles.sin(), other * angles.cos() - one * angles.sin()), dim=-1)


def nanochat_state(kv_heads: int) -> State:
    torch.manual_seed(1)
    state = {"transformer.wte.weight": torch.randn(V, C), "lm_head.weight": torch.randn(V, C) * 2}
    for layer in range(L):
        at = f"transformer.h.{layer}"
        for name, rows in (("q", C), ("k", kv_heads * D), ("v", kv_heads * D), ("proj", C)):
            state[f"{at}.attn.c_{name}.weight"] = torch.randn(rows, C) * 0.3
        state |= {f"{at}.mlp.c_fc.weight": torch.randn(4 * C, C) * 0.3}
        state |= {f"{at}.mlp.c_proj.weight": torch.randn(C, 4 * C) * 0.3}
    return state


def check(path: Path, layout: str, original: Callable[[Tensor], Tensor]) -> None:
    inspection = inspect_checkpoint(path)
    assert (inspection.layout.name, inspection.questions) == (layout, ())
    ids = torch.randint(V, (2, 16), generator=torch.Generator().manual_seed(2))
    logits = forward_of(inspection.settings, weights_of(inspection), "it")(ids.numpy())
    np.testing.assert_allclose(logits, original(ids).numpy(), atol=2e-4)


@pytest.mark.parametrize("name", LITGPTS)
def test_a_model_of_litgpt_has_its_logits(name: str, tmp_path: Path) -> None:
    config, fused = LITGPTS[name]
    state = litgpt_state(config, fused)
    torch.save({"model": state}, tmp_path / "lit_model.pth")
    lines = [f"{key}: {str(value).lower() if isinstance(value, bool) else value}" for key, value in config.items()]
    (tmp_path / "model_config.yaml").write_text("\n".join([*lines, "vocab_size: 13"]) + "\n", encoding="utf-8")
    check(tmp_path, "litgpt", lambda ids: litgpt(state, config, ids))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("n_expert: 8", "n_expert in model_config.yaml, which is not built here"),
        ("n_head: 3", "3 heads of 10 in model_config.yaml do not fit 96 rows"),
        ("norm_eps: many", "has norm_eps: 'many'"),
        ("name: Gemma-2b", "norms of Gemma"),
        ("mlp_class_name: LLaMAMoE", "names LLaMAMoE"),
    ],
)
def test_a_config_of_another_net_is_refused_by_what_it_says(line: str, said: str, tmp_path: Path) -> None:
    torch.save(litgpt_state(NEOX, "qkv"), tmp_path / "lit_model.pth")
    lines = [f"{key}: {value}" for key, value in NEOX.items() if key not in line] + [line]
    (tmp_path / "model_config.yaml").write_text("\n".join(lines).replace("True", "true"), encoding="utf-8")
    with pytest.raises(CheckpointError, match=said):
        inspect_checkpoint(tmp_path)


@pytest.mark.parametrize("kv_heads", [4, 2])
def test_a_first_model_of_nanochat_has_its_logits(kv_heads: int, tmp_path: Path) -> None:
    state = nanochat_state(kv_heads)
    torch.save({f"_orig_mod.{name}": tensor for name, tensor in state.items()}, tmp_path / "model_000100.pt")
    told = {"sequence_len": 16, "vocab_size": V, "n_layer": L, "n_head": 4, "n_kv_head": kv_heads, "n_embd": C}
    meta = tmp_path / "meta_000100.json"
    meta.write_text(json.dumps({"step": 100, "model_config": told}), encoding="utf-8")
    check(tmp_path / "model_000100.pt", "nanochat", lambda ids: nanochat(state, 4, ids))
    meta.write_text(json.dumps({"model_config": told | {"window_pattern": "SSSL"}}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="a later model of nanochat"):
        inspect_checkpoint(tmp_path / "model_000100.pt")
    torch.save(state | {"value_embeds.1.weight": torch.ones(V, C)}, tmp_path / "model_000100.pt")
    with pytest.raises(CheckpointError, match=r"no place in a model of nanochat.*value_embeds"):
        inspect_checkpoint(tmp_path / "model_000100.pt")
