"""The state dict in what a file holds: whatever it is wrapped in, or the parts of a pickled module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.readers.arrays import as_tensor
from tinygpt_tui.foreign.readers.pickled import AnyTensor, PickledObject
from tinygpt_tui.foreign.readers.torch_zip import Saved
from tinygpt_tui.foreign.tensors import MOST_TENSORS

WRAPPERS = ("model", "model_state_dict", "state_dict", "model_state", "weights", "params", "net", "network", "ema")
DEEPEST_WRAPPING = 3
DEEPEST_MODULE = 32
PACKED = "._packed_params._packed_params"  # torch's quantised layers: weight and bias together

# The tensors by name, what lay beside them, the parts of a pickled module, and the wrappers' names.
Unwrapped = tuple[dict[str, AnyTensor], dict[str, Any], dict[str, PickledObject], tuple[str, ...]]


def taken_apart(saved: Saved) -> Unwrapped:
    """Return the state dict of what was saved, what lay beside it, the parts of a pickled module, and its wrapper."""
    content = saved.content
    extras: dict[str, Any] = {}
    wrapped: tuple[str, ...] = ()
    if isinstance(content, tuple | list):  # the weights, and something else
        rest = content
        content = next((value for value in rest if _is_state(value)), next(filter(_may_hold, rest), None))
        extras = {str(place): value for place, value in enumerate(rest) if value is not content}
    while (held := _entries(content)) and not _is_state(held) and len(wrapped) < DEEPEST_WRAPPING:
        key = _wrapper_in(held)
        if key is None:
            raise _no_weights(saved, held)
        extras |= {name: value for name, value in held.items() if name != key and isinstance(name, str)}
        content, wrapped = held[key], (*wrapped, key)
    if isinstance(content, PickledObject):
        if content.kind.module.split(".")[0] == "__torch__":
            raise CheckpointError(
                f"{saved.path.name} is a program of TorchScript, which is not run here",
                "give its weights: torch.save(torch.jit.load(FILE).state_dict(), OTHER_FILE)",
            )
        parts = dict(_modules(saved, content))
        if not any(isinstance(part.attribute("_parameters"), dict) for part in parts.values()):
            raise CheckpointError(
                f"{saved.path.name} holds a {content.kind}, which is no model", "give a file with a model's weights"
            )
        state = {
            f"{at}.{name}" if at else name: tensor
            for at, part in parts.items()
            for kind in ("_parameters", "_buffers")
            for name, tensor in _tensors_in(_dict(part.attribute(kind))).items()
        }
        return state, extras, parts, wrapped
    if not _is_state(content):
        raise _no_weights(saved, content)
    tensors = _tensors_in(content)
    return tensors, extras | {name: value for name, value in content.items() if name not in tensors}, {}, wrapped


def _entries(content: Any) -> dict[Any, Any]:
    """Return what a dict holds, or an object that is no module of torch's; empty for all else."""
    if isinstance(content, PickledObject) and not _is_module(content):
        return _dict(content.state)
    return _dict(content)


def _is_module(content: PickledObject) -> bool:
    return isinstance(content.attribute("_modules"), dict) or content.kind.module.split(".")[0] == "__torch__"


def _no_weights(saved: Saved, content: Any) -> CheckpointError:
    held = _dict(content)
    if {"state", "param_groups"} <= held.keys():
        return CheckpointError(
            f"{saved.path.name} holds the state of an optimizer, not a model's weights",
            "give the file with the model's state dict: torch.save(model.state_dict(), FILE)",
        )
    what = f"it holds {_words(held)}; " if held else ""
    return CheckpointError(f"{saved.path.name} holds no weights", f"{what}give a file with a model's state dict")


def _wrapper_in(content: dict[Any, Any]) -> str | None:
    """Return the entry that holds the weights: one of the usual names, or the one with the most tensors."""
    common = next((key for key in WRAPPERS if _may_hold(content.get(key))), None)
    if common is not None:
        return common
    held = {key: value for key, value in content.items() if isinstance(key, str)}
    states = {key: len(value) for key, value in held.items() if _is_state(value)}
    if states:
        return max(states, key=states.__getitem__)
    modules = (key for key, value in held.items() if isinstance(value, PickledObject) and _is_module(value))
    inside = (key for key, value in held.items() if isinstance(value, dict) and _wraps(value))
    return next(modules, next(inside, None))


def _may_hold(value: Any) -> bool:
    return isinstance(value, PickledObject) or _is_state(value) or _wraps(value)


def _wraps(content: Any) -> bool:
    return any(_is_state(value) or isinstance(value, PickledObject) for value in _dict(content).values())


def _is_state(content: Any) -> bool:
    """Whether it is a state dict: names and tensors, and at most a few other things."""
    held = _dict(content)
    if not held or not all(isinstance(name, str) for name in held):
        return False
    named = sum("._packed_params" not in name for name in held)
    return 0 < named <= 2 * len(_tensors_in(held))


def _tensors_in(content: dict[Any, Any]) -> dict[str, AnyTensor]:
    """Return a state dict's tensors; the layers that torch quantised as if they were linear ones."""
    found: dict[str, AnyTensor] = {}
    for name, value in content.items():
        tensor = as_tensor(value)
        if not isinstance(name, str):
            continue
        if tensor is not None:
            found[name] = tensor
        elif name.endswith(PACKED) and isinstance(value, tuple):
            layer = name.removesuffix(PACKED)
            named = zip(("weight", "bias"), map(as_tensor, value), strict=False)
            found |= {f"{layer}.{part}": tensor for part, tensor in named if tensor is not None}
    packed = [name.removesuffix(PACKED) for name in content if isinstance(name, str) and name.endswith(PACKED)]
    for layer in packed:  # of what the layer returns, which is not rounded here
        found.pop(f"{layer}.scale", None), found.pop(f"{layer}.zero_point", None)
    return found


def _modules(saved: Saved, whole: PickledObject) -> Iterator[tuple[str, PickledObject]]:
    """Yield each part of a pickled module with its path; a part that is in itself has no end, and is refused."""
    waiting: list[tuple[str, PickledObject, int]] = [("", whole, 0)]
    count = 0
    while waiting:
        at, part, depth = waiting.pop()
        count += 1
        if depth > DEEPEST_MODULE or count > MOST_TENSORS:
            raise CheckpointError(f"{saved.path.name}: its module has no end", "the file is damaged; do not trust it")
        yield at, part
        for name, inner in reversed(_dict(part.attribute("_modules")).items()):
            if isinstance(inner, PickledObject) and isinstance(name, str):
                waiting.append((f"{at}.{name}" if at else name, inner, depth + 1))


def _dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _words(content: dict[Any, Any]) -> str:
    names = [str(name)[:30] for name in list(content)[:5]]
    return ", ".join(names) or "nothing"
