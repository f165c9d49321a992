"""E-mail addresses and secret keys in a text: how many there are, and the text without them.

The patterns are bounded: each look takes the same time at every place, whatever a text contains.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

Kind = Literal["addresses", "keys"]

_HINTS: dict[Kind, tuple[str, ...]] = {  # without one of these there is none, which is found faster
    "addresses": ("@",),
    "keys": ("AKIA", "ASIA", "sk-", "ghp_", "gho_", "ghs_", "github_pat_", "xox", "AIza", "hf_", "PRIVATE KEY", "eyJ"),
}
_PATTERNS: dict[Kind, re.Pattern[str]] = {
    "addresses": re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"),
    # Those of Amazon, OpenAI and others, GitHub, Slack, Google, Hugging Face; SSH and TLS; JSON web tokens.
    "keys": re.compile(
        r"\b(?:A[KS]IA[0-9A-Z]{16}|sk-[\w-]{20,200}|gh[pos]_\w{36,250}|github_pat_\w{50,250}|xox[abprs]-[\w-]{10,250}"
        r"|AIza[\w-]{35}|hf_[A-Za-z0-9]{30,60}|eyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{10,1000})\b"
        r"|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[^-]{0,10000}-----END [A-Z ]{0,20}PRIVATE KEY-----"
    ),
}


def found_in(text: str, kind: Kind) -> Iterator[re.Match[str]]:
    """Yield what is in a text of that kind."""
    return _PATTERNS[kind].finditer(text) if _may_have(text, kind) else iter(())


def without(text: str, kind: Kind) -> tuple[str, int]:
    """Return a text without what it has of that kind, and how many that were."""
    return _PATTERNS[kind].subn("", text) if _may_have(text, kind) else (text, 0)


def _may_have(text: str, kind: Kind) -> bool:
    return any(hint in text for hint in _HINTS[kind])
