"""What a pickled module tells beside its tensors: the classes of its parts, by their names alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.readers.pickled import PickledObject

BUILT = ("ReLU", "GELU", "SiLU")
NOT_BUILT = frozenset({"CELU", "ELU", "Hardswish", "LeakyReLU", "Mish", "PReLU", "ReLU6", "SELU", "Softplus", "Tanh"})


def activation_of(parts: Mapping[str, PickledObject]) -> str | None:
    """Return the non-linearity of a module's MLPs; None where it has none, or several.

    Raises CheckpointError for one that is not built here.
    """
    of_layer = {1: "relu", 2: "gelu"}.get(attribute_of(parts, "activation_relu_or_gelu") or 0)  # torch's encoder
    found = {of_layer} if of_layer else set()
    for part in parts.values():
        if part.kind.module != "torch.nn.modules.activation":
            continue
        if part.kind.name == "ReLU":
            found.add("relu")
        elif part.kind.name == "GELU":
            found.add("gelu_tanh" if part.attribute("approximate") == "tanh" else "gelu")
        elif part.kind.name == "SiLU":
            found.add("silu")
        elif part.kind.name in NOT_BUILT:
            raise CheckpointError(
                f"its MLP has torch's {part.kind.name}, which is not built here", f"known are {', '.join(BUILT)}"
            )
    return found.pop() if len(found) == 1 else None


def epsilon_of(parts: Mapping[str, PickledObject]) -> float | None:
    """Return what the module's norms add to the variance."""
    values = {part.attribute("eps") for part in parts.values() if part.kind.name == "LayerNorm"}
    value = values.pop() if len(values) == 1 else None
    return value if isinstance(value, float) and 0 < value < 1 else None


def norms_first(parts: Mapping[str, PickledObject]) -> bool | None:
    """Return whether torch's TransformerEncoderLayers norm before their sublayers; None where there are none."""
    values = {value for part in parts.values() if type(value := part.attribute("norm_first")) is bool}
    return values.pop() if len(values) == 1 else None


def dropout_of(parts: Mapping[str, PickledObject]) -> float | None:
    """Return the share that the module's dropouts set to zero."""
    values = set(_dropouts(parts))
    value = values.pop() if len(values) == 1 else None
    return float(value) if isinstance(value, int | float) and 0 <= value < 1 else None


def attribute_of(parts: Mapping[str, PickledObject], name: str) -> int | None:
    """Return a positive whole number that one or more parts of a module agree on."""
    values = {value for part in parts.values() if type(value := part.attribute(name)) is int and 0 < value < 1 << 31}
    return values.pop() if len(values) == 1 else None


def _dropouts(parts: Mapping[str, PickledObject]) -> Iterator[object]:
    for part in parts.values():
        if part.kind.name == "Dropout":
            value = part.attribute("p")
            yield value if isinstance(value, int | float) else None
