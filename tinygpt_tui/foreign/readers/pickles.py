"""Reads a pickle as data: nothing is imported or called.

A pickle is a program for a stack machine. The opcodes and the readers of their arguments are those of the standard
library's pickletools; this machine builds dicts, lists, texts and numbers, and plain records of all else (pickled.py).
The C unpickler is not used, even with `find_class` replaced: a memo index of a few bytes makes it allocate gigabytes.
"""

from __future__ import annotations

import pickle
import pickletools
import struct
import time
from collections.abc import Callable
from typing import Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.readers.pickled import (
    ByteRange,
    GlobalName,
    PickledObject,
    PickledSet,
    key_of,
    result_of,
    storage_of,
)

# Far more than the checkpoint of a tiny model needs, and harmless to a machine.
LARGEST_PROGRAM = 64 << 20
MOST_STEPS = 3_000_000
MOST_SECONDS = 3.0  # of processor time for all pickles of a file; the largest real ones take a tenth
CHECK_EVERY = 1024  # steps, or pairs of a dict
MOST_MEMOS = 1_000_000
LONGEST_NUMBER = 256  # bytes
LONGEST_LINE = 1 << 20
LONG = 4096  # bytes; a longer run of them stays where it is
_LOAD_FROM_BYTES = GlobalName("torch.storage", "_load_from_bytes")


class TimeLimit:
    """The processor time that this thread may spend on a file's pickles, counted from now."""

    def __init__(self, seconds: float = MOST_SECONDS) -> None:
        self._end = time.thread_time() + seconds

    @property
    def is_over(self) -> bool:
        return time.thread_time() > self._end


def read_pickle(
    data: Any,
    start: int = 0,
    name: str = "the pickle",
    resolve: Callable[[Any], Any] | None = None,
    limit: TimeLimit | None = None,
    load: Load | None = None,
) -> tuple[Any, int]:
    """Return what the pickle at `start` of `data` (bytes, or a mapped file) describes, and where it ends.

    `resolve` returns the object of a persistent id; the default returns storages of torch. Several pickles of one file
    share a `limit`. `load` returns what a file of torch's within the pickle holds. Raises CheckpointError if it is
    damaged, too large, or takes too long.
    """
    machine = _Machine(data, start, name, resolve or storage_of, limit or TimeLimit(), load)
    try:
        return machine.run(), machine.place
    except (IndexError, KeyError, ValueError, TypeError, struct.error, OverflowError, AttributeError) as error:
        message = f"{name} is damaged: {type(error).__name__} at byte {machine.place}"
        raise CheckpointError(message, "copy the file again") from None


# From (data, first byte, how many, limit) to what torch stored there.
Load = Callable[[Any, int, int, TimeLimit], Any]


class _Mark:
    """The beginning of a group of values on the stack."""


_MARK = _Mark()


class _Machine:
    """A stack, a memo, and a position in the data, from which pickletools' readers read as from a file."""

    def __init__(
        self,
        data: Any,
        start: int,
        name: str,
        resolve: Callable[[Any], Any],
        limit: TimeLimit,
        load: Load | None,
    ) -> None:
        self._data, self.place, self._name, self._resolve, self._limit = data, start, name, resolve, limit
        self._load = load
        self._end = min(len(data), start + LARGEST_PROGRAM)
        self._stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._copied = 0

    def run(self) -> Any:
        """Return what the pickle describes. Raises CheckpointError, ValueError and its like for damage."""
        steps = 0
        while True:
            if steps % CHECK_EVERY == 0:
                if steps >= MOST_STEPS:
                    raise self._refused(f"it has more than {MOST_STEPS:,} steps")
                self._check_time()
            steps += 1
            if self.place >= self._end:
                raise self._refused("it does not end")
            code: int = self._data[self.place]
            self.place += 1
            if code == _STOP:
                break
            if code not in _OPERATIONS:
                raise self._refused("it has an opcode that no checkpoint needs")
            read, operation = _OPERATIONS[code]
            operation(self, read(self) if read else None)
        (value,) = self._stack
        return self._not_mark(value)

    def _check_time(self) -> None:
        if self._limit.is_over:
            raise self._refused(f"it takes more than {MOST_SECONDS:g} seconds")

    def _refused(self, why: str) -> CheckpointError:
        return CheckpointError(f"{self._name} was not read: {why}", "a checkpoint is not like this; do not trust it")

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes, fewer at the end, as a file does."""
        start, end = self.place, self.place + count
        self.place = end if end < self._end else self._end
        taken: bytes = self._data[start : self.place]
        return taken

    def read_or_range(self, size: int) -> bytes | ByteRange:
        """Return the next `size` bytes, or where they are if they are many. Raises ValueError if they are not there."""
        if size <= LONG:
            content = self.read(size)
            if len(content) < size:
                raise ValueError("bytes are missing")
            return content
        if self.place + size > len(self._data):
            raise ValueError("bytes are missing")
        taken = ByteRange(self.place, size)
        self.place += size
        self._end = min(len(self._data), self._end + size)
        return taken

    def readline(self) -> bytes:
        """Return the bytes to the end of the line. Raises ValueError if there is none."""
        end = self._data.find(b"\n", self.place, min(self._end, self.place + LONGEST_LINE)) + 1
        if not end:
            raise ValueError("no line end")
        return self.read(end - self.place)

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        """Take the uppermost value. Raises ValueError if it is a mark."""
        return self._not_mark(self._stack.pop())

    def top(self) -> Any:
        """Return the uppermost value. Raises ValueError if it is a mark."""
        return self._not_mark(self._stack[-1])

    def pop_any(self) -> None:
        """Drop the uppermost value, or mark."""
        self._stack.pop()

    def pop_group(self) -> list[Any]:
        """Take all values above the last mark, and the mark."""
        values: list[Any] = []
        while not isinstance(value := self._stack.pop(), _Mark):
            values.append(value)
        values.reverse()
        return values

    def drop_group(self) -> None:
        """Drop all values above the last mark, and the mark."""
        self.pop_group()

    def pop_tuple(self, count: int) -> tuple[Any, ...]:
        """Take `count` values."""
        return tuple([self.pop() for _ in range(count)][::-1])

    @staticmethod
    def _not_mark(value: Any) -> Any:
        if isinstance(value, _Mark):
            raise ValueError("a mark")
        return value

    def push_number(self, value: int) -> None:
        """Push a whole number, which may have any length in a pickle."""
        if (size := value.bit_length() // 8 + 1) > LONGEST_NUMBER:
            raise self._refused(f"it has a number of {size} bytes")
        self.push(value)

    def memoize(self, index: int) -> None:
        """Store the uppermost value under a number."""
        if len(self.memo) >= MOST_MEMOS:
            raise self._refused(f"it stores more than {MOST_MEMOS:,} values in its memo")
        self.memo[index] = self.top()

    def append(self, values: list[Any]) -> None:
        """Add `values` to the list or set below them."""
        target = self.top()
        if isinstance(target, PickledObject):
            target = target.items
        if not isinstance(target, list):
            raise ValueError("not a list")
        target.extend(values)

    def set_items(self, values: list[Any]) -> None:
        """Add keys and values, in turn, to the dict below them."""
        target = self.top()
        if isinstance(target, PickledObject):
            target = target.pairs
        if not isinstance(target, dict) or len(values) % 2:
            raise ValueError("not a dict")
        for place in range(0, len(values), 2):
            target[key_of(values[place])] = values[place + 1]
            if place % CHECK_EVERY == 0:
                self._check_time()

    def push_dict(self) -> None:
        values = self.pop_group()
        self.push({})
        self.set_items(values)

    def push_name(self) -> None:
        """Push the class whose module and name are on the stack."""
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a name")
        self.push(GlobalName(module, name))

    def reduce(self) -> None:
        """Push the result of a call whose function and arguments are on the stack."""
        arguments, called = self.pop(), self.pop()
        self.call(called, arguments)

    def reduce_ex(self) -> None:
        """Push the result of a call, without its keyword arguments."""
        self.pop()
        self.reduce()

    def call(self, called: Any, arguments: Any) -> None:
        """Push the result of a call; copies are counted, since a few bytes can ask for many."""
        if not isinstance(called, GlobalName) or not isinstance(arguments, tuple):
            raise ValueError("a call")
        self._copied += sum(len(value) for value in arguments if isinstance(value, list | dict | tuple | str))
        if self._copied > MOST_STEPS:
            raise self._refused("it copies more than it holds")
        if called == _LOAD_FROM_BYTES and self._load:
            (stored,) = arguments
            stored = stored.encode("latin-1") if isinstance(stored, str) else stored  # as Python 2 writes bytes
            data, start, size = (self._data, *stored) if isinstance(stored, ByteRange) else (stored, 0, len(stored))
            self.push(self._load(data, start, size, self._limit))
        else:
            self.push(result_of(called, arguments))

    def call_group(self) -> None:
        """Push the result of a call whose function and arguments are the last group."""
        called, *arguments = self.pop_group()
        self.call(called, tuple(arguments))

    def set_state(self) -> None:
        """Set the state of the object below it; that of a dict or a tensor is not needed."""
        state, target = self.pop(), self.top()
        if isinstance(target, PickledObject):
            if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
                state = state[0] if isinstance(state[0], dict) else state[1]  # __dict__ and __slots__
            target.state = state

    def push_persistent(self, reference: Any) -> None:
        """Push an object that is stored outside the pickle; torch stores its storages there."""
        self.push(self._resolve(reference))


def _read_quoted(stream: Any) -> str:
    """Read the argument of STRING: pickletools' own reader knows ASCII alone, and Python 2 wrote Latin-1."""
    text: Any = pickletools.read_stringnl(stream, decode=False)
    return str(text.decode("unicode_escape"))


def _bytes_of(form: str) -> Callable[[Any], Any]:
    """Return the reader of bytes whose number comes first, in this form."""
    count = struct.Struct(form)

    def read(machine: Any) -> Any:
        return machine.read_or_range(count.unpack(machine.read(count.size))[0])

    return read


def _name(argument: str) -> GlobalName:
    return GlobalName(*argument.split(" ", 1))


_Read = Callable[[Any], Any]  # a reader of pickletools, which reads from a file: here, from the machine
_Do = Callable[[_Machine, Any], None]
_STOP = ord(pickle.STOP)
_PUSHED = (
    "BINFLOAT BININT BININT1 BININT2 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 BINSTRING SHORT_BINSTRING UNICODE "
    "BINUNICODE SHORT_BINUNICODE BINUNICODE8 FLOAT"
)
_BY_NAME: dict[str, _Do] = {
    **dict.fromkeys(_PUSHED.split(), _Machine.push),
    **dict.fromkeys(("INT", "LONG", "LONG1", "LONG4"), _Machine.push_number),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, index: m.push(m.memo[index])),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.memoize),
    **dict.fromkeys(("PROTO", "FRAME"), lambda m, _: None),
    "LIST": lambda m, _: m.push(m.pop_group()),
    "FROZENSET": lambda m, _: m.push(PickledSet(m.pop_group())),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_SET": lambda m, _: m.push(PickledSet()),
    **dict.fromkeys(("APPENDS", "ADDITEMS"), lambda m, _: m.append(m.pop_group())),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), lambda m, _: m.reduce()),
    "MEMOIZE": lambda m, _: m.memoize(len(m.memo)),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "MARK": lambda m, _: m.push(_MARK),
    "POP": lambda m, _: m.pop_any(),
    "POP_MARK": lambda m, _: m.drop_group(),
    "DUP": lambda m, _: m.push(m.top()),
    "APPEND": lambda m, _: m.append([m.pop()]),
    "DICT": lambda m, _: m.push_dict(),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "SETITEM": lambda m, _: m.set_items(list(m.pop_tuple(2))),
    "SETITEMS": lambda m, _: m.set_items(m.pop_group()),
    "TUPLE": lambda m, _: m.push(tuple(m.pop_group())),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "TUPLE1": lambda m, _: m.push(m.pop_tuple(1)),
    "TUPLE2": lambda m, _: m.push(m.pop_tuple(2)),
    "TUPLE3": lambda m, _: m.push(m.pop_tuple(3)),
    "GLOBAL": lambda m, name: m.push(_name(name)),
    "STACK_GLOBAL": lambda m, _: m.push_name(),
    "NEWOBJ_EX": lambda m, _: m.reduce_ex(),
    "OBJ": lambda m, _: m.call_group(),
    "INST": lambda m, name: m.call(_name(name), tuple(m.pop_group())),
    "BUILD": lambda m, _: m.set_state(),
    "PERSID": _Machine.push_persistent,
    "BINPERSID": lambda m, _: m.push_persistent(m.pop()),
}
_OPERATIONS: dict[int, tuple[_Read | None, _Do]] = {
    ord(opcode.code): (opcode.arg.reader if opcode.arg else None, _BY_NAME[opcode.name])
    for opcode in pickletools.opcodes
    if opcode.name in _BY_NAME
} | {
    ord(pickle.STRING): (_read_quoted, _Machine.push),
    ord(pickle.BINBYTES): (_bytes_of("<I"), _Machine.push),
    ord(pickle.BINBYTES8): (_bytes_of("<Q"), _Machine.push),
    ord(pickle.BYTEARRAY8): (_bytes_of("<Q"), _Machine.push),
}
