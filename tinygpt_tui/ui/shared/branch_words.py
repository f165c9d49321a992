"""A branch in words: its row in the tree, what made it, and its text around the fork."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from tinygpt_tui.sessions.document import Branch, Session, full_text, words_of
from tinygpt_tui.sessions.export import changes_of
from tinygpt_tui.sessions.walk import Row
from tinygpt_tui.tokenizers.dialogues import END_OF_TURN
from tinygpt_tui.ui.shared.wrapping import shown

STAR, CURRENT, WRITING, FORK = "★", "▸", "●", "▸"
GUIDES_SHARE = 3  # guides may take a third of a row
NOTHING_YET = "(nothing yet)"
OWN_SHOWN = 4000  # characters of a branch's own text that a preview may show


def row_text(row: Row, width: int, current: bool, writing: bool, now: datetime) -> Text:
    """Return one line: marks, guides, name or first words; at the right how much there is, and since when."""
    branch = row.branch
    side = f"  {branch.tokens:,} tokens  {'writing' if writing else local_time(branch.created_at, now):>7}"
    if width < 40:
        side = f"  {branch.tokens:,}"
    guides = row.guides if len(row.guides) <= width // GUIDES_SHARE else f"…{row.guides[-6:]}"
    marks = f"{CURRENT if current else ' '}{STAR if branch.kept else WRITING if writing else ' '} "
    room = max(4, width - len(marks) - len(guides) - cell_len(side))
    words = fitted(shown(branch.name or words_of(branch, 200)) or NOTHING_YET, room)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(marks, "bold")
    text.append(guides, "dim")
    text.append(words, "bold" if branch.name or current else "")
    text.append(" " * (room - cell_len(words)) + side, "dim")
    return text


def facts_line(branch: Branch, missing: bool, now: datetime) -> str:
    """Return what made a branch, in one line."""
    seed = f"seed {branch.seed}" if branch.seed is not None else ""
    model = f"{branch.model or 'unknown model'}{' (missing)' if missing else ''}"
    parts = [
        model,
        branch.stamp,
        f"temperature {branch.sampling.temperature:g}{_changes(branch)}",
        seed,
        f"{branch.tokens:,} tokens",
        local_time(branch.created_at, now),
        branch.reason,
    ]
    return " · ".join(part for part in parts if part)


def _changes(branch: Branch) -> str:
    if branch.changes:
        return f", then {changes_of(branch)}"
    return ", changed while writing" if branch.turned else ""


def preview_text(session: Session, branch: Branch, before: int) -> Text:
    """Return up to `before` characters of what the branch shares, a mark, and its own text."""
    text = full_text(session, branch.id)
    start = max(0, branch.fork_at - before)
    preview = Text()
    if branch.parent is not None:
        preview.append(("…" if start else "") + _lines(text[start : branch.fork_at]), "dim")
        preview.append(FORK, "bold reverse")
    prompt_end = max(branch.fork_at, branch.prompt_end)
    preview.append(_lines(text[branch.fork_at : prompt_end][:OWN_SHOWN]), "underline")
    rest = text[prompt_end:]
    preview.append(_lines(rest[:OWN_SHOWN]) + ("…" if len(rest) > OWN_SHOWN else ""))
    if branch.end == branch.fork_at:
        preview.append(NOTHING_YET, "dim italic")
    return preview


def local_time(moment: str, now: datetime) -> str:
    """Return a session's UTC time as a clock here shows it: `12:04` today, else `15 Jan`; as it is if it is none."""
    try:
        time = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).astimezone()
    except ValueError:
        return shown(moment[:20])
    today = now.astimezone()
    if time.date() == today.date():
        return f"{time:%H:%M}"
    return f"{time:%d %b}" if time.year == today.year else f"{time:%d %b %Y}"


def fitted(text: str, width: int) -> str:
    """Cut a line to `width` cells, with an ellipsis where it is cut."""
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)) + "…"


def _lines(text: str) -> str:
    return "\n".join(shown(line) for line in text.replace(END_OF_TURN, "\n").split("\n"))
