"""nanochat's first checkpoints: model_000100.pt with meta_000100.json beside it.

Later ones have value embeddings and a learned weight for each block's stream; they are refused by these tensors' names.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch, Weights, head_counts, number_in
from tinygpt_tui.foreign.layouts.hugging_face_rows import FUSED, pairs_together
from tinygpt_tui.foreign.layouts.names import Names
from tinygpt_tui.foreign.rename import count, place
from tinygpt_tui.foreign.sidecars import read_json
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings

CAP = 15.0  # of its logits
EPSILON = float(np.finfo(np.float32).eps)  # torch's, where none is given
WINDOW, HEAD_SIZE = 2048, 128  # where no file says them
KNOWN = {"sequence_len", "vocab_size", "n_layer", "n_head", "n_kv_head", "n_embd"}
_BLOCK = "transformer.h.0."
_TABLE = Names(
    "transformer.", "wte", "h",
    {**{f"attn.c_{part}": ("attn.c_attn", str(at)) for at, part in enumerate("qkv")},
     "attn.c_proj": ("attn.c_proj", ""), "mlp.c_fc": ("mlp.c_fc", ""), "mlp.c_proj": ("mlp.c_proj", "")},
    "ln_f", "lm_head", ignored=("cos", "sin"),
).table()  # fmt: skip


class Nanochat:
    """A checkpoint of nanochat's."""

    name, title = "nanochat", "nanochat's"

    def recognises(self, source: Source) -> bool:
        return source.has(
            "transformer.wte.weight", "lm_head.weight", f"{_BLOCK}attn.c_q.weight", f"{_BLOCK}attn.c_proj.weight",
            f"{_BLOCK}mlp.c_fc.weight",
        ) and not source.has("transformer.wpe.weight") and not source.has(f"{_BLOCK}ln_1.weight")  # fmt: skip

    def match(self, source: Source) -> LayoutMatch:
        placed = place(source.tensors, _TABLE, "a model of nanochat as it was first")
        told, where = _told(source)
        found = Findings()
        C = found.embedding(source, "transformer.wte.weight", "transformer.wte")
        found.known("n_layer", count(source.tensors, "transformer.h.{i}.attn.c_q.weight", "i"), "tensor", "counted")
        found.known("hidden", source.shape(f"{_BLOCK}mlp.c_fc.weight")[0], "tensor", "mlp.c_fc")
        keys = source.shape(f"{_BLOCK}attn.c_k.weight")[0]
        n_head = number_in(told, "n_head")
        if n_head:
            found.known("n_head", n_head, "sidecar", where)
        else:
            fitting = [n for n in head_counts(C, HEAD_SIZE) if C // n % 2 == 0 and keys % (C // n) == 0]
            found.unknown("n_head", fitting or [1], "no file says it; nanochat's heads are 128 wide")
        window = number_in(told, "sequence_len")
        if window:
            found.known("block_size", window, "sidecar", where)
        else:
            found.assumed("block_size", WINDOW, "no file says it")
        found.known("epsilon", EPSILON, "convention", "torch's for float32")
        found.known("logit_cap", CAP, "convention", "nanochat's")
        for name, value in (
            ("positions", "rotary"), ("norm", "rmsnorm"), ("norm_weight", False), ("qk_norm", True),
            ("embedding_norm", True), ("activation", "relu_squared"), ("tied_head", False),
        ):  # fmt: skip
            found.known(name, value, "convention", "nanochat's")

        def follow(settings: ArchitectureSettings, reading: object) -> ArchitectureSettings:
            assert isinstance(settings, GPTSettings)
            heads = keys * settings.n_head // C
            return msgspec.structs.replace(settings, n_kv_head=0 if heads == settings.n_head else heads)

        settings = found.settings(source.name)
        if C % settings.n_head or keys % (C // settings.n_head):
            raise CheckpointError(
                f"{source.name}: {settings.n_head} heads do not fit keys {keys} wide", "it is damaged"
            )
        return found.match(follow(settings, found.reading), placed, finish=_finish, follow=follow)


def _told(source: Source) -> tuple[dict[str, Any], str]:
    """Return what the file beside the weights says of the net, and its name. Raises CheckpointError for other nets."""
    name = source.files[0].with_suffix(".json").name.replace("model_", "meta_") if source.files else ""
    path = source.sidecar(name) if name.startswith("meta_") else None
    told = read_json(path).get("model_config") if path else None
    told = told if isinstance(told, dict) else {}
    strange = sorted(set(map(str, told)) - KNOWN)
    if strange:
        raise CheckpointError(
            f"{source.name} is a later model of nanochat ({name}: {', '.join(strange)[:60]})",
            "only its first are opened",
        )
    return told, name


def _finish(weights: Weights, settings: ArchitectureSettings) -> Weights:
    """Put numbers that rotate together beside each other, the second half's first: nanochat turns the other way."""
    assert isinstance(settings, GPTSettings)
    heads, half = settings.n_head + settings.kv_heads, settings.head_size // 2
    order = np.roll(np.arange(settings.head_size), half)
    rows = (np.arange(heads)[:, None] * settings.head_size + order).ravel()
    swapped = {
        name: np.concatenate((numbers[rows], numbers[len(rows) :]))
        for name, numbers in weights.items()
        if FUSED in name
    }
    return pairs_together(weights | swapped, settings)
