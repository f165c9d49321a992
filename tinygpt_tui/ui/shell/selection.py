"""What is selected in the Generate tab, for other tabs."""

from __future__ import annotations

from typing import NamedTuple


class Selection(NamedTuple):
    """A model by its path, untrained (initial weights) or not, and a prompt."""

    model: str
    untrained: bool
    prompt: str
