"""Hints in the names of tensors: what the words of a name usually mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

Path = tuple[str, ...]  # a name's dot-joined parts
Kind = Literal["attention", "mlp"]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_QUERY = {"q", "wq", "qs", "qw", "query", "queries", "toqueries", "qproj"}
_KEY = {"k", "wk", "ks", "kw", "key", "keys", "tokeys", "kproj"}
_VALUE = {"v", "wv", "vs", "vw", "value", "values", "val", "tovalues", "vproj"}
_FUSED = {"qkv", "kqv", "qvk", "kvq", "vqk", "vkq", "wqkv", "toqkv", "cattn", "inproj"}
_ATTENTION = {"attn", "attns", "att", "attention", "attentions", "selfattn", "selfattention", "sa", "mha", "mhsa",
              "msa", "csa", "mhas", "head", "heads", "multihead", "multiheadattention", "attend", "self",
              "qkv", "cattn", "toout", "oproj", "wo"}  # fmt: skip
_MLP = {"mlp", "mlps", "ff", "ffs", "ffn", "ffns", "ffw", "ffwd", "feed", "feedforward", "forward", "fwd", "fc",
        "linear", "dense", "up", "down", "gate", "expand", "contract", "net", "intermediate",
        "gated", "glu"}  # fmt: skip
_POSITIONS = {"pos", "position", "positions", "positional", "wpe", "pe", "posemb", "posembed", "posembedding"}
_HEAD = {"head", "lm", "lmhead", "output", "out", "unembed", "unembedding", "logits", "tologits", "decoder", "fc",
         "classifier", "final", "linear", "proj", "projection", "generator"}  # fmt: skip
_TOKENS = {"tok", "token", "tokens", "wte", "emb", "embed", "embedding", "embeddings", "embedder", "word", "words",
           "vocab", "char", "input", "encoder"}  # fmt: skip
_ROTATIONS = {"freq", "freqs", "rope", "rotary", "cos", "sin", "theta", "invfreq"}
_LAST = re.compile(
    r"(?:^|(?<=[a-z0-9])_)(weights?|bias|gamma|beta|scale|shift|gain|offset|kernel|alpha|a_2|b_2|[gbw])$", re.IGNORECASE
)
_LETTER = re.compile(r"[wb]_?(?=[a-z0-9])", re.IGNORECASE)  # Wq and bq, w1 and b1
_NUMBERED_MATRIX = re.compile(r"[wW]_?\d")  # Llama's w1, w2, w3
_NORM_OF_HEADS = re.compile(r"(q|query|k|key)(?:layer)?norm|(?:layer)?(?:norm|ln)(q|k)")
_BIASES = {"bias", "beta", "shift", "offset", "b", "b_2"}


def words(text: str) -> list[str]:
    """Return the words of a name, small: numbers are words too.

    >>> words("W_query"), words("toQueries2")
    (['w', 'query'], ['to', 'queries', '2'])
    """
    return [word.lower() for word in _WORD.findall(text)]


def numbers(path: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers in a path, in order."""
    return tuple(int(word) for part in path for word in words(part) if word.isdigit() and len(word) < 9)


def owner(path: Path) -> Path:
    """Return what a tensor belongs to: a matrix and its bias have the same owner.

    >>> owner(("attn", "key", "weight")), owner(("attn", "in_proj_bias",)), owner(("Wq",))
    (('attn', 'key', ''), ('attn', 'in_proj'), ('q',))
    """
    *front, last = path
    if _LAST.search(last):
        return (*front, _LAST.sub("", last))
    return (*front, _LETTER.sub("", last, count=1) if _LETTER.match(last) else last)


def is_bias(path: Path) -> bool:
    """Whether a vector is called as what is added, not what is multiplied by."""
    found = _LAST.search(path[-1])
    return (found[1].lower() if found else path[-1][:1].lower()) in _BIASES


def is_parameter(path: Path) -> bool:
    """Whether a matrix is a parameter by itself: such ones are mostly (in, out), those of a Linear (out, in)."""
    return not path[-1].lower().endswith(("weight", "weights"))


def projection_of(path: Path) -> str:
    """Return which of queries, keys and values a matrix makes: "q", "k", "v", "kv", "qkv"; "" where nothing says."""
    for part in reversed(path):
        found = words(part)
        joined = {*found, "".join(found)}
        if joined & _FUSED:
            return "qkv"
        made = "".join(
            letter for letter, known in (("q", _QUERY), ("k", _KEY), ("v", _VALUE)) if joined & known
        )  # fmt: skip
        if "kv" in joined or "wkv" in joined or "tokv" in joined:
            return "kv"
        if made in ("q", "k", "v", "kv", "qkv"):
            return made
    return ""


def kind_of(path: Path) -> Kind | None:
    """Return whether a name is of attention or of the MLP: the outermost part that says it."""
    for part in path:
        found = words(part)
        if {*found, "".join(found)} & _ATTENTION:
            return "attention"
        if projection_of((part,)):
            return "attention"
        if set(found) & _MLP or _NUMBERED_MATRIX.fullmatch(part):
            return "mlp"
    return None


def norm_of_heads(path: Path) -> str:
    """Return "q" or "k" where a vector is called as the norm of queries or keys; else ""."""
    for part in path:
        found = _NORM_OF_HEADS.fullmatch("".join(words(part)))
        if found:
            return (found[1] or found[2])[0]
    return ""


def follows(path: Path) -> bool:
    """Whether a norm is called as one that comes after something."""
    return any(word in ("post", "after") for part in path for word in words(part))


def outside_role(path: Path) -> Literal["tokens", "positions", "head"] | None:
    """Return what a matrix outside the blocks is called as: the innermost part that says it."""
    for part in reversed(path):
        found = set(words(part))
        found.add("".join(words(part)))
        if found & _POSITIONS:
            return "positions"
        if found & _HEAD and not ({"embed", "tokens"} <= found):
            return "head"
        if found & _TOKENS:
            return "tokens"
    return None


def is_alibi(name: str) -> bool:
    """Whether a tensor is called as ALiBi's penalties."""
    return bool({"alibi", "slope", "slopes"}.intersection(words(name)))


def is_rotation(path: Path) -> bool:
    """Whether a tensor is called as the angles of rotary positions."""
    return any({*words(part), "".join(words(part))} & _ROTATIONS for part in path)
