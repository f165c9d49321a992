"""A session as bytes: a line of JSON about it, then one a branch.

The first line alone says what a list of sessions shows. Text is UTF-8; halves of surrogate pairs, which a prompt may
hold and UTF-8 has no place for, are written as if it had.
"""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from tinygpt_tui.errors import SessionError, TinyGPTError
from tinygpt_tui.reading import Damage, decode_halves
from tinygpt_tui.sessions.document import Branch, Count, Session, check, first_words

# 1 had no stamps; 2 said "untrained" in the model's name alone; 3 did not know of changed settings, 4 not how they were
FORMAT = 5
TAGGED = 3  # the first that said "untrained" in a field of its own
OLD_UNTRAINED = ", untrained"
HINT = "its file was edited or damaged; what can be read of it is plain text"

K = TypeVar("K", bound=msgspec.Struct)


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: the session without its branches, and a summary of those."""

    format: int = FORMAT
    title: str = ""
    created_at: str = ""
    changed_at: str = ""
    current: int | None = None
    next_id: Count = 0
    first_words: str = ""
    branches: Count = 0
    characters: Count = 0
    models: tuple[str, ...] = ()


class _Format(msgspec.Struct):
    format: int


def to_bytes(session: Session) -> bytes:
    """Return the session as its file holds it; its id is the file's name."""
    lines = [_line(head_of(session)), *(_line(branch) for branch in session.branches.values())]
    return b"\n".join(lines) + b"\n"


def from_bytes(content: bytes, id: str) -> Session:
    """Read what `to_bytes` wrote. Raises SessionError, with the line if it is known."""
    first, *rest = content.removesuffix(b"\n").split(b"\n")
    head = head_from_bytes(first)
    if len(rest) != head.branches:
        raise SessionError(f"line 1 speaks of {head.branches} branches, but {len(rest)} follow", HINT)
    read = [_read(line, Branch, number) for number, line in enumerate(rest, start=2)]
    if head.format < TAGGED:
        read = [replace(branch, untrained=branch.model.endswith(OLD_UNTRAINED)) for branch in read]
    branches = {branch.id: branch for branch in read}
    if len(branches) != len(read):
        raise SessionError("two branches have the same number", HINT)
    session = Session(
        id=id,
        title=head.title,
        created_at=head.created_at,
        changed_at=head.changed_at,
        current=head.current,
        next_id=head.next_id,
        branches=branches,
    )
    try:
        check(session)
    except SessionError as error:
        raise SessionError(error.message, HINT) from None
    return session


def head_of(session: Session) -> Head:
    """Return the first line's content."""
    return Head(
        title=session.title,
        created_at=session.created_at,
        changed_at=session.changed_at,
        current=session.current,
        next_id=session.next_id,
        first_words=first_words(session),
        branches=len(session.branches),
        characters=session.characters,
        models=session.models,
    )


def head_from_bytes(line: bytes) -> Head:
    """Read the first line. Raises SessionError, also where a newer program wrote it."""
    found = _read(line, _Format, 1).format
    if found > FORMAT:
        raise SessionError(
            f"it was written by a newer program (format {found}; this one reads {FORMAT})", "update tinygpt-tui"
        )
    return _read(line, Head, 1)


def with_head(content: bytes, head: Head) -> bytes:
    """Return a file's content with another first line."""
    return _line(head) + content[content.index(b"\n") :]


def _line(part: msgspec.Struct) -> bytes:
    try:
        return msgspec.json.encode(part)
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(part), ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "surrogatepass")


def _read(line: bytes, kind: type[K], number: int) -> K:
    try:
        return decode_halves(line, kind)
    except Damage as error:
        raise _damaged(number, str(error).replace("`", "")) from None


def _damaged(number: int, found: str) -> TinyGPTError:
    return SessionError(f"line {number}: {found}", HINT)
