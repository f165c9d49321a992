"""What counts as written in a lesson: nothing that was generated before it was opened."""

from __future__ import annotations

import pytest

from tinygpt_tui.sessions.document import Branch, Session
from tinygpt_tui.ui.learn.observer import is_old

BEFORE, AFTER, OPENED = "2027-01-15T11:00:00Z", "2027-01-15T13:00:00Z", 1_800_014_400.5  # 12:00 and a half second


@pytest.mark.parametrize(
    ("parent", "fork_at", "created", "old"),
    [
        (BEFORE, None, AFTER, False),  # a text of its own
        (BEFORE, None, BEFORE, True),
        (BEFORE, 10, AFTER, True),  # continues a text from before
        (BEFORE, 7, AFTER, True),  # leaves it at its second letter
        (BEFORE, 6, AFTER, False),  # the same prompt again
        (AFTER, 10, AFTER, False),
        (AFTER, 10, "2027-01-15T12:00:00Z", False),  # in the second in which the lesson was opened
    ],
)
def test_a_text_is_old_if_any_of_it_was_there_before(parent: str, fork_at: int | None, created: str, old: bool) -> None:
    first = Branch(id=0, text="ROMEO:text", prompt_end=6, created_at=parent)
    last = Branch(id=1, text="ROMEO:more", created_at=created, prompt_end=6)
    if fork_at is not None:
        last = Branch(id=1, parent=0, fork_at=fork_at, text="more", created_at=created, prompt_end=6)
    assert is_old(Session(id="x", branches={0: first, 1: last}), last, OPENED) is old
