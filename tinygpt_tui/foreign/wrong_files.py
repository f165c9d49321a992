"""What a file is that is no checkpoint, in words, and how to get the checkpoint instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tinygpt_tui.errors import CheckpointError, storage_error
from tinygpt_tui.reading import Damage, decode, open_file

ENOUGH = 1024  # bytes of a file's beginning tell what it is
MOST_SHOWN = 5

_UNPACK = "unpack it, and open what is in it"
_TENSORFLOW = "only models of torch, and safetensors, GGUF and llama2.c files, are read"
_BY_BEGINNING: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "packed by gzip", "unpack it with gunzip, and open what is in it"),
    (b"BZh", "packed by bzip2", "unpack it with bunzip2, and open what is in it"),
    (b"\xfd7zXZ\0", "packed by xz", "unpack it with unxz, and open what is in it"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", "unpack it with unzstd, and open what is in it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them", _TENSORFLOW),
    (b"\x93NUMPY", "one array of numpy's", "give the file with all tensors of the model"),
    (b"%PDF", "a PDF document", "give a checkpoint"),
    (b"\x89PNG\r\n", "a picture", "give a checkpoint"),
    (b"\xff\xd8\xff", "a picture", "give a checkpoint"),
    (b"\x7fELF", "a program", "give a checkpoint"),
    (b"MZ\x90", "a program", "give a checkpoint"),
    *((magic, "an old GGML file", "convert it to GGUF, or open the model from which it was made")
      for magic in (b"lmgg", b"tjgg", b"fmgg", b"ggml", b"ggjt")),
)  # fmt: skip
_LFS = re.compile(rb"version https://git-lfs\.github\.com/spec/.*?(?:\nsize (\d{1,18}))?\s*$", re.DOTALL)
_HTML = re.compile(rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
# ONNX is a protobuf: its version, then the name of the program that wrote it, or the graph.
_ONNX = re.compile(rb"\x08[\x01-\x20]\x12.{1,2}?(pytorch|onnx|tf2onnx|keras2onnx|skl2onnx|tinygpt)", re.DOTALL)


def is_of_a_model(path: Path) -> bool:
    """Whether the name is one of other programs' models, which are not read."""
    return path.suffix.lower() in (".onnx", ".h5", ".hdf5", ".keras", ".pb", ".tflite", ".npz", ".gguf", ".zip", ".gz")


def wrong_file(path: Path) -> CheckpointError | None:
    """Return the error that says what the file at `path` is, where it is surely no checkpoint; None otherwise.

    Reads its beginning alone. Raises StorageError.
    """
    try:
        with open_file(path) as file:
            beginning = file.read(ENOUGH)
    except OSError as error:
        raise storage_error(error, path) from error
    found = _kind(path, beginning)
    return None if found is None else CheckpointError(f"{path.name} is {found[0]}", found[1])


def _kind(path: Path, beginning: bytes) -> tuple[str, str] | None:
    if not beginning:
        return "empty", "copy or download it again"
    pointer = _LFS.match(beginning)
    if pointer:
        size = f" of {int(pointer[1]):,} bytes" if pointer[1] else ""
        return (
            f"a Git LFS pointer: the file itself{size} was not downloaded",
            "run `git lfs pull` in its repository, or download the file from its web page",
        )
    if _HTML.match(beginning):
        return (
            "a web page (HTML), not the file that it shows",
            "download the file itself: on GitHub by `Download raw file`, on Hugging Face by the arrow beside it",
        )
    for magic, what, way_out in _BY_BEGINNING:
        if beginning.startswith(magic):
            return what, way_out
    if path.suffix == ".onnx" or _ONNX.match(beginning):
        return "an ONNX file", "open the model from which it was exported"
    if beginning[4:8] == b"TFL3":
        return "a TensorFlow Lite file", _TENSORFLOW
    if path.suffix == ".pb" or ".data-00000-of-" in path.name or path.suffix == ".index":
        return "a part of a TensorFlow model", _TENSORFLOW
    if path.suffix == ".npz":
        return of_zip([".npy"])
    if path.suffix == ".safetensors" or beginning.startswith(b"PK\x03\x04"):
        return None  # their readers say what is wrong
    return _text(path, beginning)


def of_zip(names: Sequence[str]) -> tuple[str, str]:
    """Return what a zip that torch did not write is, by the names in it."""
    if names and all(name.endswith(".npy") for name in names):
        return "a file of numpy's arrays (.npz)", "save the weights with torch.save or as safetensors"
    if "model.weights.h5" in names:
        return "a model of Keras", _TENSORFLOW
    shown = ", ".join(repr(name)[1:-1][:60] for name in names[:MOST_SHOWN]) + (" …" if len(names) > MOST_SHOWN else "")
    return "a zip archive that torch did not write", f"unpack it; it holds {shown or 'nothing'}"


def _text(path: Path, beginning: bytes) -> tuple[str, str] | None:
    """Tell what a file of text is; None where it is none."""
    try:
        text = beginning.decode("utf-8", "strict" if len(beginning) < ENOUGH else "ignore")
    except UnicodeDecodeError:
        return None
    if not all(character.isprintable() or character in "\n\r\t\f" for character in text):
        return None
    if text.lstrip()[:1] in ("{", "[") and (path.suffix == ".json" or _is_json(text)):
        return "a JSON file", "give the file with the weights"
    return "a text file", "give the file with the weights"


def _is_json(text: str) -> bool:
    try:
        decode(text)
    except Damage:
        return len(text.encode()) >= ENOUGH  # its beginning alone
    return True
