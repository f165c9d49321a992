"""The merges that a byte pair tokenizer learns from a text, and how often each joined in it; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.corpora.read import read_text
from tinygpt_tui.runs.folder import CorpusReference
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.documents import DocumentTokenizer
from tinygpt_tui.tokenizers.merge_history import CutHistory, MergeCounts, MergeHistory
from tinygpt_tui.training.vocabulary import tokenizer_for

COUNTED = 1 << 21  # characters in which the merges are counted
EXCERPT = 3000  # characters that can be watched


@dataclass(frozen=True)
class TextMerges:
    """The merges of a tokenizer as a run on `text` would train it; `counts` are of its first `counted` characters."""

    text: CorpusText
    history: MergeHistory
    counts: MergeCounts
    counted: int
    excerpt: CutHistory

    @property
    def most(self) -> int:
        """How many merges there are."""
        return len(self.history.merges)


def merges_of(reference: CorpusReference, size: int) -> TextMerges:
    """Read a text and learn byte pairs from it, until there are `size` tokens.

    Raises CorpusError, StorageError, MissingPackageError.
    """
    text = read_text(Path(reference.path), reference.encoding)
    tokenizer = tokenizer_for(f"bpe:{size}", text)
    tokenizer = tokenizer.inner if isinstance(tokenizer, DocumentTokenizer) else tokenizer
    assert isinstance(tokenizer, BPETokenizer), "a size is that of byte pairs"
    history = MergeHistory(tokenizer)
    start = text.plain_beginning(COUNTED)
    counts = history.counts(tokenizer.encoding([start]))
    return TextMerges(text, history, counts, len(start), history.of_text(start[:EXCERPT]))
