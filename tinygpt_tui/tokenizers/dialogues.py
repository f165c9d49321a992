"""A tokenizer with a token for each role of a dialogue and one for the end of a turn, and the text between them.

A conversation is a text: each turn begins with the mark of its role and ends with END_OF_TURN. The marks of roles are
noncharacters of Unicode, which no text has: what a user types cannot be taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.documents import BOUNDARY, DocumentTokenizer, inner_from

END_OF_TURN = "\x1f"  # ASCII's unit separator
FIRST_ROLE = 0xFDD0
MOST_ROLES = 30  # U+FDD0 to U+FDED; a screen draws with the two noncharacters behind them
LONGEST_NAME = 40  # characters of a role
MARKS = re.compile(f"[{BOUNDARY}{END_OF_TURN}{chr(FIRST_ROLE)}-{chr(FIRST_ROLE + MOST_ROLES + 1)}]")
ASSISTANT, USER, SYSTEM = "assistant", "user", "system"


class Turn(NamedTuple):
    """What one side says. The text of the last turn may not be complete yet."""

    role: str
    text: str


def role_mark(number: int) -> str:
    """Return the mark of the role with that number, from 0."""
    return chr(FIRST_ROLE + number)


def without_marks(text: str) -> str:
    """Return what was written without the characters that mark turns."""
    return MARKS.sub("", text)


def shown(turns: Iterable[Turn]) -> str:
    """Return turns as lines: `user: Hello!`; further lines of a turn are as they are."""
    return "\n".join(f"{turn.role}: {turn.text}" if turn.role else turn.text for turn in turns)


def readable(text: str, tokenizer: Tokenizer | None = None) -> str:
    """Return a text as a person reads it elsewhere: turns by their roles, if the tokenizer is known that marks them."""
    if isinstance(tokenizer, DialogueTokenizer) and MARKS.search(text):
        return shown(tokenizer.turns_of(text))
    return MARKS.sub("", text.replace(END_OF_TURN, "\n"))


class DialogueTokenizer(DocumentTokenizer):
    """Ids: 0 the boundary between conversations, 1 the end of a turn, then a role each, then the inner tokenizer's.

    `replies` are the roles that a model learns to write; the first is the one that answers unless another is named.
    """

    name = "dialogues"
    end_of_text: int | None = 1

    def __init__(self, inner: Tokenizer, roles: Sequence[str], replies: Sequence[str]) -> None:
        """Raises CheckpointError where the roles are not some of different names, or a reply is no role."""
        roles, replies = tuple(roles), tuple(replies)
        if not 0 < len(roles) <= MOST_ROLES or len(set(roles)) != len(roles) or not all(roles):
            raise CheckpointError(f"a dialogue has 1 to {MOST_ROLES} roles of different names", "the file is damaged")
        if not replies or not set(replies) <= set(roles):
            raise CheckpointError(f"a reply is of one of the roles {', '.join(roles)}", "the file is damaged")
        super().__init__(inner, BOUNDARY + END_OF_TURN + "".join(map(role_mark, range(len(roles)))))
        self.roles, self.replies = roles, replies

    @classmethod
    def from_dict(cls, content: dict[str, Any], make: Callable[[dict[str, Any]], Tokenizer]) -> DialogueTokenizer:
        """Make the tokenizer that `to_dict` described; `make` makes the inner one. Raises CheckpointError."""
        return cls(inner_from(content, make), _names(content, "roles"), _names(content, "replies"))

    def around(self, inner: Tokenizer) -> DialogueTokenizer:
        return DialogueTokenizer(inner, self.roles, self.replies)

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "roles": list(self.roles), "replies": list(self.replies)}

    @property
    def asker(self) -> str:
        """The role of what a person types: the first that is not learned, no instructions; else the last."""
        others = [role for role in self.roles if role not in self.replies and role != SYSTEM]
        return USER if USER in others else others[0] if others else self.roles[-1]

    def role(self, name: str) -> str:
        """Return the role of that name; `user` and `assistant` mean the two sides of any model. Raises UsageError."""
        name = SYSTEM if name == "developer" else name  # OpenAI's newer name
        if name in self.roles:
            return name
        if name in (USER, ASSISTANT):
            return self.asker if name == USER else self.replies[0]
        raise UsageError(f"the model has no role {name!r}", f"its roles: {', '.join(self.roles)}")

    def text_of(self, turns: Iterable[Turn]) -> str:
        """Return the text of complete turns, by the names of their roles. Raises UsageError for an unknown role."""
        numbers = {role: number for number, role in enumerate(self.roles)}
        return "".join(
            f"{role_mark(numbers[self.role(role)])}{without_marks(text)}{END_OF_TURN}" for role, text in turns
        )

    def prompt_of(self, turns: Iterable[Turn], reply: str = ASSISTANT) -> str:
        """Return the text of turns and the beginning of the next one, by the role `reply`. Raises UsageError."""
        return self.text_of(turns) + role_mark(self.roles.index(self.role(reply)))

    def turns_of(self, text: str) -> list[Turn]:
        """Return the turns in a text; what comes before the first role's mark is of no role."""
        turns: list[Turn] = []
        for part in re.split(f"([{self.marks[2:]}])", text.replace(BOUNDARY, "")):
            if part and part in self.marks[2:]:
                turns.append(Turn(self.roles[ord(part) - FIRST_ROLE], ""))
            elif part:
                words = part.replace(END_OF_TURN, "")
                turns.append(turns.pop()._replace(text=words) if turns else Turn("", words))
        return turns


def _names(content: Mapping[str, Any], key: str) -> list[str]:
    names = content.get(key)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"tokenizer.json has no list of names under {key!r}", "the file is damaged")
    return names


def has_roles(tokenizer: Tokenizer) -> bool:
    """Whether a model with that tokenizer answers what is said to it."""
    return isinstance(tokenizer, DialogueTokenizer)


def prompt_for(tokenizer: Tokenizer, prompt: str) -> str:
    """Return what a model reads of a prompt: one without marks is what a person says to a model of dialogues."""
    if not isinstance(tokenizer, DialogueTokenizer) or MARKS.search(prompt):
        return prompt
    return tokenizer.prompt_of([Turn(USER, prompt)])
