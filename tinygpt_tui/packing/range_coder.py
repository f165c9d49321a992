"""A range coder: symbols with integer frequencies to bytes and back, with Python's exact integers.

Source: Martin 1979, "Range encoding: an algorithm for removing redundancy from a digitised message".
"""

from __future__ import annotations

_BITS = 64  # of the range; a total has up to 2 ** (_BITS - 8) = 2 ** 56
_TOP = _BITS - 8
_WHOLE, _LEAST = 1 << _BITS, 1 << _TOP
_AHEAD = _BITS // 8  # bytes that are read before they decide anything


class Encoder:
    """Takes symbols one by one; `finish` returns the bytes."""

    def __init__(self) -> None:
        self._low, self._range = 0, _WHOLE
        self._bytes = bytearray()

    def encode(self, start: int, size: int, total: int) -> None:
        """Add the symbol with the frequencies from `start` to `start + size` of `total`."""
        each = self._range // total
        self._low += each * start
        self._range = each * size
        if self._low >= _WHOLE:
            self._carry()
        while self._range <= _LEAST:
            self._bytes.append(self._low >> _TOP)
            self._low = (self._low << 8) % _WHOLE
            self._range <<= 8

    def finish(self) -> bytes:
        """Return the bytes of all symbols: of the numbers in the last range, the one that ends earliest."""
        for bits in range(_BITS, -1, -8):
            low = -(-self._low >> bits) << bits
            if low < self._low + self._range:
                break
        self._low = low
        if self._low >= _WHOLE:
            self._carry()
        tail = self._low.to_bytes(_AHEAD, "big")[: _AHEAD - bits // 8]
        return bytes(self._bytes) + tail

    def _carry(self) -> None:
        self._low -= _WHOLE
        place = len(self._bytes) - 1
        while self._bytes[place] == 0xFF:
            self._bytes[place] = 0
            place -= 1
        self._bytes[place] += 1


class Decoder:
    """Gives back what an Encoder took, if asked with the same totals."""

    def __init__(self, data: bytes) -> None:
        self._data, self._next = data, _AHEAD
        self._code = int.from_bytes(data[:_AHEAD].ljust(_AHEAD, b"\0"), "big")
        self._range = _WHOLE
        self._each = 0

    @property
    def is_past_end(self) -> bool:
        """Whether it has decided by bytes that no Encoder wrote."""
        return self._next > len(self._data) + _AHEAD

    def target(self, total: int) -> int:
        """Return a number below `total` that is one of the next symbol's frequencies."""
        self._each = self._range // total
        return min(self._code // self._each, total - 1)

    def decode(self, start: int, size: int) -> None:
        """Remove the symbol with these frequencies, which `target` named."""
        self._code -= self._each * start
        self._range = self._each * size
        while self._range <= _LEAST:
            byte = self._data[self._next] if self._next < len(self._data) else 0
            self._code = (self._code << 8) % _WHOLE | byte
            self._next += 1
            self._range <<= 8
