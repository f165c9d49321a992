"""A tokenizer.json of Hugging Face's library, which encodes: pre-tokenizers, special tokens and marks of a beginning.

What each id is in bytes is known here, so that a stream can wait for the rest of a character. Read are byte-level BPE
and sentencepiece's forms, with bytes for what has no piece; the order of ids is the file's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.packages import require
from tinygpt_tui.tokenizers.bpe import MOST_TOKENS, bytes_of_letters

BLANK = "▁"  # in sentencepiece's pieces
_BYTE = re.compile("<0x([0-9A-F]{2})>")
_AGAIN = "copy the file again, or name another vocabulary: --vocabulary FILE"


class HuggingFaceTokenizer:
    """What a tokenizer.json describes; `end_of_text` is the id by which the model ends a text."""

    name = "hugging-face"

    def __init__(self, content: Mapping[str, Any], end_of_text: int | None = None) -> None:
        """`content` is the file's. Raises CheckpointError where it is damaged, or of a kind that is not read."""
        self._content = {**content, "truncation": None, "padding": None}  # a long text stays whole
        model = content.get("model")
        if not isinstance(model, dict):
            raise CheckpointError("tokenizer.json has no model", _AGAIN)
        pieces = _pieces(model)
        added = {token["id"]: token for token in _added(content)}
        self.size = max((*pieces, *added), default=-1) + 1
        if not 0 < self.size <= MOST_TOKENS:
            raise CheckpointError(f"a vocabulary of {self.size:,} tokens cannot be", _AGAIN)
        silent = _placed_around(content.get("post_processor"))
        is_bytes = "ByteLevel" in {*_types(content.get("decoder")), *_types(content.get("pre_tokenizer"))}
        if not is_bytes and not {"Metaspace", "Replace"} & {*_types(content.get("decoder"))}:
            raise CheckpointError("tokenizer.json writes its pieces in a way that is not read", _AGAIN)
        in_bytes = model.get("byte_fallback") is True
        self._bytes = [b""] * self.size
        for id, piece in pieces.items():
            self._bytes[id] = bytes_of_letters(piece) if is_bytes else _bytes_of_piece(piece, in_bytes)
        for id, token in added.items():
            self._bytes[id] = b"" if id in silent else _utf8(token["content"])
        self.end_of_text = end_of_text if end_of_text is not None and 0 <= end_of_text < self.size else None
        self._known = frozenset(piece for piece in self._bytes if piece)
        named = next((id for id, piece in pieces.items() if piece == model.get("unk_token")), None)
        self._unknown = model.get("unk_id", named)
        self._engine: Any = None

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> HuggingFaceTokenizer:
        """Make the tokenizer that `to_dict` described. Raises CheckpointError."""
        stored, end = content.get("content"), content.get("end_of_text")
        if not isinstance(stored, dict) or not (end is None or type(end) is int):
            raise CheckpointError("tokenizer.json has no content", "the file is damaged")
        return cls(stored, end)

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`, with what the tokenizer puts around it; what has no id is left out."""
        unknown = set(self.unknown_in(text))
        if unknown:
            text = "".join(character for character in text if character not in unknown)
        ids: list[int] = self._encoder().encode(text).ids
        return ids

    def bytes_of(self, id: int) -> bytes:
        """Return the bytes of one id; they may be a part of a character, and of a mark around a text none."""
        return self._bytes[id]

    def unknown_in(self, text: str) -> str:
        return "".join(character for character in dict.fromkeys(text) if not self._knows(character))

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "content": self._content, "end_of_text": self.end_of_text}

    def _knows(self, character: str) -> bool:
        if "\ud800" <= character <= "\udfff":
            return False
        bytes_ = character.encode("utf-8")
        if bytes_ in self._known or all(bytes((byte,)) in self._known for byte in bytes_):
            return True
        try:
            ids = self._encoder().encode(character, add_special_tokens=False).ids  # a rule may write it in another way
        except Exception:  # what the library raises where a Unigram has no id for what it does not know
            return False
        return self._unknown not in ids and bool(b"".join(self._bytes[id] for id in ids).strip())

    def _encoder(self) -> Any:
        if self._engine is None:
            self._engine = _engine(self._content)
        return self._engine


def _engine(content: Mapping[str, Any]) -> Any:
    require("tokenizers", "this model's tokenizer")
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_str(json.dumps(content))
    except BaseException as error:  # the library's own panics are no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        raise CheckpointError(f"tokenizer.json is not read by its library: {str(error)[:200]}", _AGAIN) from None


def _pieces(model: Mapping[str, Any]) -> dict[int, str]:
    """Return the pieces by their ids: BPE writes them as a dict, Unigram as rows of piece and score."""
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, list) and all(isinstance(row, list) and row for row in vocabulary):
        pairs = [(row[0], id) for id, row in enumerate(vocabulary)]
    elif isinstance(vocabulary, dict):
        pairs = list(vocabulary.items())
    else:
        raise CheckpointError("tokenizer.json has no vocabulary", _AGAIN)
    if model.get("type", "BPE") not in ("BPE", "Unigram"):
        kind = str(model.get("type"))[:40]
        raise CheckpointError(f"a tokenizer of the kind {kind!r} is not read", "choose one of the kind BPE or Unigram")
    if not all(isinstance(piece, str) and _is_id(id) for piece, id in pairs):
        raise CheckpointError("the vocabulary has a token that is no text, or an id that is none", _AGAIN)
    return {id: piece for piece, id in pairs}


def _added(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    told = content.get("added_tokens")
    for token in told if isinstance(told, list) else []:
        if not isinstance(token, dict) or not isinstance(token.get("content"), str) or not _is_id(token.get("id")):
            raise CheckpointError("tokenizer.json has an added token that is none", _AGAIN)
        yield token


def _is_id(value: object) -> bool:
    return type(value) is int and 0 <= value < MOST_TOKENS


def _placed_around(processor: object) -> set[int]:
    """Return the ids that a post-processor puts before or behind every text."""
    found: set[int] = set()
    for part in _parts(processor):
        special = part.get("special_tokens")
        for entry in special.values() if isinstance(special, dict) else []:
            ids = entry.get("ids") if isinstance(entry, dict) else None
            found.update(id for id in (ids if isinstance(ids, list) else []) if type(id) is int)
    return found


def _types(step: object) -> Iterator[str]:
    return (str(part.get("type")) for part in _parts(step))


def _parts(step: object) -> Iterator[Mapping[str, Any]]:
    """Yield a step of the tokenizer, and those that it is a sequence of."""
    if not isinstance(step, dict):
        return
    yield step
    for name in ("decoders", "pretokenizers", "processors", "normalizers"):
        inner = step.get(name)
        for part in inner if isinstance(inner, list) else []:
            if isinstance(part, dict):
                yield part


def _bytes_of_piece(piece: str, in_bytes: bool) -> bytes:
    byte = _BYTE.fullmatch(piece) if in_bytes else None
    return bytes([int(byte[1], 16)]) if byte else _utf8(piece.replace(BLANK, " "))


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise CheckpointError("the vocabulary has a token that is no text", _AGAIN) from None
