"""Files as strangers save them: what no spelling of names alone is; each with the net that was saved."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from spellings import CHATTY, GATED, MODERN, POST, PRE, SHARED, WAVES, C, H, Kind, Spelling, State, waves

PLAIN = Spelling()


def _torch_attention(state: State) -> State:
    spelled = Spelling(attention="torch", o="self_attn.out_proj").state_dict(state)
    return {name.replace("self_attn.", "mha."): tensor for name, tensor in spelled.items()}


def _convolutions(state: State) -> State:
    """Linear layers written as convolutions of one position, (out, in, 1)."""
    names = Spelling(q="conv_q", k="conv_k", v="conv_v", o="conv_o", up="conv1", down="conv2").state_dict(state)
    return {
        name: tensor[..., None] if "conv" in name and tensor.dim() == 2 else tensor for name, tensor in names.items()
    }


def _is_block_matrix(name: str, tensor: torch.Tensor) -> bool:
    return name.startswith("blocks.") and tensor.dim() == 2


def _weight_norm(state: State, *, new: bool) -> State:
    found: State = {}
    for name, tensor in PLAIN.state_dict(state).items():
        if not _is_block_matrix(name, tensor):
            found[name] = tensor
            continue
        layer, norm = torch.nn.Linear(*tensor.shape[::-1], bias=False), torch.nn.utils.parametrizations.weight_norm
        layer.weight.data = tensor.clone()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # the older form is in files all the same
            made = norm(layer) if new else torch.nn.utils.weight_norm(layer)
        found |= {f"{name.removesuffix('weight')}{part}": value for part, value in made.state_dict().items()}
    return found


def _spectral_norm(state: State, *, new: bool) -> State:
    """As the layer computes with it: its weight divided by what the vectors make of it, here by one."""
    found: State = {}
    for name, tensor in PLAIN.state_dict(state).items():
        if not _is_block_matrix(name, tensor):
            found[name] = tensor
            continue
        left, sizes, right = torch.linalg.svd(tensor, full_matrices=False)
        at = f"{name.removesuffix('weight')}parametrizations." if new else name.removesuffix("weight")
        names = ("weight.original", "weight.0._u", "weight.0._v") if new else ("weight_orig", "weight_u", "weight_v")
        parts = (tensor, left[:, 0] / sizes[0].sqrt(), right[0] / sizes[0].sqrt())
        found |= {f"{at}{one}": part.contiguous() for one, part in zip(names, parts, strict=True)}
    return found


def _transformer_lens(state: State) -> State:
    found = {"embed.W_E": state["wte"], "pos_embed.W_pos": state["wpe"], "unembed.W_U": state["head.w"].T.contiguous(),
             "unembed.b_U": state["head.b"]}  # fmt: skip
    for layer in range(2):
        at, part = f"blocks.{layer}", {name[2:]: one for name, one in state.items() if name.startswith(f"{layer}.")}
        for name in "qkv":
            weight = part[f"{name}.w"].view(H, C // H, C)
            found[f"{at}.attn.W_{name.upper()}"] = weight.transpose(1, 2).contiguous()
            found[f"{at}.attn.b_{name.upper()}"] = torch.zeros(H, C // H)
        found[f"{at}.attn.W_O"] = part["o.w"].T.reshape(H, C // H, C).contiguous()
        found |= {f"{at}.attn.b_O": part["o.b"], f"{at}.attn.mask": torch.ones(24, 24).tril().bool(),
                  f"{at}.attn.IGNORE": torch.tensor(float("-inf"))}  # fmt: skip
        for ours, theirs in (("up", "in"), ("down", "out")):
            found[f"{at}.mlp.W_{theirs}"] = part[f"{ours}.w"].T.contiguous()
            found[f"{at}.mlp.b_{theirs}"] = part[f"{ours}.b"]
        found |= {f"{at}.ln{n}.{kind}": part[f"n{n}.{kind}"] for n in (1, 2) for kind in "wb"}
    return found


def _with_averaged(state: State) -> State:
    plain = PLAIN.state_dict(state)
    moved = {f"model_ema.{name}": tensor + 0.1 for name, tensor in plain.items()}
    return (
        {f"model.{name}": tensor for name, tensor in plain.items()} | moved | {"model_ema.decay": torch.tensor(0.999)}
    )


def _lightning(state: State) -> dict[str, Any]:
    plain = {f"net.{name}": tensor for name, tensor in PLAIN.state_dict(state).items()}
    return {"epoch": 3, "global_step": 900, "pytorch-lightning_version": "2.4.0", "state_dict": plain,
            "hyper_parameters": {"lr": 1e-3}, "optimizer_states": [{"state": {}, "param_groups": []}]}  # fmt: skip


NUMBERS = Spelling(tokens="0.weight", positions="1.weight", block="2.{i}.", norms=("0", "2"), q="1.0", k="1.1", v="1.2",
                   o="1.3", up="3.0", down="3.2", last="3", head="4")  # fmt: skip
Saved = Callable[[State], Any]
STRANGERS: dict[str, tuple[Kind, Saved]] = {
    "a sigmoid gate after post-norms": (GATED, Spelling(
        block="encoder.{i}.", q="att.query", k="att.key", v="att.value", o="att.fc_out", gate="gated.sigmoid_proj",
        up="gated.value_up", down="gated.out", norms=("after_att", "after_ff"), norm=("g", "b")).state_dict),
    "gates by ReLU in shared layers": (SHARED, Spelling(gate="ff.gate_proj", up="ff.up_proj",
                                                        down="ff.down_proj").state_dict),
    "norms without weights, capped logits": (CHATTY, Spelling(
        block="layers.{i}.", q="attention.wq", k="attention.wk", v="attention.wv", o="attention.wo",
        up="mlp.c_fc", down="mlp.c_proj", norms=("attention_norm", "mlp_norm"), last="norm").state_dict),
    "sinusoids in a buffer": (WAVES, lambda state: PLAIN.state_dict(state) | {"pos_encoding.pe": waves(500)[None]}),
    "sinusoids that are not saved": (WAVES, Spelling(tokens="embedding.weight", head="generator").state_dict),
    "keys and values in one": (PRE, Spelling(attention="kv", q="attn.Wq", k="attn.Wkv", o="attn.Wo").state_dict),
    "lists of linears a head": (PRE, Spelling(attention="per_head", q="attn.query_heads.{h}", k="attn.key_heads.{h}",
                                               v="attn.value_heads.{h}", o="attn.merge").state_dict),
    "torch's attention in blocks of their own": (PRE, _torch_attention),
    "convolutions of one position": (PRE, _convolutions),
    "weight norm": (PRE, lambda state: _weight_norm(state, new=False)),
    "weight norm as a parametrization": (MODERN, lambda state: _weight_norm(state, new=True)),
    "spectral norm": (PRE, lambda state: _spectral_norm(state, new=False)),
    "spectral norm as a parametrization": (PRE, lambda state: _spectral_norm(state, new=True)),
    "compiled, in parallel, wrapped": (PRE, Spelling(prefix="_orig_mod.module.model.").state_dict),
    "an averaged copy beside": (PRE, _with_averaged),
    "Lightning": (PRE, _lightning),
    "TransformerLens": (POST, _transformer_lens),
    "numbers for names": (PRE, NUMBERS.state_dict),
    "half precision": (PRE, lambda state: {name: tensor.half() for name, tensor in PLAIN.state_dict(state).items()}),
    "mixers": (PRE, Spelling(q="token_mixer.to_queries", k="token_mixer.to_keys", v="token_mixer.to_values",
                             o="token_mixer.merge", up="channel_mixer.widen", down="channel_mixer.narrow",
                             norms=("norm_token", "norm_channel")).state_dict),
}  # fmt: skip
# What is not built here is refused by the names of its tensors.
REFUSED: dict[str, tuple[dict[str, torch.Tensor], str]] = {
    "a learned temperature": ({"temperature": torch.ones(1)}, "not understood: temperature (1,)"),
    "a scale of each layer": (
        {f"blocks.{i}.layer_scale.gamma": torch.ones(32) for i in range(2)},
        "not understood: blocks.0.layer_scale.gamma (32,)",
    ),
    "relative positions": (
        {f"blocks.{i}.attn.rel_bias": torch.ones(47, 4) for i in range(2)},
        "not understood: blocks.0.attn.rel_bias (47, 4), blocks.1.attn.rel_bias (47, 4)",
    ),
}
