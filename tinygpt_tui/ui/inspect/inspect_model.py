"""Choose the model that is looked into."""

from __future__ import annotations

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.ui.models.choose_model import RaceModelScreen


class InspectModelScreen(RaceModelScreen):
    """Dismisses with the model that was chosen, or with None."""

    DEFAULT_CSS = """
    InspectModelScreen {
        & ModelPicker { border-title-color: $foreground; border-subtitle-color: $quiet; }
        & OptionList, & OptionList:focus { background: $surface; border: none; background-tint: transparent 0%; }
        & ModelPicker Input { background: $panel; }
        & ModelPicker > Static { color: $text-muted; }
    }
    """

    def __init__(self, cards: list[ModelCard], live: dict[str, str], current: str) -> None:
        """`current` is the path of the model that is looked into now."""
        super().__init__(cards, live, current, pane=1)
        self._for = "model to look into"
