"""GPT-2's byte-level BPE: frequent strings of bytes are one token, and any text can be written.

The `tokenizers` library trains and encodes; what each id is in bytes is known here, so that a stream can wait for the
rest of a character. Source: Radford et al. 2019, section 2.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.packages import require
from tinygpt_tui.reading import decode

if TYPE_CHECKING:
    from tinygpt_tui.tokenizers.ids import Ids

MOST_TOKENS = 1 << 20
END_OF_TEXT = "<|endoftext|>"
PIECE = 1 << 16  # characters that are encoded at once: the library needs about 100 bytes for each
PIECES_AT_ONCE = 16  # the library shares them among the cores


class BPETokenizer:
    """Knows a vocabulary and the order in which its parts are joined."""

    name = "bpe"

    def __init__(
        self, vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]], special: Sequence[str] = (END_OF_TEXT,)
    ) -> None:
        """`vocabulary` in GPT-2's writing of bytes as letters; `special` are tokens that are never taken apart.

        Raises CheckpointError where ids are missing, or a merge names what is not there.
        """
        _check(vocabulary, merges)
        self.size = len(vocabulary)
        self.vocabulary, self.merges = dict(vocabulary), list(merges)
        self.special = [token for token in special if token in vocabulary]
        self.end_of_text = vocabulary.get(END_OF_TEXT) if END_OF_TEXT in self.special else None
        self._bytes = [b""] * self.size
        for token, id in vocabulary.items():
            self._bytes[id] = token.encode("utf-8") if token in self.special else bytes_of_letters(token)
        self._known = frozenset(byte for token in self._bytes for byte in token if len(token) == 1)
        self._engine: Any = None

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> BPETokenizer:
        """Make the tokenizer that `to_dict` described. Raises CheckpointError."""
        vocabulary, merges, special = content.get("vocabulary"), content.get("merges"), content.get("special", [])
        if not isinstance(vocabulary, dict) or not isinstance(merges, list) or not isinstance(special, list):
            raise CheckpointError("tokenizer.json has no vocabulary and merges", "the file is damaged")
        return cls(vocabulary, [_pair(merge) for merge in merges], [str(token) for token in special])

    @classmethod
    def trained_on(cls, text: str, size: int) -> BPETokenizer:
        """Join the most frequent neighbours in `text` until there are `size` tokens, the 256 bytes among them.

        A short or uniform text gives fewer. Raises MissingPackageError.
        """
        require("tokenizers", "training a tokenizer")
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = list(letters_of_bytes().values())
        trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
        made.train_from_iterator(pieces_of((_without_halves(text),), PIECE), trainer)
        model = decode(made.to_str())["model"]
        return cls(model["vocab"], [_pair(merge) for merge in model["merges"]])

    def first(self, count: int) -> BPETokenizer:
        """Return the tokenizer with only the first `count` merges: what training one of that size gives."""
        merges = self.merges[:count]
        wanted = {left + right for left, right in merges} - set(self.special)
        wanted |= {token for token in self.vocabulary if len(token) == 1} | set(self.special)
        tokens = sorted(wanted, key=self.vocabulary.__getitem__)
        return BPETokenizer({token: id for id, token in enumerate(tokens)}, merges, self.special)

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; characters with a byte that has no token are left out."""
        ids: list[int] = self._encoder().encode(self._without_unknown(text)).ids
        return ids

    def encode_many(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Yield the ids of each text; the library shares them among the cores."""
        for found in self._encoder().encode_batch_fast([self._without_unknown(text) for text in texts]):
            yield found.ids

    def encoding(self, pieces: Iterable[str]) -> Iterator[Ids]:
        """Yield the ids of a text that comes in `pieces`, wherever it is cut."""
        import numpy as np

        from tinygpt_tui.tokenizers.ids import id_type

        dtype = id_type(self.size)
        for batch in batched(pieces_of(pieces, PIECE), PIECES_AT_ONCE):
            for ids in self.encode_many(batch):
                yield np.array(ids, dtype=dtype)

    def bytes_of(self, id: int) -> bytes:
        """Return the bytes of one id; they may begin or end inside a character."""
        return self._bytes[id]

    def unknown_in(self, text: str) -> str:
        characters = dict.fromkeys(text)
        return "".join(character for character in characters if not self._can_write(character))

    def to_dict(self) -> dict[str, Any]:
        merges = [" ".join(merge) for merge in self.merges]
        return {"name": self.name, "vocabulary": self.vocabulary, "merges": merges, "special": self.special}

    def _can_write(self, character: str) -> bool:
        return not "\ud800" <= character <= "\udfff" and self._known.issuperset(character.encode("utf-8"))

    def _without_unknown(self, text: str) -> str:
        unknown = set(self.unknown_in(text))
        return "".join(character for character in text if character not in unknown) if unknown else text

    def _encoder(self) -> Any:
        if self._engine is None:
            self._engine = _engine(self.vocabulary, self.merges, self.special)
        return self._engine


def letters_of_bytes() -> dict[int, str]:
    """Return the letter that GPT-2 writes for each byte: printable ones stand for themselves."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + place) for place, byte in enumerate(others)}


_BYTES = {letter: byte for byte, letter in letters_of_bytes().items()}


def bytes_of_letters(token: str) -> bytes:
    """Return what a token is; one with a letter that stands for no byte is its own UTF-8."""
    if all(letter in _BYTES for letter in token):
        return bytes(_BYTES[letter] for letter in token)
    return token.encode("utf-8", "replace")


def pieces_of(parts: Iterable[str], length: int) -> Iterator[str]:
    """Cut a text that comes in parts into pieces of about `length` characters, in front of white space.

    No token begins before and ends after the first white space behind a word: the pieces have the ids of the whole.
    Without white space a piece ends anywhere.
    """
    text = ""
    for part in parts:
        text, start = text + part, 0
        while len(text) - start > length:
            end = start + length
            while end > start and not (text[end].isspace() and not text[end - 1].isspace()):
                end -= 1
            end = end if end > start else start + length
            yield text[start:end]
            start = end
        text = text[start:]
    if text:
        yield text


def _without_halves(text: str) -> str:
    """Return `text` without halves of surrogate pairs, which have no bytes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "ignore").decode("utf-8")
    return text


def batched(pieces: Iterable[str], count: int) -> Iterator[list[str]]:
    """Yield the pieces in lists of `count`; the last may be shorter."""
    batch: list[str] = []
    for piece in pieces:
        batch.append(piece)
        if len(batch) == count:
            yield batch
            batch = []
    if batch:
        yield batch


def _pair(merge: object) -> tuple[str, str]:
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if not isinstance(parts, list | tuple) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
        raise CheckpointError(f"a merge is not two parts: {str(merge)[:40]!r}", "the file is damaged")
    return str(parts[0]), str(parts[1])


def _check(vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> None:
    size = len(vocabulary)
    if not 0 < size <= MOST_TOKENS or len(merges) > MOST_TOKENS:
        raise CheckpointError(f"a vocabulary of {size:,} tokens cannot be", "the file is damaged")
    in_range = all(type(id) is int and 0 <= id < size for id in vocabulary.values())
    if not in_range or len(set(vocabulary.values())) != size:
        raise CheckpointError("the vocabulary's ids are not 0, 1, 2 …", "the file is damaged")
    if not all(isinstance(token, str) and token and _encodable(token) for token in vocabulary):
        raise CheckpointError("the vocabulary has a token that is no text", "the file is damaged")
    for left, right in merges:
        if left not in vocabulary or right not in vocabulary or left + right not in vocabulary:
            raise CheckpointError(f"the merge {left!r} {right!r} has no token", "the files are of different models")


def _encodable(token: str) -> bool:
    try:
        token.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _engine(vocabulary: dict[str, int], merges: list[tuple[str, str]], special: list[str]) -> Any:
    require("tokenizers", "this model's tokenizer")
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=False))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return made
