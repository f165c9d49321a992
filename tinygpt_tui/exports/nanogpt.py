"""nanoGPT's `ckpt.pt`, and `meta.pkl` for its characters.

sample.py looks for the characters in `data/DATASET/meta.pkl`, where DATASET is in the checkpoint's `config`. train.py
continues from the file with a fresh optimizer, since the model was trained with another one.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygpt_tui.exports.classic import classic_tensors
from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.packages import import_torch
from tinygpt_tui.tokenizers.char import CharTokenizer

if TYPE_CHECKING:
    from torch import Tensor


def write(source: ExportSource, folder: Path) -> None:
    """Write both files into `folder`. Raises MissingPackageError."""
    import_torch("nanoGPT's form")
    import torch

    from tinygpt_tui.checkpoints.torch_net import tensors_of

    settings = source.gpt
    biases = settings.bias or settings.qkv_bias
    tensors = tensors_of(classic_tensors(settings, source.state(), biases=biases))
    trained = source.config.trained
    learning_rate = 1e-3
    checkpoint = {
        "model": {**tensors, "lm_head.weight": tensors["transformer.wte.weight"]},
        "optimizer": _fresh_optimizer(list(tensors.values()), learning_rate),
        "model_args": {
            "n_layer": settings.n_layer,
            "n_head": settings.n_head,
            "n_embd": settings.n_embd,
            "block_size": settings.block_size,
            "bias": biases,
            "vocab_size": settings.vocab_size,
            "dropout": settings.dropout,
        },
        "iter_num": trained.step if trained else 0,
        "best_val_loss": trained.validation_loss if trained else float("inf"),
        "config": {"dataset": source.name, "init_from": "scratch", "learning_rate": learning_rate},
    }
    torch.save(checkpoint, folder / "ckpt.pt")
    if isinstance(source.tokenizer, CharTokenizer):
        itos = dict(enumerate(source.tokenizer.characters))
        meta = {"vocab_size": len(itos), "itos": itos, "stoi": {character: id for id, character in itos.items()}}
        (folder / "meta.pkl").write_bytes(pickle.dumps(meta))


def _fresh_optimizer(tensors: list[Tensor], learning_rate: float) -> dict[str, Any]:
    """Return the state of an AdamW that has done nothing yet, in nanoGPT's two groups."""
    import torch

    groups = [
        {"params": [torch.nn.Parameter(tensor) for tensor in tensors if tensor.dim() >= 2], "weight_decay": 1e-1},
        {"params": [torch.nn.Parameter(tensor) for tensor in tensors if tensor.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.95)).state_dict()
