"""The tokenizer in a GGUF's metadata: byte-level BPE, Llama's pieces, or characters as RWKV's tokenizer has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.hugging_face import HuggingFaceTokenizer
from tinygpt_tui.tokenizers.pieces import PiecesTokenizer

PREFIX = "tokenizer.ggml."
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # llama.cpp's kinds of token
_ESCAPE, _ESCAPED = re.compile(rb"\\(x[0-9a-f]{2}|.)", re.DOTALL), {b"n": b"\n", b"t": b"\t", b"r": b"\r"}
GPT2_PRE = ("gpt-2", "default")  # how a text is split before byte pairs are joined
_LETTERS = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def _split(digits: str) -> list[dict[str, Any]]:
    """Return the split of Llama 3 and Qwen 2, which differ in how many digits are one token at most."""
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|"
        r"\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    return [{"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}, _LETTERS]


_PLAIN = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
# Source: the pre-tokenizers of llama.cpp's llama-vocab.cpp.
SPLITS: dict[str, list[dict[str, Any]]] = {
    "llama-bpe": _split(r"\p{N}{1,3}"),
    "qwen2": _split(r"\p{N}"),
    "smollm": [{"type": "Digits", "individual_digits": True}, _LETTERS | {"use_regex": True}],
}


def stored_tokenizer(told: Mapping[str, Any], name: str) -> Tokenizer | None:
    """Return the tokenizer that a GGUF holds; None where it holds none. Raises CheckpointError."""
    kind = told.get(f"{PREFIX}model", "none")
    if kind in ("none", "no_vocab"):
        return None
    tokens, types = told.get(f"{PREFIX}tokens"), told.get(f"{PREFIX}token_type")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise CheckpointError(f"{name} has no list of tokens", "the file is damaged")
    tokens = list(tokens)
    types = list(types) if isinstance(types, list) and len(types) == len(tokens) else [NORMAL] * len(tokens)
    while types and types[-1] == UNUSED:  # what fills the vocabulary up to a round size
        del tokens[-1], types[-1]
    if kind == "rwkv":
        return _characters(tokens, name)
    if kind == "gpt2":
        return _byte_pairs(told, tokens, types, name)
    if kind == "llama":
        return _pieces(told, tokens, types)
    raise CheckpointError(f"{name} has a tokenizer of the kind {str(kind)[:40]!r}, which is not read", "")


def _characters(tokens: list[str], name: str) -> Tokenizer:
    """Read a list in which each token is one character, or which has all bytes before them."""
    content, with_bytes = [_unescaped(token) for token in tokens], False
    if content[:256] == [bytes([byte]) for byte in range(256)]:
        content, with_bytes = content[256:], True
    characters = [one.decode("utf-8", "replace") for one in content]
    if not (characters or with_bytes) or any(len(character) != 1 for character in characters):
        raise CheckpointError(f"{name} has RWKV's tokenizer, which is only read where its tokens are characters", "")
    return (ByteTokenizer if with_bytes else CharTokenizer)("".join(characters))


def _unescaped(token: str) -> bytes:
    """Return the bytes of a token that is written as Python writes bytes between quotes."""

    def byte(found: re.Match[bytes]) -> bytes:
        return bytes([int(found[1][1:], 16)]) if len(found[1]) == 3 else _ESCAPED.get(found[1], found[1])

    return _ESCAPE.sub(byte, token.encode("utf-8"))


def _byte_pairs(told: Mapping[str, Any], tokens: list[str], types: list[Any], name: str) -> Tokenizer:
    before, merges = told.get(f"{PREFIX}pre", "default"), told.get(f"{PREFIX}merges", [])
    vocabulary = {token: id for id, token in enumerate(tokens)}
    special = [token for token, kind in zip(tokens, types, strict=True) if kind in (CONTROL, USER_DEFINED)]
    if before in GPT2_PRE:
        return BPETokenizer.from_dict({"vocabulary": vocabulary, "merges": merges, "special": special})
    if before not in SPLITS:
        raise CheckpointError(f"{name} splits texts in the manner {str(before)[:40]!r}, which is not read", "")
    begin = told.get(f"{PREFIX}bos_token_id") if told.get(f"{PREFIX}add_bos_token") is True else None
    content = {
        "version": "1.0",
        "added_tokens": [{"id": vocabulary[token], "content": token, "special": True, **_PLAIN} for token in special],
        "normalizer": {"type": "NFC"} if before == "qwen2" else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": SPLITS[before]},
        "post_processor": _beginning(tokens[begin], begin) if type(begin) is int and begin < len(tokens) else None,
        "decoder": _LETTERS,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges, "ignore_merges": before == "llama-bpe"},
    }
    return HuggingFaceTokenizer(content, told.get(f"{PREFIX}eos_token_id"))


def _beginning(token: str, id: int) -> dict[str, Any]:
    mark = {"SpecialToken": {"id": token, "type_id": 0}}
    text = [{"Sequence": {"id": which, "type_id": 0}} for which in "AB"]
    special = {token: {"id": token, "ids": [id], "tokens": [token]}}
    return {
        "type": "TemplateProcessing",
        "single": [mark, text[0]],
        "pair": [mark, *text],
        "special_tokens": special,
    }


def _pieces(told: Mapping[str, Any], tokens: list[str], types: list[Any]) -> Tokenizer:
    begin, end = told.get(f"{PREFIX}bos_token_id", 1), told.get(f"{PREFIX}eos_token_id", 2)
    scores = told.get(f"{PREFIX}scores")
    control = {id for id, kind in enumerate(types) if kind in (UNKNOWN, CONTROL)} | {begin, end}
    return PiecesTokenizer.from_dict(
        {
            "pieces": [token.replace("▁", " ") for token in tokens],
            "scores": scores[: len(tokens)] if isinstance(scores, list) else None,
            "control": [id for id in control if type(id) is int],
            "begin": begin if told.get(f"{PREFIX}add_bos_token", True) else None,
            "end": end,
            "blank_before": told.get(f"{PREFIX}add_space_prefix", True),
        }
    )
