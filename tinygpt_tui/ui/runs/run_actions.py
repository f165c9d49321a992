"""What can be done with the selected run now. It knows nothing of Textual."""

from __future__ import annotations

from pathlib import Path

from tinygpt_tui.checkpoints.card import WEIGHTS
from tinygpt_tui.runs.facts import RunFacts
from tinygpt_tui.runs.manage import is_own

ACTIONS = {"time_machine", "mark", "card", "notes", "rename", "delete", "talk", "compare"}


def possible(facts: RunFacts | None, shown: int) -> set[str]:
    """Return the actions that make sense for a run, one of that many `shown`."""
    if facts is None:
        return set()
    model = Path(facts.card.path)
    actions = {"time_machine", "mark", "card"}
    if is_own(model):
        actions |= {"notes"} if facts.card.live else {"notes", "rename", "delete"}
    if (model / WEIGHTS).is_file():
        actions.add("talk")
    return actions | {"compare"} if shown > 1 else actions
