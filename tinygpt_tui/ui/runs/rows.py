"""Which runs the table shows and in which order: sorting, filter, mark. It knows nothing of Textual."""

from __future__ import annotations

from collections.abc import Sequence

from tinygpt_tui.runs.facts import RunFacts
from tinygpt_tui.ui.runs.table import in_order


class RunRows:
    """All runs, and those that are shown."""

    def __init__(self) -> None:
        self.are_known = False
        self.shown: list[RunFacts] = []
        self.sorted_by: str | None = None
        self.is_reversed = False
        self.marked: str | None = None  # the path of the marked run
        self._facts: list[RunFacts] = []
        self._words: list[str] = []

    def update(self, facts: Sequence[RunFacts]) -> bool:
        """Take the runs as they are now; return whether anything changed."""
        if self.are_known and list(facts) == self._facts:
            return False
        self.are_known, self._facts = True, list(facts)
        self._arrange()
        return True

    @property
    def is_filtered(self) -> bool:
        return bool(self._words)

    def filter_by(self, text: str) -> None:
        """Show only the runs that contain every word of `text` in name, state, text, preset or notes."""
        self._words = text.lower().split()
        self._arrange()

    def sort_by(self, column: str) -> None:
        """Sort by a column; by the same one again in reverse."""
        self.is_reversed = not self.is_reversed if column == self.sorted_by else False
        self.sorted_by = column
        self._arrange()

    def toggle_mark(self, path: str | None) -> None:
        """Mark a run in place of another one; unmark it if it is marked."""
        self.marked = None if path == self.marked else path

    def find(self, path: str | None) -> RunFacts | None:
        return next((facts for facts in self.shown if facts.card.path == path), None)

    def neighbour(self, facts: RunFacts) -> str | None:
        """Return the path of the run after this one, or before it if it is the last."""
        at = self.shown.index(facts)
        near = self.shown[at + 1 : at + 2] or self.shown[max(0, at - 1) : at]
        return near[0].card.path if near else None

    def _arrange(self) -> None:
        ordered = in_order(self._facts, self.sorted_by, self.is_reversed)
        self.shown = [facts for facts in ordered if all(word in _searched(facts) for word in self._words)]


def _searched(facts: RunFacts) -> str:
    card = facts.card
    return f"{card.name} {card.state} {card.corpus} {card.preset} {facts.notes}".lower()
