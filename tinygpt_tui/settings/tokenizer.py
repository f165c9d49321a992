"""What a run's tokenizer is made of, as a user types it: `characters`, `bytes`, `bpe:512`, or a file.

Characters that are frequent enough, and bytes for all others, are `characters:N`.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from tinygpt_tui.errors import UsageError

CHARACTERS, BYTES = "characters", "bytes"
SMALLEST, LARGEST = 256, 65_536  # tokens of a BPE: the bytes alone, and what two bytes an id can number
MOST_DIGITS = 9  # of a number
_FREQUENT = re.compile(r"char(?:acter)?s?[ :=-]+([\d_,.]*)", re.IGNORECASE)
_BPE = re.compile(r"bpe[ :=-]*([\d_,.]*)", re.IGNORECASE)


class TokenizerChoice(NamedTuple):
    """A tokenizer that is to be made: of which kind, for a BPE of how many tokens, else from which file.

    With byte fallback a character is a token if it occurs `fewest` times, and else its bytes are.
    """

    kind: Literal["characters", "fallback", "bytes", "bpe", "file"]
    size: int = 0
    path: str = ""
    fewest: int = 0

    @property
    def name(self) -> str:
        """Its one form in files."""
        match self.kind:
            case "file":
                return self.path
            case "bpe":
                return f"bpe:{self.size}"
            case "fallback":
                return f"{CHARACTERS}:{self.fewest}"
        return self.kind


def tokenizer_choice(text: str) -> TokenizerChoice:
    """Return what `text` names. Raises UsageError for a number that is missing, or cannot be.

    >>> tokenizer_choice("bpe 4,096")
    TokenizerChoice(kind='bpe', size=4096, path='')
    """
    typed = text.strip()
    if typed.lower() in ("", CHARACTERS, "char", "chars", "character"):
        return TokenizerChoice("characters")
    if typed.lower() in (BYTES, "byte"):
        return TokenizerChoice("bytes")
    if (found := _FREQUENT.fullmatch(typed)) is not None:
        if not (fewest := _number(found[1])):
            raise UsageError(
                "how often must a character occur to be a token, and not its bytes?",
                "choose characters:1, characters:100 …",
                setting="tokenizer",
            )
        return TokenizerChoice("fallback", fewest=fewest)
    if (found := _BPE.fullmatch(typed)) is None:
        return TokenizerChoice("file", path=typed)
    size = _number(found[1])
    if not SMALLEST <= size <= LARGEST:
        raise UsageError(
            f"a BPE has {SMALLEST} to {LARGEST:,} tokens", "choose bpe:512, bpe:4096 …", setting="tokenizer"
        )
    return TokenizerChoice("bpe", size)


def _number(typed: str) -> int:
    number = re.sub(r"[_,.]", "", typed)
    return int(number) if number.isdigit() and len(number) <= MOST_DIGITS else 0
