"""What one tab is about, for another tab to take up."""

from __future__ import annotations

from typing import NamedTuple


class Selection(NamedTuple):
    """A model by its path, with its first weights or not, and a prompt."""

    model: str
    untrained: bool
    prompt: str
