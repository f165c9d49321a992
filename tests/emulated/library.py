"""The native engine of another platform as this Python's own: driver.c runs it under an emulator, behind a pipe."""

from __future__ import annotations

import ctypes
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from tinygpt_tui.native.library import Job, Layer, Library, Matrix, Net, Text
from tinygpt_tui.native.panels import padded
from tinygpt_tui.native.weights import NativeWeights

ALIGNED = 64
SLACK = 8192  # bytes behind the weights: the engine asks for those of a page ahead
NAME = 256


class EmulatedLibrary(Library):
    """For one NativeEngine: one model, one text."""

    def __init__(self, command: Sequence[str], library: str, weights: NativeWeights) -> None:
        """`command` starts the driver, which finds the library under the name `library`."""
        self._weights, self._name = weights, library
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._floats: tuple[int, int, int] | None = None

    def close(self) -> None:
        """End the driver. Raises AssertionError where it failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(240) == 0

    def memory_floats(self, net: int) -> int:
        """Return what gpt_memory_floats does."""
        return self._begin(net)[0]

    def work_floats(self, net: int) -> int:
        """Return what gpt_work_floats does."""
        return self._begin(net)[1]

    def prefers_avx2(self) -> bool:
        """Return what gpt_prefers_avx2 does, once an engine was made."""
        assert self._floats is not None
        return bool(self._floats[2])

    def read(self, address: int) -> None:
        """Do what gpt_read does with the job at `address`."""
        job = Job.from_address(address)
        assert job.n_texts == 1
        text = Text.from_address(ctypes.c_void_p.from_address(job.texts).value or 0)
        self._send(bytes(job) + bytes(text) + ctypes.string_at(job.ids, 4 * job.count))
        told = Text.from_buffer_copy(self._receive(ctypes.sizeof(Text)))
        text.position, text.slot, text.last = told.position, told.slot, told.last
        if job.logits:
            rows = job.count if job.every else 1
            size = rows * self._row
            ctypes.memmove(job.logits, self._receive(size), size)

    @property
    def _row(self) -> int:
        return 4 * padded(self._weights.settings.vocab_size)

    def _begin(self, address: int) -> tuple[int, int, int]:
        """Send the net, its layers and the weights, once."""
        if self._floats is None:
            image, pointers = image_of(Net.from_address(address), self._weights)
            sizes = struct.pack("<4q", len(image), len(pointers), self._row, self._weights.settings.block_size)
            self._send(self._name.encode().ljust(NAME, b"\0") + sizes + image)
            self._send(struct.pack(f"<{len(pointers)}q", *pointers))
            first, second, third = struct.unpack("<3q", self._receive(24))
            self._floats = first, second, third
        return self._floats

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def _receive(self, size: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(size)
        assert len(data) == size, f"the driver ended with {self._process.wait()}"
        return data


def image_of(net: Net, weights: NativeWeights) -> tuple[bytes, list[int]]:
    """Return net, layers and weights as one block, in which a pointer is an offset, and where the pointers are."""
    layers = (Layer * weights.settings.n_layer).from_address(net.layers)
    parts: list[Mapping[str, NDArray[Any]]] = [weights.net, *weights.layers]
    blocks: dict[int, bytes] = {ctypes.addressof(net): bytes(net), net.layers: bytes(layers)}
    blocks |= {array.ctypes.data: array.tobytes() for part in parts for array in part.values() if array.nbytes}
    offsets, end = {}, 0
    for address, data in blocks.items():
        offsets[address], end = end, -(-(end + len(data)) // ALIGNED) * ALIGNED
    image = bytearray(end + SLACK)
    for address, data in blocks.items():
        image[offsets[address] : offsets[address] + len(data)] = data
    pointers = []
    for structure in (net, *layers):
        base = ctypes.addressof(structure)
        start = offsets.get(base, offsets[net.layers] + base - net.layers)
        for at, value in _pointers(structure):
            if value in offsets:
                struct.pack_into("<q", image, start + at, offsets[value])
                pointers.append(start + at)
            else:  # of an array of no numbers, or NULL
                struct.pack_into("<q", image, start + at, 0)
    return bytes(image), pointers


def _pointers(structure: ctypes.Structure) -> Iterator[tuple[int, int | None]]:
    """Yield the offset and the value of every pointer in a structure."""
    for field in type(structure)._fields_:
        name, kind = field[0], field[1]
        at = getattr(type(structure), name).offset
        if kind is Matrix:
            yield from ((at + inner, value) for inner, value in _pointers(getattr(structure, name)))
        elif kind is ctypes.c_void_p:
            yield at, getattr(structure, name)
