"""The compiled functions of learning.h: forward and backward of all that is between the matrix products."""

from __future__ import annotations

import ctypes
import functools

from tinygpt_tui.native.library import ACTIVATIONS, load_library

_POINTER, _INT, _LONG, _FLOAT, _UINT = (
    ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_float, ctypes.c_uint32
)  # fmt: skip
_ARGUMENTS = {
    "learn_norm": (*(_POINTER,) * 6, *(_INT,) * 4, _FLOAT),
    "learn_norm_back": (*(_POINTER,) * 11, *(_INT,) * 4),
    "learn_attention": (_POINTER,) * 4,
    "learn_attention_back": (_POINTER,) * 6,
    "learn_activation": (_POINTER, _POINTER, _POINTER, _LONG, _INT),
    "learn_drop": (_POINTER, _POINTER, _POINTER, _LONG, _UINT, _UINT, _FLOAT),
}
KINDS = {kind: ACTIVATIONS[kind] for kind in ("gelu", "relu_squared")}  # the activations that can learn here


class Attention(ctypes.Structure):
    """learning.h's `Attention`."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("batch", "T", "n_head", "head_size", "reach", "normed")),
        ("scale", ctypes.c_float),
        ("epsilon", ctypes.c_float),
        ("turns", ctypes.c_void_p),
        ("work", ctypes.c_void_p),
    ]


class Learning:
    """The functions, which check nothing: call them through training/fused.py."""

    def __init__(self, functions: ctypes.CDLL) -> None:
        for name, arguments in _ARGUMENTS.items():
            function = getattr(functions, name)
            function.argtypes, function.restype = arguments, None
        self.norm, self.norm_back = functions.learn_norm, functions.learn_norm_back
        self.attention, self.attention_back = functions.learn_attention, functions.learn_attention_back
        self.activation = functions.learn_activation
        self.drop = functions.learn_drop
        self.attention_floats = functions.learn_attention_floats
        self.attention_floats.argtypes, self.attention_floats.restype = [_POINTER], _LONG


@functools.cache
def load_learning() -> Learning | None:
    """Return the functions of the library in the package, None if there is none."""
    library = load_library()
    return None if library is None else Learning(library.functions)
