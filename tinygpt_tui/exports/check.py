"""Reads an exported model with the other program's own library, and compares its logits with ours."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tinygpt_tui.architectures.table import build
from tinygpt_tui.checkpoints.native import load
from tinygpt_tui.exports.gguf_file import gguf_names, renamed
from tinygpt_tui.exports.result import Checked
from tinygpt_tui.exports.subject import Subject
from tinygpt_tui.settings.architecture import GPTSettings

Reader = Callable[[Subject, Path, list[int]], Tensor]


def check(form: str, subject: Subject, folder: Path) -> Checked | None:
    """Compare; None where the other program's library is not installed, or has none."""
    package, read = READERS.get(form, ("torch", None))
    if read is None or importlib.util.find_spec(package) is None:
        return None
    ids = subject.trial_ids()
    ours, theirs = subject.logits(ids), read(subject, folder, ids)
    return Checked(package, float((ours - theirs).abs().max()), float(ours.max() - ours.min()))


def _by_transformers(subject: Subject, folder: Path, ids: list[int]) -> Tensor:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is fetched: it is all here
    transformers: Any = importlib.import_module("transformers")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model = transformers.AutoModelForCausalLM.from_pretrained(str(folder), local_files_only=True).eval()
    with torch.inference_mode():
        logits: Tensor = model(torch.tensor([ids])).logits[0].float()
    return logits


def _by_onnxruntime(subject: Subject, folder: Path, ids: list[int]) -> Tensor:
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"ids": torch.tensor([ids]).numpy()})
    return torch.from_numpy(logits)[0]


def _by_gguf(subject: Subject, folder: Path, ids: list[int]) -> Tensor:
    """Read with the gguf package; the net that its tensors are put in is GPT-2 as llama.cpp has it."""
    gguf: Any = importlib.import_module("gguf")
    reader = gguf.GGUFReader(str(folder / "model.gguf"))
    read = {tensor.name: torch.from_numpy(tensor.data.copy()) for tensor in reader.tensors}
    number = {name: int(field.contents()) for name, field in reader.fields.items() if name.startswith("gpt2.")
              and isinstance(field.contents(), int)}  # fmt: skip
    settings = GPTSettings(
        vocab_size=len(read["token_embd.weight"]),
        block_size=number["gpt2.context_length"],
        n_layer=number["gpt2.block_count"],
        n_head=number["gpt2.attention.head_count"],
        n_embd=number["gpt2.embedding_length"],
        activation="gelu_tanh",
        bias=True,
        qkv_bias=True,
        tied_head=False,
    )
    ours = {theirs: name for name, theirs in gguf_names(settings).items()}
    return _run(settings, {renamed(name, ours): tensor for name, tensor in read.items()}, ids)


def _by_torch(subject: Subject, folder: Path, ids: list[int]) -> Tensor:
    """Read as nanoGPT does; its names are ours."""
    read = torch.load(folder / "ckpt.pt", weights_only=True)
    sizes = {**read["model_args"], "qkv_bias": read["model_args"]["bias"]}
    return _run(GPTSettings(**sizes), read["model"], ids)


def _by_ourselves(subject: Subject, folder: Path, ids: list[int]) -> Tensor:
    return _logits(load(folder).model, ids)


def _run(settings: GPTSettings, state: dict[str, Tensor], ids: list[int]) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        model = build(settings).eval()
    model.load_state_dict(state)
    return _logits(model, ids)


@torch.inference_mode()
def _logits(model: torch.nn.Module, ids: list[int]) -> Tensor:
    logits: Tensor = model(torch.tensor([ids]))[0]
    return logits


# By form: the library that reads it, and how.
READERS: dict[str, tuple[str, Reader]] = {
    "safetensors": ("safetensors", _by_ourselves),
    "nanogpt": ("torch", _by_torch),
    "hf": ("transformers", _by_transformers),
    "onnx": ("onnxruntime", _by_onnxruntime),
    "gguf": ("gguf", _by_gguf),
}
