"""Finds and loads the compiled gpt.c; its structures, field by field."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import zlib
from pathlib import Path

from tinygpt_tui import platforms
from tinygpt_tui.errors import EngineError

FOLDER = Path(__file__).resolve().parent
SOURCE = FOLDER / "gpt.c"
SOURCES = (SOURCE, FOLDER / "products.h", FOLDER / "learning.h")
FILE_NAME = platforms.library_name("_gpt")
AVX2_NAME = platforms.library_name("_gpt_avx2")  # beside it where one library cannot serve every x86-64 processor
EXACT_NAME = platforms.library_name("_gpt_exact")  # beside it: slower, and the same bits on every machine
VARIABLE = "TINYGPT_TUI_NATIVE"  # a library's path, or "off"

LAYER_MATRICES = ("query", "key", "value", "projection", "widen", "gate", "narrow")
LAYER_PARTS = (
    "norm_1_weight", "norm_1_bias", "shift_1", "query_bias", "key_bias", "value_bias", "projection_bias",
    "norm_2_weight", "norm_2_bias", "shift_2", "widen_bias", "gate_bias", "narrow_bias", "query_norm", "key_norm",
)  # fmt: skip
NET_SIZES = (
    "vocab_size", "block_size", "n_layer", "n_head", "n_embd", "token_shift", "pair_rows", "triple_rows",
    "kv_heads", "head_size", "hidden_size", "rope_pairs",
    "rmsnorm", "qk_norm", "embedding_norm", "activation", "has_gate", "post_norm", "parallel", "slots", "work_rows",
)  # fmt: skip
NET_MATRICES = ("head",)
NET_PARTS = (
    "embedding", "positions", "frequencies", "pairs", "triples", "norm_weight", "norm_bias", "head_bias",
)  # fmt: skip
ACTIVATIONS = {
    "gelu": 0, "gelu_tanh": 1, "relu": 2, "relu_squared": 3, "swiglu": 4, "geglu": 0, "geglu_tanh": 1,
    "reglu": 2,
}  # fmt: skip


class Matrix(ctypes.Structure):
    """gpt.c's `Matrix`."""

    _fields_ = [("panels", ctypes.c_void_p), ("scales", ctypes.c_void_p)]


class Layer(ctypes.Structure):
    """gpt.c's `Layer`."""

    _fields_ = [
        *((name, Matrix) for name in LAYER_MATRICES),
        *((name, ctypes.c_void_p) for name in LAYER_PARTS),
        ("window", ctypes.c_int64),
    ]


class Net(ctypes.Structure):
    """gpt.c's `Net`."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in NET_SIZES),
        ("scale", ctypes.c_float),
        ("epsilon", ctypes.c_float),
        *((name, Matrix) for name in NET_MATRICES),
        *((name, ctypes.c_void_p) for name in NET_PARTS),
        ("layers", ctypes.c_void_p),
    ]


class Text(ctypes.Structure):
    """gpt.c's `Text`."""

    _fields_ = [
        ("memory", ctypes.c_void_p),
        ("position", ctypes.c_int64),
        ("slot", ctypes.c_int32),
        ("last", ctypes.c_int32 * 2),
    ]


class Job(ctypes.Structure):
    """gpt.c's `Job`."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("net", "work", "texts", "ids", "logits")),
        *((name, ctypes.c_int32) for name in ("n_texts", "count", "layers", "every")),
    ]


class Library:
    """The compiled functions. They check nothing: call them through reader.py."""

    def __init__(self, path: Path) -> None:
        """Raises EngineError if `path` is not a library, or one of another version."""
        try:
            functions = ctypes.CDLL(str(path))
            source, layout = functions.gpt_source, functions.gpt_layout
            self.memory_floats, self.work_floats = functions.gpt_memory_floats, functions.gpt_work_floats
            self.read, self.copy = functions.gpt_read, functions.gpt_copy
            self.prefers_avx2 = functions.gpt_prefers_avx2
        except (OSError, AttributeError) as error:
            raise EngineError(f"{path} is not the native engine: {error}", _HINT) from None
        self.functions = functions
        source.restype, layout.restype = ctypes.c_uint32, ctypes.c_int64
        if source() != source_mark() or layout() != _layout():
            raise EngineError(f"{path} was built from another version", _HINT)
        for function in (self.memory_floats, self.work_floats):
            function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_int64
        self.read.argtypes, self.read.restype = [ctypes.c_void_p], None
        self.copy.argtypes, self.copy.restype = [ctypes.c_void_p] * 3, None


def source_mark() -> int:
    """Return a checksum of the C sources, which a library built from them carries."""
    return zlib.crc32(b"".join(source.read_bytes().replace(b"\r\n", b"\n") for source in SOURCES))


def _layout() -> int:
    return functools.reduce(lambda sum, part: sum * 1000 + ctypes.sizeof(part), (Net, Layer, Job, Text), 0)


BUILD = platforms.python_command("-m", "tinygpt_tui.native.build")
_HINT = f"build it again: {BUILD}"


@functools.cache
def load_library() -> Library | None:
    """Return the library in the package, or the one that TINYGPT_TUI_NATIVE names.

    None if none was built, or by another version or for another machine: torch decodes then, and `why_without` says
    why. Raises EngineError only if the one that the user names cannot be used.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen == "off":
        return None
    if chosen:
        return Library(Path(chosen))
    try:
        library = Library(FOLDER / FILE_NAME)
    except EngineError:
        return None
    if library.prefers_avx2():
        with contextlib.suppress(EngineError):
            return Library(FOLDER / AVX2_NAME)
    return library


@functools.cache
def load_exact() -> Library | None:
    """Return the library beside that of `load_library` whose results are the same bits on every machine.

    None if none was built, or by another version, or TINYGPT_TUI_NATIVE is off.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen == "off":
        return None
    with contextlib.suppress(EngineError):
        return Library((Path(chosen).parent if chosen else FOLDER) / EXACT_NAME)
    return None


def why_without() -> EngineError | None:
    """Return why torch decodes although the native engine would be faster; None if that can be used."""
    if os.environ.get(VARIABLE) == "off":
        return EngineError(f"{VARIABLE} is off", "unset it for the native engine")
    path = Path(os.environ.get(VARIABLE) or FOLDER / FILE_NAME)
    if not path.exists():
        return EngineError("the native engine was not built here", _HINT)
    try:
        Library(path)
    except EngineError as error:
        return error
    return None


def why_unused() -> EngineError | None:
    """Return why a library in the package cannot be used; the usual reason is that the program has changed."""
    return why_without() if VARIABLE not in os.environ and (FOLDER / FILE_NAME).exists() else None
