"""Reads an exported model with the other program's own library, and compares its logits with ours."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.checkpoints.engines import forward_of
from tinygpt_tui.checkpoints.stored import read_folder, read_model
from tinygpt_tui.exports.place import MODEL_FILE
from tinygpt_tui.exports.result import Checked
from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.files import is_file
from tinygpt_tui.settings.architecture import ArchitectureSettings, EncoderDecoderSettings, GPTSettings

Logits = NDArray[np.float32]
Reader = Callable[[ExportSource, Path, list[int]], Logits]


def check(form: str, source: ExportSource, folder: Path) -> Checked | None:
    """Compare; None where the other program's library is not installed, or has none."""
    (package, *others), read = READERS.get(form, (("",), None))
    if read is None or any(importlib.util.find_spec(one) is None for one in (package, *others)):
        return None
    ids = source.trial_ids()
    ours, theirs = source.logits(ids), read(source, folder, ids)
    return Checked(package, float(np.abs(ours - theirs).max()), float(ours.max() - ours.min()))


def _by_transformers(source: ExportSource, folder: Path, ids: list[int]) -> Logits:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is fetched: it is all here
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    settings = source.config.architecture
    is_pair = isinstance(settings, EncoderDecoderSettings)
    kind = transformers.AutoModelForSeq2SeqLM if is_pair else transformers.AutoModelForCausalLM
    kind = _own_class(folder / MODEL_FILE) if is_file(folder / MODEL_FILE) else kind
    model = kind.from_pretrained(str(folder), local_files_only=True).eval()
    given = torch.tensor([ids])
    with torch.inference_mode():
        if not isinstance(settings, EncoderDecoderSettings):
            logits: Logits = model(given).logits[0].float().numpy()
            return logits
        # The question ends with the separator, and the answer starts with it. Inside the question all logits are 0.
        end = ids.index(settings.separator)
        logits = model(given[:, : end + 1], decoder_input_ids=given[:, end:]).logits[0].float().numpy()
    return np.concatenate((np.zeros((end, settings.vocab_size), np.float32), logits))


def _own_class(path: Path) -> Any:
    """Return the class of the model file that this program has just written."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TinyGPTForCausalLM


def _by_onnxruntime(source: ExportSource, folder: Path, ids: list[int]) -> Logits:
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"ids": np.array([ids])})
    found: Logits = logits[0]
    return found


def _by_our_reader(source: ExportSource, folder: Path, ids: list[int]) -> Logits:
    read = read_model(next(folder.glob("*.gguf")))
    return _logits(read.config.architecture, read.weights, ids)


def _by_torch(source: ExportSource, folder: Path, ids: list[int]) -> Logits:
    """Read as nanoGPT does; its names are ours."""
    torch: Any = importlib.import_module("torch")
    read = torch.load(folder / "ckpt.pt", weights_only=True)
    sizes = {**read["model_args"], "qkv_bias": read["model_args"]["bias"]}
    return _logits(GPTSettings(**sizes), {name: tensor.numpy() for name, tensor in read["model"].items()}, ids)


def _by_ourselves(source: ExportSource, folder: Path, ids: list[int]) -> Logits:
    read = read_folder(folder)
    return _logits(read.config.architecture, read.weights, ids)


def _logits(settings: ArchitectureSettings, weights: Mapping[str, NDArray[Any]], ids: list[int]) -> Logits:
    logits: Logits = forward_of(settings, weights, "the export")(np.array([ids]))[0]
    return logits


# By form: the library that reads it and what that needs, and how.
READERS: dict[str, tuple[tuple[str, ...], Reader]] = {
    "safetensors": (("safetensors",), _by_ourselves),
    "nanogpt": (("torch",), _by_torch),
    "hf": (("transformers", "torch"), _by_transformers),
    "onnx": (("onnxruntime",), _by_onnxruntime),
    **dict.fromkeys(("gguf", "gguf-f16", "gguf-q8_0"), (("tinygpt_tui",), _by_our_reader)),
}
