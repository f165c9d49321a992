"""What is known of a foreign model, and from where: no torch here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec

# Where a fact comes from, the surest first. A convention is what the program that writes such files always does.
FactSource = Literal["typed", "tensor", "file", "sidecar", "module", "folder name", "calibrated", "convention", "guess"]


WHERE: dict[FactSource, str] = {
    "tensor": "the tensors", "file": "the file", "sidecar": "a file beside it", "module": "the pickled module",
    "folder name": "the folder's name",
}  # fmt: skip


def source_in_words(source: FactSource) -> str:
    """Return a source as people read it: "from the folder's name", "calibrated".

    >>> source_in_words("folder name")
    "from the folder's name"
    """
    return f"from {WHERE[source]}" if source in WHERE else source


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is known: a setting's name (or `layout`, `vocabulary`, `loss` …), its value, and how it is known.

    `detail` names the tensor, the file or the evidence: "4 heads, scale 1/√n_embd: 1.69; next best 1.73". `doubt` says
    why the model may be read wrongly, where this fact shows it; `assumed` is the value of a guess, as people read it.
    `nearly` says of a guess that another answer was measured to give nearly the same probabilities.
    """

    name: str
    value: str
    source: FactSource
    detail: str = ""
    doubt: str = ""
    assumed: str = ""
    nearly: bool = False


def assumption(setting: str, value: object, detail: str = "") -> Fact:
    assumed = answers_in_words({setting: value})
    return Fact(name=setting, value=in_words(value), source="guess", detail=detail, assumed=assumed)


def doubts(facts: Iterable[Fact]) -> str:
    """Say what speaks against this reading of a model, in one line; empty where nothing does."""
    known = {fact.name: fact for fact in facts}
    vocabulary, loss = known.get("vocabulary"), known.get("loss")
    found = [fact.doubt for fact in known.values() if fact.doubt]
    assumed = [fact.assumed for fact in known.values() if fact.assumed and not fact.nearly]
    nearly = [fact.assumed for fact in known.values() if fact.assumed and fact.nearly]
    if vocabulary is not None and vocabulary.source == "convention" and (loss is None or loss.doubt):
        found.insert(0, f"its letters are a guess ({vocabulary.detail})")
    found += [f"not known: assumed {', '.join(assumed)}"] if assumed else []
    found += [f"not known, but nearly the same either way: {', '.join(nearly)}"] if nearly else []
    return "; ".join(found)


def in_words(value: object) -> str:
    """Return a setting's value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


_RESIDUALS = {
    "stream": "pre-norm",
    "post_norm": "post-norm",
    "normed": "residual of the norm",
    "none": "no residual",
}


_SCALES = {"rsqrt_2": "1/√2", "rsqrt_layers": "1/√(2 n_layer)", "rsqrt_n_embd": "1/√n_embd"}


def answers_in_words(answers: Mapping[str, Any]) -> str:
    """Return settings as people read them: "4 heads, scale 1/√n_embd"."""
    words: dict[str, Callable[[Any], str]] = {
        "n_head": lambda value: f"{value} head{'s' if value > 1 else ''}",
        "attention_scale": lambda value: "no scale" if value == "one" else f"scale 1/√{value}",
        "qkv_order": lambda value: "q, k, v of each head" if value == "per_head" else f"order {', '.join(value)}",
        "residual": _RESIDUALS.__getitem__,
        "norm": lambda value: "no norms" if value == "none" else str(value),
        "block_size": lambda value: f"a window of {value}",
        "norm_order": lambda value: f"norms {value.replace('_', ' ')}",
        "mlp_order": lambda value: f"MLP {value.replace('_', ' ')}",
        "unstored_positions": lambda value: f"positions: {value.replace('_', ' ')}",
        "parallel": lambda value: "attention beside the MLP" if value else "attention before the MLP",
        "position_scale": lambda value: "positions times 1/√n_embd" if value != "one" else "positions as they are",
        "embedding_scale": lambda value: "embeddings times √n_embd" if value != "one" else "embeddings as they are",
        "epsilon": lambda value: f"epsilon {value:g}",
        "logit_cap": lambda value: f"logits capped at {value:g}" if value else "no cap on logits",
        "qk_norm": lambda value: "norms of queries and keys" if value else "no norms of queries and keys",
        "embedding_norm": lambda value: "a norm of the embeddings" if value else "no norm of the embeddings",
        "final_norm": lambda value: "a norm before the head" if value else "no norm before the head",
        "rotary_base": lambda value: f"rotary base {value:,.0f}",
        "rotary_width": lambda value: f"{value} numbers of a head rotate",
        "rotary_share": lambda value: "whole heads rotate" if value == 1 else f"{value:g} of each head rotates",
        "repetition": lambda value: f"each block used {value} times" if value > 1 else "each block used once",
        "residual_scale": lambda value: (
            "residuals as they are" if value == "one" else f"residuals times {_SCALES[value]}"
        ),
        "head_scale": lambda value: "logits as they are" if value == "one" else f"logits times {_SCALES[value]}",
    }
    return ", ".join(words.get(name, in_words)(value) for name, value in answers.items())
