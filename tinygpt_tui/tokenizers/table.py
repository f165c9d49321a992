"""The tokenizers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer
from tinygpt_tui.tokenizers.documents import DocumentTokenizer
from tinygpt_tui.tokenizers.hugging_face import HuggingFaceTokenizer
from tinygpt_tui.tokenizers.numbers import NumberTokenizer
from tinygpt_tui.tokenizers.padded import PaddedTokenizer
from tinygpt_tui.tokenizers.pieces import PiecesTokenizer

TOKENIZERS: dict[str, Callable[[dict[str, Any]], Tokenizer]] = {
    "char": CharTokenizer.from_dict,
    "bpe": BPETokenizer.from_dict,
    "byte": ByteTokenizer.from_dict,
    "documents": lambda content: DocumentTokenizer.from_dict(content, tokenizer_from),
    "dialogues": lambda content: DialogueTokenizer.from_dict(content, tokenizer_from),
    "padded": lambda content: PaddedTokenizer.from_dict(content, tokenizer_from),
    "numbers": NumberTokenizer.from_dict,
    "pieces": PiecesTokenizer.from_dict,
    "hugging-face": HuggingFaceTokenizer.from_dict,
}


def tokenizer_from(content: dict[str, Any]) -> Tokenizer:
    """Make the tokenizer that its `to_dict` described. Raises CheckpointError."""
    name = content.get("name")
    if not isinstance(name, str) or name not in TOKENIZERS:
        known = ", ".join(TOKENIZERS)
        raise CheckpointError(f"no tokenizer is called {name!r}", f"this version knows: {known}")
    return TOKENIZERS[name](content)
