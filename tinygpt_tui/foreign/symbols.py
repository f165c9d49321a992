"""The vocabulary in plain data, in any of the forms in which programs store it: which text each id stands for.

A list of symbols in the order of their ids, a table from id to symbol or from symbol to id (with keys of text, too, as
JSON makes them), anywhere inside dicts, lists and pickled objects, which are read as data.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tinygpt_tui.foreign.readers.arrays import scalar_in, texts_in
from tinygpt_tui.foreign.readers.pickled import PickledObject, PickledSet
from tinygpt_tui.reading import Damage, decode
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.padded import PaddedTokenizer
from tinygpt_tui.tokenizers.pieces import PiecesTokenizer

MOST_THINGS, DEEPEST = 10_000, 12  # of nested data are looked at
LONGEST_SYMBOL = 64
LONGEST_JSON = 1 << 20
FEWEST_UNNAMED = 20  # symbols of a table whose name does not say what it is
# What a table of symbols is called, or the object that has it.
HINT = re.compile(
    r"char|vocab|token|stoi|itos|[ic]2[ic]|symbol|letter|alphabet|encod|decod|mapping|idx|index|(id|int)2|2(id|int)"
    r"|(id|int)_to|to_(id|int)|ix_?to|to_?ix|lookup|lang|dictionary",
    re.IGNORECASE,
)
_WRITTEN = {
    "\\n": "\n", "\\t": "\t", "\\r": "\r", "<newline>": "\n", "<nl>": "\n", "<tab>": "\t", "<space>": " ", "<sp>": " ",
    "<blank>": " ", "␣": " ", "▁": " ", "Ġ": " ", "Ċ": "\n",
}  # fmt: skip
_SPECIAL = re.compile(r"<[^<>\s]{1,30}>|\[[^\[\]\s]{1,30}\]|\|[^|\s]{1,30}\||<\|[^\s]{1,30}\|>|[A-Z]{3,}|")
Symbols = dict[int, str]  # by id


def vocabulary_in(stored: Any, size: int, *, exact: bool = False) -> Tokenizer | None:
    """Return the tokenizer of a model of `size` ids that `stored` describes; None where it describes none.

    `size` 0 is that of the largest table. A table of exactly `size` symbols wins; with `exact` no other does. Of the
    smaller ones it must be called as such tables are, and have more than half.
    """
    smaller = None
    size = size or size_of(stored)
    for hinted, symbols in _tables(stored):
        table = _fitting(symbols, size)
        if table is None:
            continue
        found = tokenizer_of(table, size)
        if found is None:
            continue
        if len(table) == size and (hinted or size >= FEWEST_UNNAMED):
            return found
        if hinted and smaller is None and 2 * len(table) > size:
            smaller = found
    return None if exact else smaller


def size_of(stored: Any) -> int:
    """Return how many ids the largest table has that is called as such tables are; 0 where there is none."""
    sizes = (max(symbols) + (min(symbols) < 1) for hinted, symbols in _tables(stored) if hinted and len(symbols) > 1)
    return max(sizes, default=0)


def is_of_words(stored: Any, size: int) -> bool:
    """Whether `stored` describes a vocabulary of `size` symbols that are more than characters."""
    tables = (_fitting(symbols, size) for hinted, symbols in _tables(stored) if hinted)
    return any(table is not None and len(table) == size and tokenizer_of(table, size) is None for table in tables)


def tokenizer_of(symbols: Mapping[int, str], size: int) -> Tokenizer | None:
    """Return the tokenizer of symbols that are single characters except for a few marks; None for words.

    An id without a symbol writes nothing.
    """
    texts = {id: _text_of(symbol, set(symbols.values())) for id, symbol in symbols.items()}
    singles = [text for text in texts.values() if len(text) == 1]
    if len(set(singles)) < len(singles) or any("\ud800" <= text <= "\udfff" for text in singles):
        return None
    if len(singles) == len(texts) and texts.keys() == set(range(len(texts))):
        characters = CharTokenizer("".join(texts[id] for id in range(len(texts))))
        return characters if characters.size == size else PaddedTokenizer(characters, size)
    marks = [id for id in range(size) if len(texts.get(id, "")) != 1]
    others = [text for text in texts.values() if len(text) != 1]
    if len(singles) < 2 or not all(map(_SPECIAL.fullmatch, others)):
        return None
    pieces = [texts.get(id, "") for id in range(size)]
    return PiecesTokenizer(pieces, [0.0] * size, marks, blank_before=False)


def _text_of(symbol: str, all_symbols: set[str]) -> str:
    """Return what a symbol writes: many programs name a blank or a line end by a word."""
    written = _WRITTEN.get(symbol, symbol)
    return symbol if written in all_symbols else written


def _fitting(symbols: Symbols, size: int) -> Symbols | None:
    """Return the symbols with ids from 0, where they are ids of a model of `size`; some programs count from 1."""
    if not 2 <= len(symbols) <= size:
        return None
    first, last = min(symbols), max(symbols)
    if first == 1 and last == size == len(symbols):
        return {id - 1: symbol for id, symbol in symbols.items()}
    return symbols if first >= 0 and last < size else None


def _tables(stored: Any) -> Iterator[tuple[bool, Symbols]]:
    """Yield every table of symbols in nested data, and whether its name says that it is one; those first."""
    found = list(_walk(stored))
    yield from (one for one in found if one[0])
    yield from (one for one in found if not one[0])


def _walk(stored: Any) -> Iterator[tuple[bool, Symbols]]:
    waiting: list[tuple[bool, Any, int]] = [(True, stored, 0)]
    seen: set[int] = set()
    for _ in range(MOST_THINGS):
        if not waiting:
            return
        hinted, value, depth = waiting.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        table = table_of(value)
        if table is not None:
            yield hinted, table
        elif depth < DEEPEST:
            waiting += [((hinted and depth > 0) or hint, one, depth + 1) for hint, one in _inside(value)]


def _of_json(value: Any) -> Any:
    """Return what a text of JSON holds; anything else unchanged."""
    if isinstance(value, str) and value[:1] in ("{", "[") and LONGEST_SYMBOL < len(value) < LONGEST_JSON:
        with contextlib.suppress(Damage):
            return decode(value)
    return value


def _inside(value: Any) -> Iterator[tuple[bool, Any]]:
    """Yield what a container holds that may hold a table, and whether its name says so."""
    if isinstance(value, PickledObject):
        hint = bool(HINT.search(value.kind.name))
        yield from ((hint, one) for one in (value.state, value.pairs, value.items) if one)
        yield from ((hint, one) for one in value.arguments if isinstance(one, dict | list | tuple | str))
    elif isinstance(value, dict):
        for key, one in value.items():
            if isinstance(one, dict | list | tuple | str | bytes | PickledObject):
                yield isinstance(key, str) and bool(HINT.search(key)), _of_json(one)
    elif isinstance(value, list | tuple) and len(value) < 100:
        yield from ((False, one) for one in value if isinstance(one, dict | list | tuple | PickledObject))


def table_of(value: Any) -> Symbols | None:
    """Return a value as symbols by their ids; None where it is no such table."""
    if isinstance(value, PickledObject):
        value = texts_in(value)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, PickledSet):  # in no order
        return None
    if isinstance(value, str):
        return dict(enumerate(value)) if len(set(value)) == len(value) > 1 else None
    if isinstance(value, list | tuple):
        if value and all(isinstance(one, list | tuple) and len(one) == 2 for one in value):
            try:
                value = dict(value)
            except TypeError:
                return None
        else:
            value = [scalar_in(one) for one in value]
            return dict(enumerate(value)) if len(value) > 1 and all(map(_is_symbol, value)) else None
    if not isinstance(value, dict) or len(value) < 2:
        return None
    value = {scalar_in(key): scalar_in(one) for key, one in value.items()}
    by_id = {_id_of(key): symbol for key, symbol in value.items() if _is_symbol(symbol)}
    if len(by_id) == len(value) and None not in by_id:
        return {id: symbol for id, symbol in by_id.items() if id is not None}
    ids = {_id_of(id): symbol for symbol, id in value.items() if _is_symbol(symbol) and not isinstance(id, str)}
    if len(ids) == len(value) and None not in ids:
        return {id: symbol for id, symbol in ids.items() if id is not None}
    return None


def _is_symbol(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_SYMBOL


def _id_of(value: Any) -> int | None:
    """Return an id: a whole number, or one as text."""
    if type(value) is int:
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 8 else None


def symbols_of_text(text: str, size: int, in_order: bool) -> Tokenizer | None:
    """Return the tokenizer that a file gives: a symbol a line, all characters in a row, or a text that has them.

    `in_order` says that lines are in the order of the ids; else only where they are not sorted.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    size = size or len(set(text))  # 0: of any size
    for symbols in (_lines(text), _pairs(text), list(text), list(text.rstrip("\n"))):
        if symbols and len(set(symbols)) == len(symbols) <= size and 2 * len(symbols) > size:
            if not in_order and _sorted_but_for_blanks(symbols):
                symbols = sorted(symbols)
            found = tokenizer_of(dict(enumerate(symbols)), size)
            if found is not None:
                return found
    characters = sorted(set(text))
    if len(characters) == size + 1 and "\n" in characters:
        characters.remove("\n")
    return tokenizer_of(dict(enumerate(characters)), size) if 1 < len(characters) <= size else None


def _sorted_but_for_blanks(symbols: list[str]) -> bool:
    seen = [symbol for symbol in symbols if not symbol.isspace()]
    return all(len(symbol) == 1 for symbol in symbols) and seen == sorted(seen)


def _lines(text: str) -> list[str] | None:
    """Return one symbol a line; the line end itself is one between two others. None where lines are longer."""
    found: list[str] = []
    at = 0
    while at < len(text):
        end = at + 1 if text[at] == "\n" else text.find("\n", at)
        end = len(text) if end < 0 else end
        if end - at > LONGEST_SYMBOL or (end < len(text) and text[end] != "\n"):
            return None
        found.append(_unquoted(text[at:end]))
        at = end + 1
    return found


def _unquoted(line: str) -> str:
    """Return a line of JSON as the text that it is; any other as it is."""
    if len(line) < 3 or line[0] != '"' or line[-1] != '"':
        return line
    try:
        return str(decode(line, str))
    except Damage:
        return line


def _pairs(text: str) -> list[str] | None:
    """Return the symbols of lines with a symbol and its id, or the other way round, between them a tab."""
    rows = [line.split("\t") for line in text.rstrip("\n").split("\n")]
    if not all(len(row) == 2 for row in rows):
        return None
    table = table_of([(_WRITTEN.get(a, a), _id_of(b) if _id_of(b) is not None else b) for a, b in rows])
    table = table or table_of([(b, _id_of(a)) for a, b in rows])
    if table is None or table.keys() != set(range(len(table))):
        return None
    return [table[id] for id in range(len(table))]
