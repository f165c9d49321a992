"""Which tokens are letters: a text's words are made of them."""

from __future__ import annotations

from tinygpt_tui.tokenizers.base import Tokenizer

APOSTROPHE = "'"  # inside a word: o'er, think'st


def letters_of(tokenizer: Tokenizer) -> list[int]:
    """Return for each token the number of its letter, the same for a capital; 0 where it is no letter.

    A byte of a longer character is a letter. A vocabulary with tokens of several characters has none here.
    """
    numbers: dict[bytes, int] = {}
    found = []
    for id in range(tokenizer.size):
        content = tokenizer.bytes_of(id)
        text = content.decode("utf-8", "ignore")
        if len(text) > 1:
            return [0] * tokenizer.size
        is_letter = text.isalpha() or text == APOSTROPHE or bool(content and not text)
        found.append(numbers.setdefault(text.casefold().encode() or content, len(numbers) + 1) if is_letter else 0)
    return found
