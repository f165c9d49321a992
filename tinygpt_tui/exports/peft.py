"""An adapter alone, in the format of Hugging Face's PEFT: for the folder that its base's `export --to hf` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from tinygpt_tui.checkpoints.adapters import DOWN, ROWS, UP
from tinygpt_tui.checkpoints.card import WEIGHTS, is_native, read_config
from tinygpt_tui.checkpoints.stored import read_folder
from tinygpt_tui.checkpoints.weights import weight_places
from tinygpt_tui.errors import UsageError
from tinygpt_tui.exports.classic import classic_tensors
from tinygpt_tui.exports.forms import STANDARD, Form, net_of
from tinygpt_tui.exports.hugging_face import llama_modules, llama_weights
from tinygpt_tui.exports.place import check_place
from tinygpt_tui.exports.result import Exported
from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.files import whole_folder
from tinygpt_tui.foreign.readers.safetensors_file import read_tensors
from tinygpt_tui.settings.architecture import GPTSettings

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"


def export_adapter(model: Path, form: Form, path: Path, *, force: bool = False) -> Exported:
    """Write the adapter in the model folder `model` to the folder `path`; `form` is Hugging Face's.

    Raises UsageError for another form, where it is none, or PEFT has no place for it, CheckpointError, StorageError.
    """
    merged = "export it together with its base: --to hf without --adapter"
    if form.name != "hf":
        raise UsageError(f"{form.name} has no adapters", "--to hf --adapter writes one for Hugging Face's peft")
    adapter = read_config(model).adapter if is_native(model) else None
    if adapter is None or adapter.mixed:
        raise UsageError(f"{model.name} is not an adapter", "leave --adapter out")
    source = ExportSource(model.name, read_folder(model, calibrated=False))
    net = net_of(form, source.config.architecture)
    if net not in STANDARD or not isinstance(source.config.architecture, GPTSettings):
        raise UsageError(f"PEFT changes only models of transformers itself, and {adapter.base} is none", merged)
    tensors = read_tensors(model / WEIGHTS, weight_places(model))
    if any(name.endswith(ROWS) for name in tensors):
        raise UsageError(f"{model.name} has characters that {adapter.base} does not know", merged)
    check_place(form, path, force)
    names = [name.removesuffix(UP) for name in tensors if name.endswith(UP)]
    # B has the rows of its matrix: what turns that into theirs turns B into theirs, too.
    state = {**source.state(), **{name: tensors[name + UP] for name in names}}
    if net == "llama":
        theirs = llama_weights(source.gpt, state)
        modules = {name: llama_modules(name.removesuffix(".weight")) for name in names}
    else:
        theirs = classic_tensors(source.gpt, state, biases=False)
        modules = {name: [name.removesuffix(".weight")] for name in names}
    written: dict[str, Any] = {}
    for name, parts in modules.items():
        for part in parts:
            down, up = tensors[name + DOWN], theirs[f"{part}.weight"]
            more = adapter.rank - len(down)  # of a matrix that is smaller than the rank
            written[f"base_model.model.{part}.lora_A.weight"] = np.pad(down, ((0, more), (0, 0)))
            written[f"base_model.model.{part}.lora_B.weight"] = np.pad(up, ((0, 0), (0, more)))
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": adapter.base,
        "r": adapter.rank,
        "lora_alpha": adapter.rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": net == "gpt2",
        "target_modules": sorted(part for parts in modules.values() for part in parts),
        "inference_mode": True,
    }
    with whole_folder(path, replace=force) as folder:
        (folder / TENSORS).write_bytes(safetensors.numpy.save(written, metadata={"format": "pt"}))
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8", newline="\n")
        files = {entry.name: entry.stat().st_size for entry in sorted(folder.iterdir())}
    notes = []
    if (found := read_config(model).calibration) is not None:
        notes.append(f"peft has no place for its calibration: the logits times {found.logit_scale:.3f}")
    return Exported("peft", str(path), files, notes, None)
