"""Conversations in records and plays: whose turn it is, and what is said.

Records have OpenAI's shape (`messages` of `role` and `content`) or ShareGPT's (`conversations` of `from` and `value`);
a play has lines that begin with a name and a colon.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tinygpt_tui.errors import CorpusError
from tinygpt_tui.tokenizers.dialogues import (
    ASSISTANT,
    END_OF_TURN,
    LONGEST_NAME,
    MOST_ROLES,
    SYSTEM,
    USER,
    Turn,
    role_mark,
    without_marks,
)

Turns = Literal["auto", "play", "none"]
ROLE_KEYS, TEXT_KEYS = ("role", "from"), ("content", "value")
# As other programs call the two sides.
SAME_ROLE = {
    **dict.fromkeys(("human", "prompter"), USER),
    **dict.fromkeys(("gpt", "chatgpt", "bot", "ai", "model"), ASSISTANT),
}
OTHERS = "others"  # the role of those in a play who say little
TURNS_TOGETHER = 8  # of a play: one conversation
FEWEST_SPEECHES = 3  # of a name in a play: fewer are a line that only looks like one
PLAY_SHARE = 0.05  # of its lines that are names
_NAME = re.compile(r"^([A-Z][\w.'’-]*(?: [\w.'’-]+){0,3}):(?=\s|$)[ \t]*", re.MULTILINE)


@dataclass
class Dialogues:
    """The conversations that were found so far, as texts whose turns are marked.

    `names` are the roles by the numbers of their marks; the turns of `replies` are learned (empty: those of
    `assistant`, in a play of all). A conversation without such a turn is left out.
    """

    replies: Sequence[str] = ()
    names: list[str] = field(default_factory=list)
    conversations: int = 0
    turns: int = 0
    learned: int = 0  # turns
    without_reply: int = 0
    no_conversation: int = 0  # records

    def text_of(self, turns: list[Turn]) -> str:
        """Return a conversation's text; empty if it is left out."""
        for role in dict.fromkeys(turn.role for turn in turns):
            if role not in self.names:
                self.names.append(role)
        if len(self.names) > MOST_ROLES:
            return ""  # see `check`
        learned = sum(turn.role in self.learned_roles for turn in turns)
        if not learned:
            self.without_reply += 1
            return ""
        self.conversations, self.turns, self.learned = (
            self.conversations + 1,
            self.turns + len(turns),
            self.learned + learned,
        )
        return "".join(f"{role_mark(self.names.index(role))}{text}{END_OF_TURN}" for role, text in turns)

    @property
    def learned_roles(self) -> Sequence[str]:
        return self.replies or (ASSISTANT,)

    def check(self) -> None:
        """Raise CorpusError for too many roles, and if one of the replies is of no role."""
        if len(self.names) > MOST_ROLES:
            shown = ", ".join(self.names[:5])
            raise CorpusError(f"more than {MOST_ROLES} roles ({shown} …)", "read the turns as plain text: --turns none")
        if missing := [role for role in self.learned_roles if role not in self.names]:
            first = next((name for name in reversed(self.names) if name not in (USER, SYSTEM)), self.names[-1])
            raise CorpusError(
                f"no turn is of {' or '.join(missing)}; the roles are {listed(self.names)}",
                f"choose whose turns are learned: --replies {first}; or read them as plain text: --turns none",
            )


def roles_in(typed: str) -> tuple[str, ...]:
    """Return the roles that a user types with commas between them.

    >>> roles_in("user, assistant,")
    ('user', 'assistant')
    """
    return tuple(filter(None, (role.strip() for role in typed.split(","))))


def conversation_in(record: Any, field: str = "") -> list[Turn] | None:
    """Return the turns of a record, of that `field` if it is given; None if it is no conversation."""
    if isinstance(record, list):
        return _turns_of(record)
    if not isinstance(record, dict):
        return None
    names = [field] if field else [*(name for name in ("messages", "conversations", "conversation") if name in record)]
    found = next((turns for name in names if (turns := _turns_of(record.get(name))) is not None), None)
    instructions = record.get(SYSTEM)
    if found and isinstance(instructions, str) and instructions.strip() and found[0].role != SYSTEM:
        return [Turn(SYSTEM, without_marks(instructions.strip())), *found]
    return found


def _turns_of(messages: Any) -> list[Turn] | None:
    if not isinstance(messages, list) or not messages:
        return None
    turns = []
    for message in messages:
        if not isinstance(message, dict):
            return None
        role = next((message[key] for key in ROLE_KEYS if isinstance(message.get(key), str)), "").strip()
        if not role or len(role) > LONGEST_NAME:
            return None
        text = without_marks(_text_of(next((message[key] for key in TEXT_KEYS if key in message), None))).strip()
        if text:  # a call of a tool has none
            role = without_marks(role)
            turns.append(Turn(SAME_ROLE.get(role.lower(), role), text))
    return turns or None


def _text_of(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""


def speeches(text: str) -> list[Turn]:
    """Return who says what in a play; what is before the first name is left out."""
    parts = _NAME.split(text)
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return [Turn(name, words) for name, said in pairs if (words := without_marks(said).strip())]


def cast(names: Iterable[str]) -> list[str]:
    """Return the roles of a play, those who speak most often first; all others are OTHERS. `names` has one a speech."""
    counts = Counter(names)
    often = [name for name, count in counts.most_common(MOST_ROLES - 1) if count >= FEWEST_SPEECHES]
    return [*often, OTHERS] if often and len(counts) > len(often) else often


def scenes(turns: list[Turn], names: Sequence[str]) -> Iterator[list[Turn]]:
    """Yield the turns of a play, some together, with the roles among `names`."""
    known = [turn if turn.role in names else turn._replace(role=OTHERS) for turn in turns]
    yield from (known[start : start + TURNS_TOGETHER] for start in range(0, len(known), TURNS_TOGETHER))


def looks_like_a_play(text: str) -> list[str]:
    """Return the names in a text that seems to be a play, most frequent first; none if it does not."""
    found = [match[1] for match in _NAME.finditer(text)]
    names = [name for name in cast(found) if name != OTHERS]
    lines = sum(bool(line.strip()) for line in text.split("\n"))
    return names if len(names) > 1 and sum(name in names for name in found) >= PLAY_SHARE * lines else []


def listed(names: Sequence[str], most: int = 6) -> str:
    """Return names in a sentence: `user and assistant`."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
