"""The lecture's form: a bare state dict with one Linear per head, and the characters in `chars.txt`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.packages import import_torch
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.tokenizers.char import CharTokenizer


def write(source: ExportSource, folder: Path) -> None:
    """Write the state dict, and the vocabulary: ours always, the lecture's `chars.txt` where it can say it."""
    import_torch("the lecture's form")
    import torch

    from tinygpt_tui.checkpoints.torch_net import tensors_of

    torch.save(tensors_of(lecture_tensors(source.gpt, source.state())), folder / "model.pth")
    (folder / "tokenizer.json").write_text(
        json.dumps(source.tokenizer.to_dict(), ensure_ascii=False) + "\n", encoding="utf-8", newline="\n"
    )
    characters = source.tokenizer.characters if isinstance(source.tokenizer, CharTokenizer) else ""
    # It is read back as the sorted set of the file's characters, the line ends between them among them.
    if "\n" in characters and list(characters) == sorted(characters):
        (folder / "chars.txt").write_text("\n".join(characters), encoding="utf-8", newline="")


def lecture_tensors(settings: GPTSettings, state: Weights) -> Weights:
    """Return the weights under the lecture's names, its masks included, since it loads them strictly."""
    V, C, T, D = settings.vocab_size, settings.n_embd, settings.block_size, settings.head_size
    tensors: Weights = {
        "token_embedding_table.weight": state["transformer.wte.weight"],
        "position_embedding_table.weight": state["transformer.wpe.weight"],
    }

    def add(name: str, ours: str, rows: int, norm: bool = False) -> None:
        weight = state.get(f"{ours}.weight", np.ones(rows, np.float32)) if norm else state[f"{ours}.weight"]
        tensors[f"{name}.weight"] = weight.copy()
        tensors[f"{name}.bias"] = state.get(f"{ours}.bias", np.zeros(rows, np.float32)).copy()

    for layer in range(settings.n_layer):
        block, ours = f"blocks.{layer}", f"transformer.h.{layer}"
        query, key, value = state[f"{ours}.attn.c_attn.weight"].reshape(3, C, C)
        for head in range(settings.n_head):
            name, rows = f"{block}.sa.heads.{head}", slice(head * D, (head + 1) * D)
            tensors[f"{name}.tril"] = np.tril(np.ones((T, T), np.float32))
            tensors[f"{name}.key.weight"] = key[rows].copy()
            tensors[f"{name}.query.weight"] = query[rows].copy()
            tensors[f"{name}.value.weight"] = value[rows].copy()
        add(f"{block}.sa.proj", f"{ours}.attn.c_proj", C)
        add(f"{block}.ffwd.net.0", f"{ours}.mlp.c_fc", 4 * C)
        add(f"{block}.ffwd.net.2", f"{ours}.mlp.c_proj", C)
        add(f"{block}.ln1", f"{ours}.ln_1", C, norm=True)
        add(f"{block}.ln2", f"{ours}.ln_2", C, norm=True)
    add("ln_f", "transformer.ln_f", C, norm=True)
    add("lm_head", "lm_head", V)
    return tensors
