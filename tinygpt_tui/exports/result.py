"""What an export gave: its files, what a reader must know, what the check found; no torch here."""

from __future__ import annotations

import msgspec


class Checked(msgspec.Struct, frozen=True):
    """`program` read the file, and of the logits of some ids the largest difference was so much, of such a spread."""

    program: str
    difference: float
    spread: float

    @property
    def share(self) -> float:
        """The difference as a share of the spread."""
        return self.difference / self.spread if self.spread else self.difference


class Exported(msgspec.Struct, frozen=True):
    """What was written: its files and their sizes in bytes, notes in words, and what the check found."""

    form: str
    path: str
    files: dict[str, int]
    notes: list[str]
    checked: Checked | None
