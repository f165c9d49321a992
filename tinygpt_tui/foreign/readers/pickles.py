"""Reads a pickle as data: no import, no call, nothing of what it asks for is ever done.

A pickle is a program for a small machine. This one knows how to build dicts, lists, strings and numbers; a class is
kept as the word it is, and an object as a record of what it was to be made from. Where torch's own pickles make a
tensor, a note is made of where its numbers lie. Opcodes: the standard library's pickletools.py.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tinygpt_tui.errors import CheckpointError

# Far above what a checkpoint of a tiny model has, far below what a machine notices.
LARGEST_PROGRAM = 64 << 20
MOST_STEPS = 3_000_000
MOST_SECONDS = 3.0  # of processor time for all pickles of a file; the largest real ones take a tenth
LOOK_EVERY = 1024  # steps, or pairs of a dict
MOST_MEMOS = 1_000_000
LONGEST_NUMBER = 256
MOST_DIMENSIONS = 8


class Word(NamedTuple):
    """A class or function that a pickle names; it is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Allowance:
    """The processor time that this thread may spend on a file's pickles, from now on."""

    def __init__(self, seconds: float = MOST_SECONDS) -> None:
        self._end = time.thread_time() + seconds

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left of it."""
        return time.thread_time() > self._end


@dataclass(eq=False, slots=True)
class Record:
    """An object that was to be made from `made_from`, and then given `state`; `items` are what was put into it."""

    word: Word
    made_from: tuple[Any, ...] = ()
    state: Any = None
    items: list[Any] = field(default_factory=list)
    pairs: dict[Any, Any] = field(default_factory=dict)

    def attribute(self, name: str) -> Any:
        """Return what the object called `name`; None where it had no such thing."""
        return self.state.get(name) if isinstance(self.state, dict) else None


class Storage(NamedTuple):
    """A row of numbers in the file, by its key; `numel` is None where the pickle does not tell."""

    key: str
    kind: str  # FloatStorage, HalfStorage …
    numel: int | None


class Stub(NamedTuple):
    """Where a tensor's numbers lie: counted in elements of its storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    kind: str


class _Mark:
    """Where on the stack a row of values begins."""


_MARK = _Mark()
_EMPTY = {
    "dict": dict, "OrderedDict": dict, "defaultdict": dict, "Counter": dict, "list": list, "set": list,
    "frozenset": list, "tuple": tuple, "Size": tuple,
}  # fmt: skip
_CONTAINERS = {
    Word(module, name)
    for module, names in {
        "collections": ("OrderedDict", "defaultdict", "Counter"),
        "builtins": ("dict", "list", "set", "frozenset", "tuple"),
        "__builtin__": ("dict", "list", "set", "frozenset", "tuple"),
        "torch": ("Size",),
    }.items()
    for name in names
}


def read_pickle(
    data: Any,
    start: int = 0,
    name: str = "the pickle",
    resolve: Callable[[Any], Any] | None = None,
    allowance: Allowance | None = None,
) -> tuple[Any, int]:
    """Return what the pickle at `start` of `data` (bytes, or a mapped file) describes, and where it ends.

    `resolve` returns what lies outside the pickle by how it points there; by default a storage of torch's. Several
    pickles of one file share an `allowance`. Raises CheckpointError where it is damaged, larger than a checkpoint's can
    be, or takes too long.
    """
    machine = _Machine(data, start, name, resolve or _storage, allowance or Allowance())
    try:
        return machine.run(), machine.place
    except (IndexError, KeyError, ValueError, TypeError, struct.error, OverflowError, AttributeError) as error:
        raise CheckpointError(f"{name} is damaged: {type(error).__name__} at byte {machine.place}", _AGAIN) from None


_AGAIN = "copy the file again"


class _Machine:
    """A stack, a memo, and a place in the data."""

    def __init__(self, data: Any, start: int, name: str, resolve: Callable[[Any], Any], allowance: Allowance) -> None:
        self._data, self.place, self._name, self._resolve = data, start, name, resolve
        self._allowance = allowance
        self._end = min(len(data), start + LARGEST_PROGRAM)
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._stopped = False
        self._copied = 0

    def run(self) -> Any:
        steps = 0
        while not self._stopped:
            steps += 1
            if steps > MOST_STEPS:
                raise self._refused(f"it has more than {MOST_STEPS:,} steps")
            if steps % LOOK_EVERY == 1:
                self._check_time()
            operation = _OPERATIONS.get(self._byte())
            if operation is None:
                raise self._refused("it uses what no checkpoint needs")
            operation(self)
        if len(self._stack) != 1:
            raise ValueError("the stack")
        value = self._stack.pop()
        if isinstance(value, _Mark):
            raise ValueError("a mark")
        return value

    def _check_time(self) -> None:
        if self._allowance.is_spent:
            raise self._refused(f"it takes more than {MOST_SECONDS:g} seconds")

    def _refused(self, why: str) -> CheckpointError:
        return CheckpointError(f"{self._name} was not read: {why}", "a checkpoint is not like this; do not trust it")

    # Reading.

    def _byte(self) -> int:
        if self.place >= self._end:
            raise self._refused("it does not end")
        byte: int = self._data[self.place]
        self.place += 1
        return byte

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        if count < 0 or self.place + count > self._end:
            raise ValueError("too short")
        taken = bytes(self._data[self.place : self.place + count])
        self.place += count
        return taken

    def number(self, form: str) -> Any:
        """Return the next number in `struct`'s words."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        """Return the text up to the next line end."""
        end = self._data.find(b"\n", self.place, min(self._end, self.place + (1 << 20)))
        if end < 0:
            raise ValueError("no line end")
        text = bytes(self._data[self.place : end]).decode("utf-8")
        self.place = end + 1
        return text

    # The stack.

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self._stack.append(value)

    def pop(self) -> Any:
        """Take the uppermost value, which is not a mark."""
        value = self._stack.pop()
        if isinstance(value, _Mark):
            raise ValueError("a mark")
        return value

    def top(self) -> Any:
        """Return the uppermost value, which is not a mark."""
        value = self._stack[-1]
        if isinstance(value, _Mark):
            raise ValueError("a mark")
        return value

    def since_mark(self) -> list[Any]:
        """Take all values above the last mark, and the mark."""
        taken: list[Any] = []
        while True:
            value = self._stack.pop()
            if isinstance(value, _Mark):
                taken.reverse()
                return taken
            taken.append(value)

    def cache_calibration(self, index: int) -> None:
        """Keep the uppermost value under a number."""
        if len(self._memo) >= MOST_MEMOS:
            raise self._refused(f"it remembers more than {MOST_MEMOS:,} things")
        self._memo[index] = self.top()

    def recall(self, index: int) -> None:
        """Put what is kept under a number on the stack."""
        self.push(self._memo[index])

    # What operations do.

    def text(self, count: int) -> None:
        self.push(self.take(count).decode("utf-8", "surrogatepass"))

    def whole(self, count: int) -> None:
        if count > LONGEST_NUMBER:
            raise self._refused(f"it has a number of {count} bytes")
        self.push(int.from_bytes(self.take(count), "little", signed=True))

    def typed_number(self) -> None:
        text = self.line().rstrip("L")
        if len(text) > LONGEST_NUMBER:
            raise self._refused(f"it has a number of {len(text)} digits")
        self.push({"00": False, "01": True}.get(text) if text in ("00", "01") else int(text))

    def quoted(self) -> None:
        text = self.line().strip()
        if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0]:
            raise ValueError("quotes")
        self.push(text[1:-1].encode("latin-1", "replace").decode("unicode_escape"))

    def put_into(self, values: list[Any]) -> None:
        """Add `values` to the list (or to what was to be a set) on the stack."""
        target = self.top()
        if isinstance(target, Record):
            target = target.items
        if not isinstance(target, list):
            raise ValueError("not a list")
        target.extend(values)

    def set_pairs(self, values: list[Any]) -> None:
        """Add keys and values in turn to the dict on the stack."""
        target = self.top()
        if isinstance(target, Record):
            target = target.pairs
        if not isinstance(target, dict) or len(values) % 2:
            raise ValueError("not a dict")
        for place in range(0, len(values), 2):
            target[_key(values[place])] = values[place + 1]
            if place % LOOK_EVERY == 0:
                self._check_time()

    def dict_of(self) -> None:
        values = self.since_mark()
        self.push({})
        self.set_pairs(values)

    def named(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a word")
        self.push(Word(module, name))

    def call(self) -> None:
        arguments, word = self.pop(), self.pop()
        if not isinstance(word, Word) or not isinstance(arguments, tuple):
            raise ValueError("a call")
        self.make_of(word, arguments)

    def make_of(self, word: Word, arguments: tuple[Any, ...]) -> None:
        """Push what a call comes to; copies are counted, since few bytes can ask for many."""
        self._copied += sum(len(value) for value in arguments if isinstance(value, list | dict | tuple | str))
        if self._copied > MOST_STEPS:
            raise self._refused("it copies more than it holds")
        self.push(_made(word, arguments))

    def make(self, with_names: bool) -> None:
        if with_names:
            self.pop()
        self.call()

    def make_from_row(self) -> None:
        word, *arguments = self.since_mark()
        if not isinstance(word, Word):
            raise ValueError("a class")
        self.make_of(word, tuple(arguments))

    def make_named(self) -> None:
        module, name = self.line(), self.line()
        self.make_of(Word(module, name), tuple(self.since_mark()))

    def give_state(self) -> None:
        state, target = self.pop(), self.top()
        if isinstance(target, Record):
            if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
                state = state[0] if isinstance(state[0], dict) else state[1]  # __dict__ and __slots__
            target.state = state
        # What a dict or a tensor was to remember beside its numbers is not needed.

    def point(self, to: Any) -> None:
        """Push what lies outside the pickle: torch keeps its storages there."""
        self.push(self._resolve(to))

    def twin(self) -> None:
        self.push(self.top())

    def stop(self) -> None:
        self._stopped = True

    def skip(self, count: int) -> None:
        self.take(count)

    def discard(self) -> None:
        self._stack.pop()

    def forget(self) -> None:
        self.since_mark()

    def tuple_of(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(values)))


def _key(value: Any) -> Any:
    """Return a key that can be looked up without going deep into what somebody else has built.

    All multiples of 2^61 - 1 have the same hash, so that a dict of many takes the square of their number: of whole
    numbers of 64 bits there are only a few.
    """
    if value is None or isinstance(value, str | float | bytes | Word) or _is_short(value):
        return value
    if (
        isinstance(value, tuple)
        and len(value) < 32
        and all(isinstance(one, str | float) or _is_short(one) for one in value)
    ):
        return value
    if isinstance(value, Record):
        return value  # by its identity
    raise ValueError("a key")


def _is_short(value: Any) -> bool:
    return isinstance(value, int) and -(1 << 63) <= value < 1 << 64


def _made(word: Word, arguments: tuple[Any, ...]) -> Any:
    """Return what a call comes to: a tensor's place or a container where it is one of torch's and Python's own."""
    if word in _CONTAINERS:
        return _contained(_EMPTY[word.name], arguments)
    if word.module == "torch._utils":
        if word.name in ("_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_tensor_v3"):
            return _stub(word.name, arguments)
        if word.name in ("_rebuild_parameter", "_rebuild_parameter_with_state") and arguments:
            return arguments[0]
    if word == Word("_codecs", "encode") and len(arguments) == 2 and isinstance(arguments[0], str):
        return arguments[0].encode("latin-1", "replace")
    if word == Word("torch", "device") and arguments and isinstance(arguments[0], str):
        return arguments[0]
    return Record(word, arguments)


def _contained(kind: type, arguments: tuple[Any, ...]) -> Any:
    values = arguments[-1] if arguments else ()
    if isinstance(values, Word | Record):  # defaultdict(list)
        values = ()
    if kind is dict:
        pairs = values.items() if isinstance(values, dict) else values
        return {_key(key): value for key, value in pairs}
    return kind(values if isinstance(values, list | tuple) else ())


def _storage(to: Any) -> Any:
    if not (isinstance(to, tuple) and len(to) >= 3 and to[0] == "storage"):
        return to
    kind, key = to[1], to[2]
    numel = to[4] if len(to) > 4 else None
    if not isinstance(kind, Word) or not isinstance(key, str) or not (numel is None or type(numel) is int):
        raise ValueError("a storage")
    if len(to) > 5 and isinstance(to[5], tuple):
        raise ValueError("a view of a storage")
    return Storage(key, kind.name, numel)


def _stub(name: str, arguments: tuple[Any, ...]) -> Stub:
    storage, offset, shape, stride = arguments[:4]
    if not isinstance(storage, Storage) or type(offset) is not int or offset < 0:
        raise ValueError("a tensor")
    for row in (shape, stride):
        if not isinstance(row, tuple) or len(row) > MOST_DIMENSIONS or any(type(n) is not int or n < 0 for n in row):
            raise ValueError("a tensor's shape")
    if len(shape) != len(stride):
        raise ValueError("a tensor's strides")
    kind = storage.kind
    if name == "_rebuild_tensor_v3":
        kind = str(arguments[6].name) if len(arguments) > 6 and isinstance(arguments[6], Word) else kind
    return Stub(storage, offset, shape, stride, kind)


_Do = Callable[[_Machine], None]
_OPERATIONS: dict[int, _Do] = {
    ord("("): lambda m: m.push(_MARK),
    ord("."): _Machine.stop,
    ord("0"): _Machine.discard,
    ord("1"): _Machine.forget,
    ord("2"): _Machine.twin,
    ord("F"): lambda m: m.push(float(m.line())),
    ord("I"): _Machine.typed_number,
    ord("J"): lambda m: m.push(m.number("<i")),
    ord("K"): lambda m: m.push(m.number("<B")),
    ord("L"): _Machine.typed_number,
    ord("M"): lambda m: m.push(m.number("<H")),
    ord("N"): lambda m: m.push(None),
    ord("P"): lambda m: m.point(m.line()),
    ord("Q"): lambda m: m.point(m.pop()),
    ord("R"): _Machine.call,
    ord("S"): _Machine.quoted,
    ord("T"): lambda m: m.push(m.take(m.number("<i")).decode("latin-1")),
    ord("U"): lambda m: m.push(m.take(m.number("<B")).decode("latin-1")),
    ord("V"): lambda m: m.push(m.line().encode("latin-1", "replace").decode("raw_unicode_escape")),
    ord("X"): lambda m: m.text(m.number("<I")),
    ord("a"): lambda m: m.put_into([m.pop()]),
    ord("b"): _Machine.give_state,
    ord("c"): lambda m: m.push(Word(m.line(), m.line())),
    ord("d"): _Machine.dict_of,
    ord("}"): lambda m: m.push({}),
    ord("e"): lambda m: m.put_into(m.since_mark()),
    ord("g"): lambda m: m.recall(int(m.line())),
    ord("h"): lambda m: m.recall(m.number("<B")),
    ord("i"): _Machine.make_named,
    ord("j"): lambda m: m.recall(m.number("<I")),
    ord("l"): lambda m: m.push(m.since_mark()),
    ord("]"): lambda m: m.push([]),
    ord("o"): _Machine.make_from_row,
    ord("p"): lambda m: m.cache_calibration(int(m.line())),
    ord("q"): lambda m: m.cache_calibration(m.number("<B")),
    ord("r"): lambda m: m.cache_calibration(m.number("<I")),
    ord("s"): lambda m: m.set_pairs([m.pop(), m.pop()][::-1]),
    ord("t"): lambda m: m.push(tuple(m.since_mark())),
    ord(")"): lambda m: m.push(()),
    ord("u"): lambda m: m.set_pairs(m.since_mark()),
    ord("G"): lambda m: m.push(m.number(">d")),
    ord("B"): lambda m: m.push(m.take(m.number("<I"))),
    ord("C"): lambda m: m.push(m.take(m.number("<B"))),
    0x80: lambda m: m.skip(1),  # PROTO
    0x81: lambda m: m.make(False),  # NEWOBJ
    0x85: lambda m: m.tuple_of(1),
    0x86: lambda m: m.tuple_of(2),
    0x87: lambda m: m.tuple_of(3),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    0x8A: lambda m: m.whole(m.number("<B")),
    0x8B: lambda m: m.whole(m.number("<i")),
    0x8C: lambda m: m.text(m.number("<B")),
    0x8D: lambda m: m.text(m.number("<Q")),
    0x8E: lambda m: m.push(m.take(m.number("<Q"))),
    0x8F: lambda m: m.push([]),  # EMPTY_SET
    0x90: lambda m: m.put_into(m.since_mark()),  # ADDITEMS
    0x91: lambda m: m.push(m.since_mark()),  # FROZENSET
    0x92: lambda m: m.make(True),  # NEWOBJ_EX
    0x93: _Machine.named,  # STACK_GLOBAL
    0x94: lambda m: m.cache_calibration(len(m._memo)),
    0x95: lambda m: m.skip(8),  # FRAME
    0x96: lambda m: m.push(m.take(m.number("<Q"))),  # BYTEARRAY8
}
