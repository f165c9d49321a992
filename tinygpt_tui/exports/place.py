"""Where an export is written: what may be there already."""

from __future__ import annotations

import os
from pathlib import Path

from tinygpt_tui.errors import TakenError, UsageError
from tinygpt_tui.exports.forms import Form
from tinygpt_tui.files import check_new, is_folder
from tinygpt_tui.packages import require

CARD = "README.md"
MODEL_FILE = "modeling_tinygpt.py"  # what transformers is given to run our own nets
# What exports write: a folder of these alone may be replaced.
WRITTEN = frozenset(
    {
        CARD, "weights.safetensors", "config.json", "tokenizer.json", "ckpt.pt", "meta.pkl", "model.safetensors",
        "generation_config.json", "tokenizer_config.json", "vocab.json", "merges.txt", "model.onnx", "model.onnx.data",
        MODEL_FILE, "model.gguf", "model-F16.gguf", "model-Q8_0.gguf", "model.pth", "chars.txt", "adapter_config.json",
        "adapter_model.safetensors",
    }
)  # fmt: skip


def check_place(form: Form, path: Path, force: bool) -> bool:
    """Return whether `path` becomes a single file.

    Raises TakenError where something is there that `force` replaces, UsageError where something else is in the way,
    MissingPackageError.
    """
    if form.package:
        require(form.package, f"writing {form.title}", form.extra)
    if form.alone and path.suffix == Path(form.file).suffix:
        check_new(path, force)
        return True
    if os.path.lexists(path) and not is_folder(path):
        raise UsageError(f"{path} is a file already", "give a folder that is not there yet")
    strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in WRITTEN) if is_folder(path) else []
    if strangers:
        shown = ", ".join(strangers[:3]) + (" and more" if len(strangers) > 3 else "")
        raise UsageError(f"{path} holds other things: {shown}", "give a folder that is not there yet")
    if is_folder(path) and any(path.iterdir()) and not force:
        raise TakenError(f"there is an export in {path} already", "--force replaces it")
    return False
