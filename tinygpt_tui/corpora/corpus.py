"""A training text and its split into the ids that a run trains on and those it is evaluated on."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from tinygpt_tui.corpora.cache import key_of, storing
from tinygpt_tui.corpora.conversations import listed
from tinygpt_tui.corpora.replies import Replies, characters_per_reply_token
from tinygpt_tui.errors import CorpusError
from tinygpt_tui.progress import exhausted
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import BPETokenizer, pieces_of
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.dialogues import MARKS, DialogueTokenizer
from tinygpt_tui.tokenizers.documents import BOUNDARY, DocumentTokenizer, is_of_characters
from tinygpt_tui.tokenizers.ids import Ids, counts_of, id_type

BETWEEN = "\n\n"  # documents that are joined
AT_ONCE = 1 << 20  # characters
LINE_WITHIN, SHORT_LINE, LONG_LINE = 1 << 16, 40, 400  # characters
REACH = 1 << 12  # characters of an excerpt before and behind its place


class Roles(msgspec.Struct, frozen=True, kw_only=True):
    """The roles in a text of conversations, by the numbers of their marks, and those whose turns are learned."""

    roles: tuple[str, ...] = ()
    replies: tuple[str, ...] = ()

    def words(self, conversations: int) -> tuple[str, str]:
        """Return what was understood of that many conversations."""
        count = f"{conversations:,} conversations" if conversations > 1 else "1 conversation"
        return f"{count}, roles {listed(self.roles)}", f"the replies of {listed(self.replies)} are learned"


@dataclass(frozen=True)
class Corpus:
    """Ids in two parts: the model is trained on `train` (N,) and evaluated on `validation` (M,).

    They take one, two or four bytes each, as few as the vocabulary permits; a model needs them as int64. Those of a
    large text are in the `file`, `train` first, of which the operating system reads what is used. The text is split at
    the same character whatever the tokenizer. `validation_characters` is 0 where each token is one character.
    `old` (K,) is another text, some of which a run mixes in. Of conversations the `replies` alone are learned.
    """

    tokenizer: Tokenizer
    train: Ids = field(repr=False)
    validation: Ids = field(repr=False)
    validation_characters: int = 0
    old: Ids = field(default_factory=lambda: np.empty(0, np.uint8), repr=False)
    file: Path | None = None
    replies: Replies | None = None

    @property
    def characters_per_token(self) -> float:
        """Characters that a token of the validation split writes on average."""
        return self.validation_characters / len(self.validation) if self.validation_characters else 1.0


class Excerpt(NamedTuple):
    """A part of a text around one of its characters: the `place` in it, and the `line` of the whole text."""

    text: str
    place: int
    line: int


@dataclass(frozen=True)
class CorpusText:
    """A text with its character counts, and notes on what had to be done to read it.

    It is its `parts` one after the other, which can be iterated over again and again.
    """

    parts: Iterable[str] = field(repr=False)
    sha256: str = ""  # of the file
    notes: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict, repr=False)
    guessed: bool = False  # its encoding
    documents: int = 0  # each ended by a BOUNDARY; 0: it is one text
    roles: Roles | None = None  # of the turns in its documents, if they are conversations
    key: str = ""  # of a large text, under which its ids are saved

    @classmethod
    def of(cls, text: str, documents: int = 0) -> CorpusText:
        """Return a text that is in memory."""
        return cls((text,), counts=counts_of(text), documents=documents)

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @property
    def plain(self) -> str:
        """The whole of it with a new line in place of each BOUNDARY."""
        return self.text.replace(BOUNDARY, "\n") if self.documents else self.text

    @property
    def characters(self) -> int:
        return sum(self.counts.values())

    @property
    def alphabet(self) -> str:
        """Each of its characters once, sorted."""
        return "".join(sorted(self.counts))

    def beginning(self, characters: int) -> str:
        """Return its first `characters`, or all if it has fewer."""
        found, left = list[str](), characters
        for piece in cut(self.parts):
            found.append(piece[:left])
            left -= len(found[-1])
            if not left:
                break
        return "".join(found)

    def plain_beginning(self, characters: int) -> str:
        """Return its first `characters` with a new line in place of each BOUNDARY."""
        found = self.beginning(characters)
        return found.replace(BOUNDARY, "\n") if self.documents else found

    def sample_line(self) -> str:
        """Return the first line near its beginning that is long enough to compare tokenizers by."""
        start = self.plain_beginning(LINE_WITHIN)
        return next((line for line in start.splitlines() if len(line) > SHORT_LINE), start)[:LONG_LINE]

    def around(self, place: int) -> Excerpt:
        """Return the text around the character number `place`."""
        near, start, lines = "", 0, 0
        for piece in cut(self.parts):
            near += piece
            far = min(max(0, place - REACH - start), len(near))
            near, start, lines = near[far:], start + far, lines + near.count("\n", 0, far)
            if start + len(near) >= place + REACH:
                break
        line = lines + near.count("\n", 0, place - start) + 1
        return Excerpt(MARKS.sub("\n", near[: place - start + REACH]), place - start, line)

    def joined(self) -> CorpusText:
        """Return the text with BETWEEN in place of each BOUNDARY: one document, and a note that says so."""
        counts = {character: count for character, count in self.counts.items() if character != BOUNDARY}
        counts["\n"] = counts.get("\n", 0) + len(BETWEEN) * self.counts.get(BOUNDARY, 0)
        note = "the model has no token for the end of a document: an empty line is in its place"
        key = self.key and key_of(self.key, BETWEEN)
        return replace(self, parts=_Joined(self.parts), counts=counts, documents=0, notes=(*self.notes, note), key=key)

    def split(self, training: TrainingSettings, tokenizer: Tokenizer | None = None) -> Corpus:
        """Turn it into ids and split it once, as `training` says: the last part is never trained on.

        Without a `tokenizer`, one of the text's own characters is made. Documents are never split.

        Raises CorpusError if a part is too short for one window and the next token.
        """
        return exhausted(self.splitting(training, tokenizer))

    def splitting(
        self, training: TrainingSettings, tokenizer: Tokenizer | None = None
    ) -> Generator[float, None, Corpus]:
        """Yield the share that is done, and return what `split` does; a caller can stop in between."""
        length, share = training.architecture.training_length, training.validation_share
        tokenizer = tokenizer or self._own_tokenizer()
        # What such a tokenizer does not know is left out, and the rest is split.
        by_ids = isinstance(tokenizer, CharTokenizer) and not self.documents
        place = self.characters if by_ids else self.place_of_split(share)
        train, validation, file = yield from self._ids(tokenizer, place)
        if by_ids:
            check_length(len(train), length, share)
            ids, (place, _) = train, _parts(len(train), share)
            return Corpus(tokenizer, ids[:place], ids[place:], file=file)
        if not _fits(len(train), len(validation), length):
            raise CorpusError(
                f"the corpus has {len(train):,} tokens to train on and {len(validation):,} for validation; a window of "
                f"{length} needs more",
                f"choose a longer text, a smaller tokenizer, or a block size below {len(train)}",
            )
        characters = self.characters - place
        if replies := Replies.of(tokenizer):
            each = [characters_per_reply_token(part, replies, tokenizer) for part in (train, validation)]
            if not all(each):
                where = "validation part" if each[0] else "training part"
                raise CorpusError(
                    f"no reply of {', '.join(tokenizer.replies)} is in the {where} of the text",  # type: ignore[attr-defined]
                    "choose other replies (--replies), a longer text, or --turns none: all of it is learned",
                )
            characters = round(each[1] * len(validation))
        characters = 0 if is_of_characters(tokenizer) else characters
        return Corpus(tokenizer, train, validation, characters, file=file, replies=replies)

    def _own_tokenizer(self) -> Tokenizer:
        if self.roles is None:
            return CharTokenizer.of_counts(self.counts)
        counts = {character: count for character, count in self.counts.items() if not MARKS.match(character)}
        return DialogueTokenizer(CharTokenizer.of_counts(counts), self.roles.roles, self.roles.replies)

    def place_of_split(self, share: float) -> int:
        """Return the character at which the validation part begins: behind a document, if there are several.

        That is the one that ends nearest before the validation share, else the first.
        """
        place, _ = _parts(self.characters, share)
        if not self.documents:
            return place
        read = end = 0
        for piece in cut(self.parts):
            found = piece.rfind(BOUNDARY, 0, max(0, place - read))
            found = piece.find(BOUNDARY) if found < 0 and not end else found
            end = read + found + 1 if found >= 0 else end
            read += len(piece)
            if end and read >= place:
                break
        return end

    def _ids(self, tokenizer: Tokenizer, place: int) -> Generator[float, None, tuple[Ids, Ids, Path | None]]:
        """Yield the share that is done; return the ids before and behind `place`, and the file that they are in."""
        parts, dtype = self._encoding(tokenizer, place), id_type(tokenizer.size)
        if self.key:
            wanted = self.characters * dtype.itemsize if is_of_characters(tokenizer) else 0
            found = yield from storing(key_of(self.key, tokenizer.to_dict(), place), dtype, parts, wanted)
            return found.train, found.validation, found.path
        halves: tuple[list[Ids], list[Ids]] = ([], [])
        for done, is_validation, ids in parts:
            halves[is_validation].append(ids)
            yield done
        train, validation = (np.concatenate([np.empty(0, dtype), *half]) for half in halves)
        return train, validation, None

    def _encoding(self, tokenizer: Tokenizer, place: int) -> Iterator[tuple[float, bool, Ids]]:
        """Yield the share that is done, whether this is behind `place`, and ids, some at a time."""
        read = 0

        def pieces() -> Iterator[tuple[bool, str]]:
            nonlocal read
            for piece in cut(self.parts):
                before = max(0, place - read)
                read += len(piece)
                yield from (
                    (behind, part) for behind, part in ((False, piece[:before]), (True, piece[before:])) if part
                )

        for behind, group in groupby(pieces(), key=itemgetter(0)):
            for ids in _ids_of(tokenizer, (piece for _, piece in group), AT_ONCE if self.key else self.characters):
                yield read / self.characters, behind, ids


class _Joined:
    """The parts of a text with BETWEEN in place of each BOUNDARY."""

    def __init__(self, parts: Iterable[str]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[str]:
        return (part.replace(BOUNDARY, BETWEEN) for part in self._parts)


def cut(parts: Iterable[str]) -> Iterator[str]:
    """Yield a text piece by piece."""
    for part in parts:
        for start in range(0, len(part), AT_ONCE):
            yield part[start : start + AT_ONCE]


def _ids_of(tokenizer: Tokenizer, pieces: Iterator[str], most: int) -> Iterator[Ids]:
    if isinstance(tokenizer, CharTokenizer | BPETokenizer | ByteTokenizer | DocumentTokenizer):
        yield from tokenizer.encoding(pieces)
    else:
        # Such a tokenizer may put a mark before each text that it is given: a text that fits in memory is given whole.
        for piece in pieces_of(pieces, most):
            yield np.array(tokenizer.encode(piece), dtype=id_type(tokenizer.size))


def check_length(count: int, block_size: int, validation_share: float) -> None:
    """Raise CorpusError if a text of `count` characters is too short for windows of `block_size` in both its parts."""
    train, validation = _parts(count, validation_share)
    if not _long_enough(count, block_size, validation_share):
        smaller = f", or a block size of at most {train // 2}" if train >= 2 and validation >= 2 else ""
        raise CorpusError(
            f"the corpus has {count} characters; a window of {block_size} needs at least "
            f"{_shortest(block_size, validation_share)}",
            f"choose a longer text{smaller}",
        )


def _parts(length: int, validation_share: float) -> tuple[int, int]:
    """Return how many of `length` ids are trained on, and how many are for validation."""
    cut = int(length * (1 - validation_share))
    return cut, length - cut


def _long_enough(length: int, block_size: int, validation_share: float) -> bool:
    return _fits(*_parts(length, validation_share), block_size)


def _fits(train: int, validation: int, block_size: int) -> bool:
    return train > block_size and validation >= 2


def _shortest(block_size: int, validation_share: float) -> int:
    # The parts are rounded, so a formula may be one off; it says where to start searching.
    guess = max(int((block_size + 1) / (1 - validation_share)), int(1 / validation_share))
    near = range(guess, guess + 8)
    return next((length for length in near if _long_enough(length, block_size, validation_share)), near.stop)
