"""What is wrong with a text before a model trains on it: damage, repetition between its parts, an odd split."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.corpora.rolling_hash import RollingHash
from tinygpt_tui.events.training import Finding
from tinygpt_tui.tokenizers.ids import Ids

Integers = NDArray[np.int64]

REPLACEMENT = "�"
# UTF-8 read as cp1252: a first byte C2 to F4 looks like one of these letters, the bytes after it like these signs.
_AFTER = "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xC0))
MOJIBAKE = re.compile(f"[Â-ô][{re.escape(_AFTER)}]{{1,3}}")
ENTITY = re.compile(r"&(?:#\d{2,5}|#x[0-9a-fA-F]{2,5}|amp|lt|gt|quot|apos|nbsp|[mn]dash|hellip|[lr][sd]quo);")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
LONGEST_SHOWN = 24

# Text that is in both parts word for word: how long a piece must be to be no accident, and how much is too much.
PIECE_CHARACTERS, PIECE_TOKENS = 64, 16
HINT_SHARE, WARNING_SHARE = 0.01, 0.1
TOKENS_AT_ONCE = 1 << 22
MOST_PIECES = 1 << 16  # of a large split, evenly spread, tell enough
FILTER_BITS = 20
UNSEEN_SHARE = 0.001


class Places(NamedTuple):
    """The first place with a kind of damage: what is there, which character, in which line; and how many there are."""

    text: str
    place: int
    line: int
    number: int = 0


@dataclass(frozen=True)
class Damage:
    """A kind of damage: its name for `check`, what to look for, and what it means."""

    check: str
    pattern: re.Pattern[str]
    what: str
    why: str


DAMAGES = (
    Damage(
        "replacement",
        re.compile(REPLACEMENT),
        "replacement characters (�)",
        "The text was read in the wrong encoding and saved: these characters are lost. "
        "Get the text again from its source.",
    ),
    Damage(
        "mojibake",
        MOJIBAKE,
        "places where UTF-8 was read as Latin-1",
        "The model would learn to write them. Open the text as UTF-8, or put the right letters back, and save it.",
    ),
    Damage(
        "entities",
        ENTITY,
        "HTML entities",
        "The text was copied from a web page. The model would learn to spell them out, letter by letter.",
    ),
    Damage(
        "controls",
        CONTROL,
        "control characters",
        "They are invisible, and each takes a place in the vocabulary. They come from a damaged file or a program.",
    ),
)


def damage_findings(parts: Iterable[str]) -> Iterator[Finding]:
    """Yield a finding for each kind of damage in a text that comes in parts, or one that says that there is none."""
    found: dict[str, Places] = {}
    start, line = 0, 1
    for lines in _whole_lines(parts):
        for damage in DAMAGES:
            places = [match for match in damage.pattern.finditer(lines) if _is_damage(damage.check, match[0])]
            if places:
                first = places[0]
                here = Places(first[0], start + first.start(), line + lines.count("\n", 0, first.start()))
                known = found.get(damage.check, here)
                found[damage.check] = known._replace(number=known.number + len(places))
        start, line = start + len(lines), line + lines.count("\n")
    for damage in DAMAGES:
        if damage.check in found:
            known = found[damage.check]
            yield Finding(
                0,
                damage.check,
                "warning" if known.number > 1 or damage.check == "replacement" else "hint",
                f"{known.number:,} {damage.what}{_shown(damage.check, known.text)}, the first in line {known.line:,}",
                damage.why,
                place=known.place,
            )
    if not found:
        yield Finding(0, "encoding", "fine", "no damage from a wrong encoding in the text")


def _whole_lines(parts: Iterable[str]) -> Iterator[str]:
    """Yield a text in pieces that end with a line."""
    rest = ""
    for part in parts:
        lines = rest + part
        end = lines.rfind("\n") + 1 or len(lines)  # without any it ends anywhere
        yield lines[:end]
        rest = lines[end:]
    yield rest


def split_findings(corpus: Corpus) -> Iterator[Finding]:
    """Yield how the corpus is split: each part's size, and tokens that only the validation part has."""
    train, validation = corpus.train, corpus.validation
    total, size = len(train) + len(validation), corpus.tokenizer.size
    known = _which(train, size)
    unseen = np.flatnonzero(_which(validation, size) & ~known)
    share = float(np.isin(validation, unseen).mean()) if len(unseen) else 0.0
    parts = (
        f"trains on {len(train):,} of {total:,} tokens ({len(train) / total:.0%}) "
        f"with {int(known.sum()):,} of {size:,} different ones"
    )
    if len(train) < len(validation):
        yield Finding(
            0,
            "split",
            "warning",
            f"the model {parts}: less than the validation split",
            "Most of the text is held out to evaluate the model, and never trained on.",
            {"validation_share": "0.1"},
        )
    elif share > UNSEEN_SHARE:
        examples = " ".join(repr(corpus.tokenizer.bytes_of(int(id)).decode("utf-8", "replace")) for id in unseen[:5])
        yield Finding(
            0,
            "split",
            "warning",
            f"{_tokens(len(unseen))} only in the validation split ({examples}): {share:.1%} of it",
            "The end of the text differs from the rest: nothing can be learned about what is only there.",
            place=_place(corpus, int(np.argmax(np.isin(validation, unseen)))),
        )
    else:
        yield Finding(0, "split", "fine", f"the model {parts}")


def _tokens(count: int) -> str:
    return "1 token is" if count == 1 else f"{count:,} different tokens are"


def repetition_findings(corpus: Corpus) -> Iterator[Finding]:
    """Yield how much of the validation split is also in the training split, word for word."""
    length = PIECE_CHARACTERS if corpus.tokenizer.name == "char" else PIECE_TOKENS
    pieces = _pieces(corpus.validation, length)
    each = max(1, len(pieces) // MOST_PIECES)
    pieces = pieces[::each]
    if not len(pieces):
        return
    seen = repeated(corpus.train, pieces, corpus.tokenizer.size)
    share = float(seen.mean())
    if share < HINT_SHARE:
        yield Finding(0, "repetition", "fine", "the two parts of the text share no long passages")
        return
    yield Finding(
        0,
        "repetition",
        "warning" if share >= WARNING_SHARE else "hint",
        f"{share:.0%} of the validation split is also in the training split, word for word",
        "The model can memorise it, so the validation loss looks better than it is. "
        "Remove repeated passages from the text, unless they belong to it.",
        place=_place(corpus, int(np.argmax(seen)) * each * length),
    )


def repeated(ids: Ids, pieces: Ids, size: int) -> NDArray[np.bool_]:
    """Return which of the pieces (P, L) are anywhere in `ids` (N,), as (P,).

    By a rolling polynomial hash modulo 2**64 over random numbers for the tokens; the probability of a collision is
    about N * P / 2**64.
    """
    count, length = pieces.shape
    table = np.random.default_rng(0).integers(1 << 63, size=size, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    rolling = RollingHash(length, TOKENS_AT_ONCE + length)
    wanted = rolling.whole(table[pieces])
    order = np.argsort(wanted)
    may_be = np.zeros(1 << FILTER_BITS, dtype=np.bool_)  # it rules most windows out, fast
    may_be[wanted >> np.uint64(64 - FILTER_BITS)] = True
    found = np.zeros(count, dtype=np.bool_)
    for start in range(0, len(ids) - length + 1, TOKENS_AT_ONCE):
        part = ids[start : start + TOKENS_AT_ONCE + length - 1]
        here = rolling.windows(table[part])
        here = here[may_be[here >> np.uint64(64 - FILTER_BITS)]]
        places = np.minimum(np.searchsorted(wanted[order], here), count - 1)
        found[places[wanted[order][places] == here]] = True
    # `found` counts by the sorted hashes; equal pieces have one place there and all of them are found.
    return np.isin(wanted, wanted[order][found])


def _which(ids: Ids, size: int) -> NDArray[np.bool_]:
    """Return which of `size` tokens occur in `ids` (N,), as (size,)."""
    found = np.zeros(size, dtype=np.bool_)
    for start in range(0, len(ids), TOKENS_AT_ONCE):
        found[np.unique(ids[start : start + TOKENS_AT_ONCE])] = True
    return found


def _place(corpus: Corpus, token: int) -> int | None:
    """Return which character a token of the validation split is; None if tokens are not characters."""
    return len(corpus.train) + token if corpus.tokenizer.name == "char" else None


def _pieces(ids: Ids, length: int) -> Ids:
    """Cut `ids` (N,) into pieces (N // length, length) side by side."""
    return ids[: len(ids) // length * length].reshape(-1, length)


def _is_damage(check: str, text: str) -> bool:
    return check != "mojibake" or bool(_mended(text))


def _shown(check: str, text: str) -> str:
    if check == "mojibake":
        return f" ({text!r} for {_mended(text)!r})"
    if check == "entities":
        return f" ({text} for {html.unescape(text)!r})"
    return "" if check == "replacement" else f" ({text[:LONGEST_SHOWN]!r})"


def _mended(text: str) -> str:
    """What a piece of text was before UTF-8 was read as cp1252 or latin-1; empty if it was not."""
    for length in range(len(text), 1, -1):
        # cp1252 leaves five bytes open, which programs read as latin-1 does.
        raw = b"".join(sign.encode("cp1252", "ignore") or sign.encode("latin-1", "ignore") for sign in text[:length])
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            continue
    return ""
