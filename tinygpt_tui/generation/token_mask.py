"""Which tokens may come next if characters are banned, or only some are allowed."""

from __future__ import annotations

import codecs
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.base import Tokenizer

KNOWN_SHOWN = 40


class TokenMask:
    """Masks for a tokenizer whose tokens may be several characters, or a part of one.

    A part of a character is judged by what it can still become, so the mask depends on the bytes that wait for the
    rest of theirs (`waiting`): nearly always none.
    """

    def __init__(self, tokenizer: Tokenizer, banned: str, allowed: str, end_of_text: int | None = None) -> None:
        """`allowed` empty: all; a character in both is banned. `end_of_text` writes nothing and stays possible.

        Raises UsageError if no token is left.
        """
        self._tokens = [tokenizer.bytes_of(id) for id in range(tokenizer.size)]
        self._banned, self._allowed = frozenset(banned), frozenset(allowed) - frozenset(banned)
        self._only_allowed = bool(allowed)
        encoded = [character.encode("utf-8", "replace") for character in self._allowed]
        self._beginnings = {b""} | {part[:length] for part in encoded for length in range(1, len(part))}
        self._end_of_text = end_of_text
        self._masks: dict[bytes, NDArray[np.bool_]] = {}
        barred = self.mask(b"")
        writing = np.delete(barred, end_of_text) if end_of_text is not None else barred
        if writing.all():
            known = "".join(token.decode("utf-8", "replace") for token in self._tokens)[:KNOWN_SHOWN]
            raise UsageError(
                "with these banned and allowed characters the model can write nothing",
                f"allow some that it knows: {known!r}…",
            )

    @classmethod
    def of(cls, sampling: SamplingSettings, tokenizer: Tokenizer) -> TokenMask | None:
        """Return the mask of these settings; None if they ban nothing. Raises UsageError."""
        if not (sampling.banned or sampling.allowed):
            return None
        end_of_text = tokenizer.end_of_text if sampling.stop_at_end_of_text else None
        return _shared(tokenizer, sampling.banned, sampling.allowed, end_of_text)  # type: ignore[arg-type]  # by identity

    def mask(self, waiting: bytes) -> NDArray[np.bool_]:
        """Return (V,): true for the tokens that may not follow these bytes of an unfinished character."""
        if waiting not in self._masks:
            mask = np.array([not self._may_follow(waiting, token) for token in self._tokens])
            if self._end_of_text is not None:
                mask[self._end_of_text] = False
            self._masks[waiting] = mask
        return self._masks[waiting]

    def after(self, waiting: bytes, id: int) -> bytes:
        """Return the bytes of an unfinished character after `id` was written behind `waiting`."""
        return _decoded(waiting + self._tokens[id])[1]

    def _may_follow(self, waiting: bytes, token: bytes) -> bool:
        text, rest = _decoded(waiting + token)
        if self._only_allowed:
            return self._allowed.issuperset(text) and rest in self._beginnings
        return self._banned.isdisjoint(text)


def _decoded(data: bytes) -> tuple[str, bytes]:
    """Return the whole characters of `data` and the bytes of one that is not finished."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return decoder.decode(data), decoder.getstate()[0]


@lru_cache(maxsize=4)  # texts that are written together share theirs
def _shared(tokenizer: Tokenizer, banned: str, allowed: str, end_of_text: int | None) -> TokenMask:
    return TokenMask(tokenizer, banned, allowed, end_of_text)
