"""Ids in, whole characters out: bytes wait until they are a character."""

from __future__ import annotations

import codecs

from tinygpt_tui.tokenizers.base import Tokenizer


class TextStream:
    """Decodes one id at a time; never shows half a character."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._bytes_of = tokenizer.bytes_of
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, id: int) -> str:
        """Return the text that became whole with `id`; empty while a character waits for its other bytes."""
        return self._decoder.decode(self._bytes_of(id))

    def finish(self) -> str:
        """Return what still waits, a broken character as U+FFFD."""
        return self._decoder.decode(b"", final=True)
