"""What a pickle describes, as plain data: names of classes, objects, storages of numbers, tensors in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

MOST_DIMENSIONS = 8


class GlobalName(NamedTuple):
    """A class or function that a pickle names; it is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, slots=True)
class PickledObject:
    """An object: its class, the arguments of its constructor, its state, and what was added to it."""

    kind: GlobalName
    arguments: tuple[Any, ...] = ()
    state: Any = None
    items: list[Any] = field(default_factory=list)
    pairs: dict[Any, Any] = field(default_factory=dict)

    def attribute(self, name: str) -> Any:
        """Return an attribute of the object; None if it has none of this name."""
        return self.state.get(name) if isinstance(self.state, dict) else None


class ByteRange(NamedTuple):
    """A long run of bytes in a pickle, which is not copied: where it begins in the pickle's own data."""

    start: int
    size: int


class Storage(NamedTuple):
    """A row of numbers in the file, by its key; `numel` is None if the pickle does not give it.

    `content` is the numbers where the pickle itself holds them.
    """

    key: str
    kind: str  # FloatStorage, HalfStorage …
    numel: int | None
    content: bytes | memoryview | ByteRange | None = None


class TensorRef(NamedTuple):
    """Where a tensor's numbers are, counted in elements of its storage.

    `scale` and `zero_point` are those of a quantised tensor: numbers, or along the dimension `axis` tensors.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    kind: str
    scale: float | TensorRef | None = None
    zero_point: int | TensorRef = 0
    axis: int | None = None


class SparseRef(NamedTuple):
    """A tensor of which only some numbers are stored: `layout` is torch's name, `parts` its indices and values."""

    layout: str
    parts: tuple[TensorRef, ...]
    shape: tuple[int, ...]


class MetaRef(NamedTuple):
    """A tensor of torch's meta device: a shape without numbers."""

    shape: tuple[int, ...]


AnyTensor = TensorRef | SparseRef | MetaRef


class PickledSet(list[Any]):
    """A set, in the order in which it was written, which says nothing."""


_EMPTY = {
    "dict": dict, "OrderedDict": dict, "defaultdict": dict, "Counter": dict, "list": list, "set": PickledSet,
    "frozenset": PickledSet, "tuple": tuple, "Size": tuple,
}  # fmt: skip
_CONTAINERS = {
    GlobalName(module, name)
    for module, names in {
        "collections": ("OrderedDict", "defaultdict", "Counter"),
        "builtins": ("dict", "list", "set", "frozenset", "tuple"),
        "__builtin__": ("dict", "list", "set", "frozenset", "tuple"),
        "torch": ("Size",),
    }.items()
    for name in names
}


def key_of(value: Any) -> Any:
    """Return a value as a dict's key if its hash is cheap. Raises ValueError.

    All multiples of 2^61 - 1 have the same hash, so that a dict of many of them takes time that is quadratic in their
    number: there are only a few among whole numbers of 64 bits.
    """
    if value is None or isinstance(value, str | float | bytes | GlobalName) or _is_short(value):
        return value
    if (
        isinstance(value, tuple)
        and len(value) < 32
        and all(isinstance(one, str | float) or _is_short(one) for one in value)
    ):
        return value
    if isinstance(value, PickledObject):
        return value  # by its identity
    raise ValueError("a key")


def _is_short(value: Any) -> bool:
    return isinstance(value, int) and -(1 << 63) <= value < 1 << 64


def result_of(called: GlobalName, arguments: tuple[Any, ...]) -> Any:
    """Return what a call gives: a container, or a tensor of torch; else a PickledObject. Raises ValueError."""
    if called in _CONTAINERS:
        return _container(_EMPTY[called.name], arguments)
    if called.module in ("torch._utils", "torch._tensor", "torch.nn.parameter", "torch.autograd.variable"):
        made = _torch_tensor(called, arguments)
        if made is not None:
            return made
    if called == GlobalName("_codecs", "encode") and len(arguments) == 2 and isinstance(arguments[0], str):
        return arguments[0].encode("latin-1", "replace")
    if called == GlobalName("torch", "device") and arguments and isinstance(arguments[0], str):
        return arguments[0]
    return PickledObject(called, arguments)


def _container(kind: type, arguments: tuple[Any, ...]) -> Any:
    values = arguments[-1] if arguments else ()
    if isinstance(values, GlobalName | PickledObject):  # defaultdict(list)
        values = ()
    if kind is dict:
        pairs = values.items() if isinstance(values, dict) else values
        return {key_of(key): value for key, value in pairs}
    return kind(values if isinstance(values, list | tuple) else ())


def storage_of(reference: Any) -> Any:
    """Return a storage of torch from its persistent id, or a module's class; else it unchanged. Raises ValueError."""
    if isinstance(reference, tuple) and len(reference) >= 2 and reference[0] == "module":
        return reference[1]  # behind it are its file and its source as text
    if not (isinstance(reference, tuple) and len(reference) >= 3 and reference[0] == "storage"):
        return reference
    kind, key = reference[1], reference[2]
    numel = reference[4] if len(reference) > 4 else None
    if not isinstance(kind, GlobalName) or not isinstance(key, str) or not (numel is None or type(numel) is int):
        raise ValueError("a storage")
    if len(reference) > 5 and isinstance(reference[5], tuple):
        raise ValueError("a view of a storage")
    return Storage(key, kind.name, numel)


def _torch_tensor(called: GlobalName, arguments: tuple[Any, ...]) -> Any:
    """Return what one of torch's own functions makes of these arguments; None where it is not one that is known."""
    name = called.name
    if name in ("_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_tensor_v3"):
        return _tensor(name, arguments)
    if name in _WRAPPERS and arguments:
        return arguments[0]
    if name in ("_rebuild_from_type_v2", "_rebuild_from_type"):  # of a subclass: the function, the class, its arguments
        function, _, inner = arguments[:3]
        return result_of(function, inner) if _is_function(function) and isinstance(inner, tuple) else None
    if name == "_rebuild_qtensor":
        return _quantized(arguments)
    if name in ("_rebuild_sparse_tensor", "_rebuild_sparse_csr_tensor"):
        return _sparse(*arguments[:2])
    if name == "_rebuild_meta_tensor_no_storage":
        return MetaRef(_sizes(arguments[1]))
    return None


# What they are given is the tensor, and what else it was: a parameter, on a device of its own.
_WRAPPERS = frozenset(
    {"_rebuild_parameter", "_rebuild_parameter_with_state", "Parameter", "Variable", "_rebuild_xla_tensor",
     "_rebuild_device_tensor_from_numpy", "_rebuild_device_tensor_from_cpu_tensor"}
)  # fmt: skip


def _is_function(called: Any) -> bool:
    """Whether it makes a tensor and is no subclass again, which could continue without end."""
    return isinstance(called, GlobalName) and called.module == "torch._utils" and "from_type" not in called.name


def _tensor(function: str, arguments: tuple[Any, ...]) -> TensorRef:
    storage, offset = arguments[:2]
    if not isinstance(storage, Storage) or type(offset) is not int or offset < 0:
        raise ValueError("a tensor")
    shape, stride = _sizes(arguments[2]), _sizes(arguments[3])
    if len(shape) != len(stride):
        raise ValueError("a tensor's strides")
    kind = storage.kind
    if function == "_rebuild_tensor_v3":
        kind = str(arguments[6].name) if len(arguments) > 6 and isinstance(arguments[6], GlobalName) else kind
    return TensorRef(storage, offset, shape, stride, kind)


def _sizes(row: Any) -> tuple[int, ...]:
    """Return a shape, or strides. Raises ValueError where it is none."""
    if not isinstance(row, tuple) or len(row) > MOST_DIMENSIONS or any(type(n) is not int or n < 0 for n in row):
        raise ValueError("a tensor's shape")
    return row


def _quantized(arguments: tuple[Any, ...]) -> TensorRef:
    ref, (scheme, scale, zero_point, *rest) = _tensor("", arguments), arguments[4]
    if scheme == GlobalName("torch", "per_tensor_affine") and isinstance(scale, float) and type(zero_point) is int:
        return ref._replace(scale=scale, zero_point=zero_point)
    channels = isinstance(scale, TensorRef) and isinstance(zero_point, TensorRef)
    if not channels or not rest or type(rest[0]) is not int or not 0 <= rest[0] < len(ref.shape):
        raise ValueError("a quantised tensor")
    return ref._replace(scale=scale, zero_point=zero_point, axis=rest[0])


def _sparse(layout: Any, data: tuple[Any, ...]) -> SparseRef:
    told = layout.arguments[0] if isinstance(layout, PickledObject) and layout.arguments else layout
    parts = tuple(part for part in data if isinstance(part, TensorRef))
    shape = next((part for part in data if isinstance(part, tuple) and not isinstance(part, TensorRef)), None)
    if not isinstance(told, str | GlobalName):
        raise ValueError("a sparse tensor")
    return SparseRef(str(told), parts, _sizes(shape))
