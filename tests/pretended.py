"""A pretended accelerator: the processor computes, under the rules of a device that is none.

Its tensors keep their numbers to themselves: they do not mix with the processor's tensors and cannot become numpy
arrays. There are no 64-bit floats, no complex numbers and no kernels for many tensors at once, as on Apple's
accelerator. So what code written on a machine without an accelerator gets wrong is an error here, and the rest gives
the processor's own numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

NAME = "pretended"
ACROSS = ("aten::_to_copy", "aten::copy_")  # they alone may take from one device and give to another
FORBIDDEN = (torch.float64, torch.complex64, torch.complex128)
# torch's autograd counts the devices once, at its first backward pass, so the device is there from the import on. It
# changes a process for good: these tests have a run of their own (`make test-pretended-device`, part of `make test`).
AVAILABLE = os.environ.get("PRETENDED_DEVICE") == "1" and hasattr(
    backend_registration, "_setup_privateuseone_for_python_backend"
)


class Pretended(torch.Tensor):
    """A tensor on the pretended device; `raw` is the processor's tensor behind it."""

    raw: Tensor
    waits = 0  # how often the processor waited for numbers of the device

    @staticmethod
    def __new__(cls, raw: Tensor) -> Pretended:
        made: Pretended = torch.Tensor._make_wrapper_subclass(
            cls,
            raw.shape,
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device=torch.device(NAME, 0),
        )
        made.raw = raw
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {})

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Take recurrent cells apart: the one-piece ones of torch are for devices that it knows."""
        if func in (torch.lstm, torch.gru):
            from torch._decomp import decompositions

            return {torch.lstm: decompositions.lstm_impl, torch.gru: decompositions.gru_impl}[func](*args)
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    def tolist(self) -> Any:
        """Wait for the device, and bring the numbers over."""
        Pretended.waits += 1
        return self.raw.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        """Refuse, as every device does whose memory is its own."""
        raise TypeError(f"can't convert a tensor on {NAME} to numpy; use Tensor.cpu() first")

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Be saved as the processor's tensor."""
        return self.raw.__reduce_ex__(protocol)

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Pretended({self.raw!r})"


class _Exists(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {})


def _compute(func: Any, args: Any, kwargs: Any) -> Any:
    """Run `func` on the processor, where the rules of the device allow it; wrap what it gives where that is on it."""
    name = func._schema.name
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    here = any(isinstance(tensor, Pretended) for tensor in tensors)
    if here and name not in ACROSS and any(not isinstance(each, Pretended) and each.dim() for each in tensors):
        raise RuntimeError(f"{name}: expected all tensors to be on one device, found {NAME} and cpu")
    wanted = kwargs.get("device")
    inside = here if wanted is None else torch.device(wanted).type == NAME
    if name == "aten::copy_":
        inside = isinstance(args[0], Pretended)
    if here and (name == "aten::_local_scalar_dense" or not inside):
        Pretended.waits += 1
    plain_args, plain_kwargs = tree_map_only(Pretended, lambda tensor: tensor.raw, (args, kwargs))
    if inside and wanted is not None:
        plain_kwargs["device"] = torch.device("cpu")
    made = func(*plain_args, **plain_kwargs)
    if not inside:
        return made
    wrapped = tree_map_only(Tensor, Pretended, made)
    for leaf in tree_leaves(wrapped):
        if isinstance(leaf, Pretended) and leaf.dtype in FORBIDDEN:
            raise TypeError(f"{name}: {NAME} has no {leaf.dtype}")
    return return_and_correct_aliasing(func, args, kwargs, wrapped) if here else wrapped


def _register() -> torch.library.Library:
    """Tell torch of the device; `torch.tensor` makes a tensor there where no mode sees it."""
    backend_registration._setup_privateuseone_for_python_backend(NAME)
    kernels = torch.library.Library("aten", "IMPL")

    def empty_strided(size: Any, stride: Any, dtype: Any = None, **_: Any) -> Tensor:
        return Pretended(torch.empty_strided(size, stride, dtype=dtype))

    def empty(size: Any, dtype: Any = None, **_: Any) -> Tensor:
        return Pretended(torch.empty(size, dtype=dtype))

    def copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
        raw_source, raw_target = (each.raw if isinstance(each, Pretended) else each for each in (source, target))
        raw_target.copy_(raw_source)
        return target

    kernels.impl("empty_strided", empty_strided, "PrivateUse1")
    kernels.impl("empty.memory_format", empty, "PrivateUse1")
    kernels.impl("_copy_from", copy_from, "PrivateUse1")
    return kernels


_KERNELS = _register() if AVAILABLE else None  # they go when the library does


@contextmanager
def pretended_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """Have a pretended device while this is entered; yield it."""
    device = torch.device(NAME, 0)
    to, knows_foreach = nn.Module.to, clip_grad._device_has_foreach_support

    def moved(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
        return _moved(module) if args and torch.device(args[0]).type == NAME else to(module, *args, **kwargs)

    def enter(self: Any) -> None:
        self._instead = torch.no_grad()
        self._instead.__enter__()

    monkeypatch.setattr(nn.Module, "to", moved)
    # Tensors that wrap others cannot be views in inference mode; without gradients the numbers are the same.
    monkeypatch.setattr(torch.inference_mode, "__enter__", enter)
    monkeypatch.setattr(torch.inference_mode, "__exit__", lambda self, *found: self._instead.__exit__(*found))
    monkeypatch.setattr(
        clip_grad, "_device_has_foreach_support", lambda device: device.type != NAME and knows_foreach(device)
    )
    with _Exists():
        yield device


def _moved(module: nn.Module) -> nn.Module:
    """Do what `to` does with every real device: weights that are tied stay so."""
    known: dict[int, nn.Parameter] = {}
    for each in module.modules():
        for name, parameter in each._parameters.items():
            if parameter is not None:
                if id(parameter) not in known:
                    known[id(parameter)] = nn.Parameter(parameter.detach().to(NAME))
                each._parameters[name] = known[id(parameter)]
        for name, buffer in each._buffers.items():
            if buffer is not None:
                each._buffers[name] = buffer.to(NAME)
    return module
