"""A text cut into its tokens, so that a character is never cut: its tokens are one piece."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.words import printable

BAR = "│"
SMALL = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class CutPiece(NamedTuple):
    """Some whole characters and how many tokens they are: more than one only where a character is cut.

    `is_new`: the last merge made it.
    """

    text: str
    tokens: int = 1
    is_new: bool = False


def cut(tokenizer: Tokenizer, ids: Iterable[int]) -> list[CutPiece]:
    """Return the pieces that `ids` write; bytes that are no character are shown as such. Tokens without text are none.

    >>> from tinygpt_tui.tokenizers.byte import ByteTokenizer
    >>> [(piece.text, piece.tokens) for piece in cut(ByteTokenizer(), "a日".encode())]
    [('a', 1), ('日', 3)]
    """
    pieces, waiting, count = [], b"", 0
    for id in ids:
        content = tokenizer.bytes_of(id)
        waiting, count = waiting + content, count + bool(content)
        try:
            found = waiting.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data":
                continue
            found = waiting.decode("utf-8", "replace")
        if waiting:
            pieces.append(CutPiece(found, count))
        waiting, count = b"", 0
    if waiting:
        pieces.append(CutPiece(shown_bytes(waiting), count))
    return pieces


def cut_words(pieces: Iterable[CutPiece]) -> str:
    """Return the pieces in a line, with a bar between two of them.

    Where a character has several tokens, their number is behind it: `日³`.
    """
    return BAR.join(piece_words(piece) for piece in pieces)


def piece_words(piece: CutPiece, *, lines: bool = False) -> str:
    """Return a piece as `cut_words` writes it; with `lines` the ends of lines in it stay."""
    return printable(piece.text, lines) + (str(piece.tokens).translate(SMALL) if piece.tokens > 1 else "")


def shown_bytes(content: bytes) -> str:
    r"""Return a token as it can be shown: bytes that are not a whole character as `\xe6`.

    >>> shown_bytes(" the".encode()), shown_bytes("é".encode()[:1])
    (' the', '\\xc3')
    """
    return printable(content.decode("utf-8", "backslashreplace"), lines=False)
