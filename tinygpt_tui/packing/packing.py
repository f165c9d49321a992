"""A text to arithmetic code by a model's probabilities, and back, byte by byte.

Each symbol is one of the model's tokens or, for what it has no token for, a byte: which of the two, by how often each
came; then the token by the model's frequencies, or the byte by how often each came after the one before it. The model
does not see the bytes.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from numpy import searchsorted

from tinygpt_tui.errors import EngineError, NotFoundError
from tinygpt_tui.native.library import BUILD
from tinygpt_tui.packing.frequencies import Counts, cumulative
from tinygpt_tui.packing.packed_file import Packed, damaged
from tinygpt_tui.packing.predictor import Predictor
from tinygpt_tui.packing.range_coder import Decoder, Encoder
from tinygpt_tui.tokenizers.base import Tokenizer

_PIECE = 1 << 16  # characters that become ids at once
_SAY_EVERY = 200  # symbols between two shares of progress
_TOKEN, _BYTE = 0, 1


@dataclass(frozen=True)
class Done:
    """A packed text: its file, and what it took. `nats` are what the model's tokens cost by its frequencies."""

    packed: Packed
    characters: int
    unknown_bytes: int
    nats: float


class _Kinds:
    """The adaptive frequencies: token or byte, and which byte; both after the last one."""

    def __init__(self) -> None:
        self._kinds = Counts(2, gain=2), Counts(2, gain=2)
        self._bytes: dict[int, Counts] = {}
        self._last_kind, self._last_byte = _TOKEN, 0

    @property
    def kinds(self) -> Counts:
        return self._kinds[self._last_kind]

    @property
    def bytes(self) -> Counts:
        return self._bytes.setdefault(self._last_byte, Counts(256, gain=24))

    def add_kind(self, kind: int) -> None:
        self.kinds.add(kind)
        self._last_kind = kind

    def add_byte(self, byte: int) -> None:
        self.bytes.add(byte)
        self._last_byte = byte


def packing(data: bytes, predictor: Predictor) -> Generator[float, None, Done]:
    """Yield the share of `data` that is packed, again and again; return it packed."""
    text = data.decode("utf-8", "surrogateescape")
    encoder, kinds, engine = Encoder(), _Kinds(), predictor.engine
    logits = engine.prefill(predictor.first)
    bits = 0.0
    done = unknown = 0
    for number, (token, piece) in enumerate(symbols(text, predictor.tokenizer)):
        kind = _BYTE if token is None else _TOKEN
        encoder.encode(*kinds.kinds.span(kind), kinds.kinds.total)
        kinds.add_kind(kind)
        if token is None:
            encoder.encode(*kinds.bytes.span(piece[0]), kinds.bytes.total)
            kinds.add_byte(piece[0])
            unknown += 1
        else:
            sums = cumulative(logits)
            start, end, total = sums.item(token - 1) if token else 0, sums.item(token), sums.item(-1)
            encoder.encode(start, end - start, total)
            bits += math.log2(total / (end - start))
            logits = engine.step(token)
        done += len(piece)
        if number % _SAY_EVERY == 0:
            yield done / len(data)
    packed = Packed(
        predictor.name,
        predictor.mark,
        predictor.engine_name,
        predictor.engine_mark,
        len(data),
        zlib.crc32(data),
        encoder.finish(),
    )
    return Done(packed, len(text), unknown, bits * math.log(2))


def unpacking(
    path: Path, packed: Packed, predictor: Predictor, write: Callable[[bytes], object]
) -> Generator[float, None, None]:
    """Give the text of `packed`, which was read from `path`, to `write` bit by bit; yield the share that is done.

    Raises NotFoundError for another model than it was packed with, EngineError for an engine that computes other
    probabilities, CorpusError where the file is not what `packing` made.
    """
    _check(path, packed, predictor)
    decoder, kinds, engine, tokenizer = Decoder(packed.code), _Kinds(), predictor.engine, predictor.tokenizer
    logits = engine.prefill(predictor.first)
    part = bytearray()
    left, crc, number = packed.size, 0, 0
    while left > 0:
        kind = kinds.kinds.symbol_at(decoder.target(kinds.kinds.total))
        decoder.decode(*kinds.kinds.span(kind))
        kinds.add_kind(kind)
        if kind == _BYTE:
            byte = kinds.bytes.symbol_at(decoder.target(kinds.bytes.total))
            decoder.decode(*kinds.bytes.span(byte))
            kinds.add_byte(byte)
            piece = bytes([byte])
        else:
            sums = cumulative(logits)
            token = int(searchsorted(sums, decoder.target(sums.item(-1)), side="right"))
            start = sums.item(token - 1) if token else 0
            decoder.decode(start, sums.item(token) - start)
            piece = tokenizer.bytes_of(token)
            logits = engine.step(token)
        left -= len(piece)
        if not piece or left < 0 or decoder.is_past_end:
            raise damaged(path)
        part += piece
        number += 1
        if number % _SAY_EVERY == 0 or not left:
            crc = zlib.crc32(part, crc)
            write(bytes(part))
            part.clear()
            yield 1 - left / packed.size
    if crc != packed.crc:  # the file is as it was written: its own sum was right
        raise _other_engine(path, packed, predictor)


def symbols(text: str, tokenizer: Tokenizer) -> Iterator[tuple[int | None, bytes]]:
    """Yield a text, decoded with surrogateescape, as ids with their bytes, and None with each byte that has no id.

    >>> from tinygpt_tui.tokenizers.char import CharTokenizer
    >>> list(symbols("abä", CharTokenizer("ab")))
    [(0, b'a'), (1, b'b'), (None, b'\\xc3'), (None, b'\\xa4')]
    """
    for start in range(0, len(text), _PIECE):
        part = text[start : start + _PIECE]
        broken = "\udc80-\udcff"
        strange = re.escape(tokenizer.unknown_in(re.sub(f"[{broken}]", "", part)))
        for place, piece in enumerate(re.split(f"([{broken}{strange}]+)", part)):
            content = piece.encode("utf-8", "surrogateescape")
            ids = tokenizer.encode(piece) if place % 2 == 0 else []
            pairs = [(id, found) for id in ids if (found := tokenizer.bytes_of(id))]
            if b"".join(found for _, found in pairs) == content:
                yield from pairs
            else:
                yield from ((None, content[at : at + 1]) for at in range(len(content)))


def _check(path: Path, packed: Packed, predictor: Predictor) -> None:
    if packed.model_mark != predictor.mark:
        raise NotFoundError(
            f"{path.name} needs the model {packed.model} with the mark {packed.model_mark.hex()}; "
            f"{predictor.name} has the mark {predictor.mark.hex()}",
            "the model was trained, calibrated or changed since; --model names another one",
        )
    if (packed.engine, packed.engine_mark) != (predictor.engine_name, predictor.engine_mark):
        raise _other_engine(path, packed, predictor)


def _other_engine(path: Path, packed: Packed, predictor: Predictor) -> EngineError:
    needs, has = packed.engine or "the native engine", predictor.engine_name or "the native engine"
    if needs == has:
        return EngineError(
            f"{path.name} was packed by {needs} on a machine that computes other probabilities than this one",
            "unpack it there",
        )
    hint = "unpack it there" if packed.engine else f"build the native engine: {BUILD}"
    return EngineError(f"{path.name} was packed by {needs}; here it is {has}, which computes other probabilities", hint)
