"""Where the user is in the merges of a text, and what can be said there. No Textual here."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.tokenizer import LARGEST, SMALLEST, tokenizer_choice
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.cutting import CutPiece
from tinygpt_tui.training.text_merges import TextMerges
from tinygpt_tui.ui.shared.microscope import name_of

FIRST_SIZE = 4096  # tokens that are learned at first
PLAYED = 40  # merges a second at the start; beyond as many the speed grows with their number


def size_of(tokenizer: str) -> int:
    """Return the size of a byte pair tokenizer, as it is typed in a form; the smallest for all others."""
    try:
        return tokenizer_choice(tokenizer).size or SMALLEST
    except UsageError:
        return SMALLEST


class TokenCount(NamedTuple):
    """A token and how often it occurs."""

    name: str
    times: int


class MergePosition:
    """A place among the merges of a text: the first `at` of them are done."""

    def __init__(self, seen: TextMerges, at: int = 0) -> None:
        self.seen = seen
        self.at = min(max(at, 0), seen.most)

    @property
    def size(self) -> int:
        return SMALLEST + self.at

    @property
    def name(self) -> str:
        """The tokenizer, as the setting has it."""
        return f"bpe:{self.size}"

    @property
    def is_end(self) -> bool:
        return self.at == self.seen.most

    def go(self, at: int) -> bool:
        """Go to another place; return whether it is one."""
        before, self.at = self.at, min(max(at, 0), self.seen.most)
        return self.at != before

    def go_by(self, merges: int) -> bool:
        """Go `merges` forward, or back if it is negative; return whether that is another place."""
        return self.go(self.at + merges)

    def jump(self, by: int) -> bool:
        """Go to the next power of two as the number of tokens, or the one before."""
        sizes = [1 << power for power in range(SMALLEST.bit_length() - 1, LARGEST.bit_length())]
        if by > 0:
            return self.go(next((size for size in sizes if size > self.size), LARGEST) - SMALLEST)
        return self.go(next((size for size in reversed(sizes) if size < self.size), SMALLEST) - SMALLEST)

    def play(self) -> bool:
        """Do the next merges of a run through all of them, more at once the further it is; return whether any."""
        return self.go(self.at + max(1, self.at // PLAYED))

    def tokenizer(self) -> BPETokenizer:
        return self.seen.history.tokenizer.first(self.at)

    def pieces(self) -> list[CutPiece]:
        """Return the excerpt of the text as it is cut here."""
        return self.seen.excerpt.pieces(self.at)

    def merge_words(self, merge: int) -> str:
        """Return what a merge joins to what, and how often."""
        left, right = self.seen.history.joined(merge)
        names = f"{token_name(left)} + {token_name(right)} → {token_name(left + right)}"
        return f"{names}   {self.seen.counts.joined[merge]:,} times"

    def numbers(self) -> str:
        """Return how long the tokens are here."""
        tokens = self.seen.counts.tokens(self.at)
        part = "the first " if self.seen.counted < self.seen.text.characters else ""
        each = f"{self.seen.counted / max(1, tokens):.2f} each"
        return f"{tokens:,} tokens for {part}{self.seen.counted:,} characters: {each}"

    def tokens(self, most: int) -> tuple[str, dict[str, list[TokenCount]]]:
        """Return a sentence on all tokens that there are here, and by title `most` of them."""
        counts = self.seen.counts.of_tokens(self.at)[: self.size]
        contents = [self.seen.history.tokenizer.bytes_of(id) for id in range(self.size)]
        made = [id for id in range(self.size) if len(contents[id]) > 1]
        length = [len(content.decode("utf-8", "ignore")) for content in contents]
        orders = {
            "longest": sorted(made, key=lambda id: (-length[id], id)),
            "most frequent": sorted(range(self.size), key=lambda id: (-counts[id], id)),
            "rarest merged": sorted(made, key=lambda id: (counts[id], -id)),
        }
        found = {
            title: [TokenCount(token_name(contents[id]), int(counts[id])) for id in ids[:most]]
            for title, ids in orders.items()
        }
        unused, rare = int(np.sum(counts[:SMALLEST] == 0)), int(np.sum(counts[SMALLEST:] < 10))
        words = f"{unused} of the {SMALLEST} bytes never occur by themselves"
        if made:
            words += f"; {rare:,} of {len(made):,} merged tokens fewer than 10 times"
        return words, found


def token_name(content: bytes) -> str:
    r"""Return a token with marks for what is invisible; bytes that are not a whole character as `\xe6`."""
    return name_of(content.decode("utf-8", "backslashreplace"))
