"""The writer of each format; imported only for an export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tinygpt_tui.exports import gguf_file, hugging_face, lecture, nanogpt, onnx_file, safetensors_file
from tinygpt_tui.exports.source import ExportSource

WRITERS: dict[str, Callable[[ExportSource, Path], None]] = {
    "safetensors": safetensors_file.write,
    "nanogpt": nanogpt.write,
    "hf": hugging_face.write,
    "onnx": onnx_file.write,
    "gguf": gguf_file.write_f32,
    "gguf-f16": gguf_file.write_f16,
    "gguf-q8_0": gguf_file.write_q8_0,
    "lecture": lecture.write,
}
