"""The models there are, looked at again and again; cheap, and made for a thread."""

from __future__ import annotations

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.checkpoints.library import list_models

FIRST_CHOICE = "shakespeare"


class ModelShelf:
    """`cards` are all models, `live` says of those in training how far they are, by path."""

    def __init__(self) -> None:
        self.cards: list[ModelCard] = []
        self.live: dict[str, str] = {}

    def look(self) -> bool:
        """Look again; return whether there is something to show, which the first time there is."""
        from tinygpt_tui.runs.index import list_runs

        cards = list_models()
        live = {run.path: f"{100 * run.step // max(1, run.steps)}%" for run in list_runs() if run.live}
        new = not self.cards or (cards, live) != (self.cards, self.live)
        self.cards, self.live = cards, live
        return new


def default_model(cards: list[ModelCard], wish: str) -> ModelCard | None:
    """Return the model to begin with: the wish, or the one that comes with the program, or the first usable one."""
    usable = [card for card in cards if not card.problem]
    for name in (wish, FIRST_CHOICE):
        for card in usable:
            if card.name == name:
                return card
    return usable[0] if usable else None
