"""The roles in a text of conversations as the tokens of another model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tinygpt_tui.corpora.cache import key_of
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.errors import UsageError
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer, role_mark


def with_roles(tokenizer: DialogueTokenizer, found: CorpusText) -> CorpusText:
    """Return the text with the marks that `tokenizer` has for its roles. Raises UsageError if it lacks one of them."""
    if found.roles is None:
        raise UsageError(
            "the model learns replies, and the text has no turns",
            "choose a text of conversations, or one with lines of NAME: and --turns play",
        )
    roles = found.roles.roles
    if missing := [role for role in roles if role not in tokenizer.roles]:
        raise UsageError(
            f"the model has no role {', '.join(missing)}",
            f"it knows {', '.join(tokenizer.roles)}: name the roles in the text like these, or train a new model "
            "(without --from)",
        )
    if roles == tokenizer.roles:
        return found
    marks = str.maketrans({role_mark(at): role_mark(tokenizer.roles.index(role)) for at, role in enumerate(roles)})
    counts = {one.translate(marks): count for one, count in found.counts.items()}
    key = found.key and key_of(found.key, roles, tokenizer.roles)
    return replace(found, parts=_Translated(found.parts, marks), counts=counts, key=key)


class _Translated:
    """The parts of a text with other marks."""

    def __init__(self, parts: Iterable[str], marks: dict[int, str]) -> None:
        self._parts, self._marks = parts, marks

    def __iter__(self) -> Iterator[str]:
        return (part.translate(self._marks) for part in self._parts)
