"""A session for other programs: as Markdown for people, as JSON for machines.

The JSON is one object: `program` ("tinygpt-tui"), `kind` ("session"), `version` (of this description: 1), `title`,
`created_at` and `changed_at` (UTC, ISO), `current` (a branch's id, or null) and `branches`, in the order of the tree.
Each has the fields of `sessions.document.Branch`, where all offsets count characters (Unicode code points) of
`full_text`, which is written out too: `full_text[:prompt_end]` was given by the user, and `full_text[fork_at:]`, which
is `text`, is the branch's own. `sampling` has the settings of `tinygpt-tui generate --help`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tinygpt_tui.sessions.document import Branch, Session, full_text, words_of
from tinygpt_tui.sessions.walk import rows
from tinygpt_tui.settings.fields import fields_of
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.dialogues import readable

VERSION = 1
WORDS = 48


def exports_of(session: Session, branch: int) -> Mapping[str, Callable[[], bytes]]:
    """Return, by suffix, what makes a file of a session whose current branch is `branch`."""
    return {
        ".txt": lambda: as_text(session, branch),
        ".md": lambda: as_markdown(session, branch),
        ".json": lambda: as_json(session),
    }


def as_text(session: Session, branch: int) -> bytes:
    """Return a branch's full text and nothing else; each turn of a conversation is a line."""
    return plain(readable(full_text(session, branch)))


def plain(text: str) -> bytes:
    """Return text as UTF-8; halves of surrogate pairs become question marks."""
    return text.encode("utf-8", "replace")


def as_json(session: Session) -> bytes:
    """Return the whole session; see above."""
    branches = [
        {**msgspec.to_builtins(row.branch), "full_text": full_text(session, row.branch.id)} for row in rows(session)
    ]
    whole = {
        "program": "tinygpt-tui",
        "kind": "session",
        "version": VERSION,
        "title": session.heading,
        "created_at": session.created_at,
        "changed_at": session.changed_at,
        "current": session.current,
        "branches": branches,
    }
    # Halves of surrogate pairs become \udXXX, as in JSON.
    return json.dumps(whole, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace") + b"\n"


def as_markdown(session: Session, branch: int) -> bytes:
    """Return a branch's text and settings, the tree of all branches, and the texts of those marked with a star."""
    parts = [f"# {_escaped(session.heading or 'Untitled')}", *_section(session, session.branches[branch])]
    tree = rows(session)
    if len(tree) > 1:
        lines = (f"{row.guides}{_line(row.branch, row.branch.id == branch)}" for row in tree)
        parts += ["## Branches", _fenced("\n".join(lines))]
    for row in tree:
        if row.branch.kept and row.branch.id != branch:
            parts += [f"## {_escaped(_named(row.branch))}", *_section(session, row.branch)]
    return plain("\n\n".join(parts) + "\n")


def _section(session: Session, branch: Branch) -> list[str]:
    text = full_text(session, branch.id)
    prompt = _fenced(readable(text[: branch.prompt_end]))
    return [
        "\n".join(f"- {_escaped(fact)}" for fact in facts_of(branch)),
        "**Prompt**",
        "\n".join(f"> {line}" for line in prompt.split("\n")),
        "**Written**",
        _fenced(readable(text[branch.prompt_end :])),
    ]


def facts_of(branch: Branch) -> list[str]:
    """Return how a branch was made, a line each: model, seed, settings that are not the default, end."""
    defaults: dict[str, Any] = {name: field.default for name, field in fields_of(SamplingSettings).items()}
    chosen = {name: value for name in defaults if (value := getattr(branch.sampling, name)) != defaults[name]}
    chosen = {"temperature": branch.sampling.temperature, **chosen}
    chosen.pop("seed", None)
    facts = [f"model: {branch.model or 'unknown'}"]
    if branch.step is not None:
        loss = "" if branch.validation_loss is None else f", validation loss {branch.validation_loss:.4f}"
        training = " (its latest weights; it was in training)" if branch.in_training else ""
        facts.append(f"weights: of step {branch.step}{loss}{training}")
    if branch.seed is not None:
        facts.append(f"seed: {branch.seed}")
    facts += [f"{name.replace('_', ' ')}: {_in_words(value)}" for name, value in chosen.items()]
    if branch.turned:
        facts.append(f"settings: {changes_of(branch)}")
    if branch.tokens:
        facts.append(f"tokens: {branch.tokens}")
    if branch.parent is not None:
        facts.append(f"leaves its parent at character {branch.fork_at}")
    return [*facts, f"started: {branch.created_at}", f"ended: {branch.reason or 'unknown'}"]


def changes_of(branch: Branch) -> str:
    """Return how the settings of a branch were changed while it was written; empty if they were not."""
    words, before = [], branch.sampling
    for change in branch.changes:
        after = change.applied_to(before)
        names = [name for name in fields_of(SamplingSettings) if getattr(before, name) != getattr(after, name)]
        values = (f"{name.replace('_', ' ')} {_in_words(getattr(after, name))}" for name in names)
        words.append(f"{', '.join(values)} from token {change.at + 1:,}")
        before = after
    if branch.turned and not words:
        return "changed while it was written; the seed alone does not repeat it"
    return "; ".join(words)


def _in_words(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(repr(part) for part in value)
    return repr(value) if isinstance(value, str) and not value.isalnum() else str(value)


def _named(branch: Branch) -> str:
    return branch.name or words_of(branch, WORDS) or f"branch {branch.id}"


def _line(branch: Branch, current: bool) -> str:
    marks = f"{'★ ' if branch.kept else ''}{_named(branch)}{' (above)' if current else ''}"
    seed = f", seed {branch.seed}" if branch.seed is not None else ""
    return f"{marks} · {branch.model or 'unknown'}{seed}, {branch.tokens} tokens"


def _fenced(text: str) -> str:
    """Text that Markdown leaves as it is: between fences longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", text)
