"""Choose the model of one pane of the race."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import OptionList

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.ui.models.model_picker import ModelPicker
from tinygpt_tui.ui.shell.install import offer_install


class RaceModelScreen(ModalScreen[ModelCard | None]):
    """Dismisses with the model that was chosen, or with None."""

    DEFAULT_CSS = """
    RaceModelScreen {
        align: center middle;
        & > ModelPicker { width: 46; max-width: 96%; height: 80%; background: $surface; border: round $border; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="race-model.cancel", tooltip="Leave the pane as it is"),
    ]

    def __init__(self, cards: list[ModelCard], live: dict[str, str], current: str, pane: int) -> None:
        """`current` is the path of the pane's model; `pane` counts from 1."""
        super().__init__()
        self._cards, self._live, self._current = cards, live, current
        self._for = f"model of pane {pane}"

    def compose(self) -> ComposeResult:
        """Yield the list."""
        yield ModelPicker()

    def on_mount(self) -> None:
        """Fill the list and go to it."""
        picker = self.query_one(ModelPicker)
        picker.border_title = self._for
        picker.border_subtitle = "enter: take it  esc: back"
        picker.show(self._cards, self._live)
        picker.pick(self._current)
        picker.query_one(OptionList).focus()

    @on(ModelPicker.Picked)
    def _picked(self, message: ModelPicker.Picked) -> None:
        message.stop()
        if message.done:
            self.dismiss(message.card)

    @on(ModelPicker.Asked)
    def _asked(self, message: ModelPicker.Asked) -> None:
        message.stop()
        card = message.card
        if offer_install(self.app, TinyGPTError(f"{card.name} {card.problem}", card.hint)):
            return
        self.notify(f"{card.problem}\n{card.hint}".strip(), severity="warning", markup=False)

    def action_cancel(self) -> None:
        """Choose nothing."""
        self.dismiss(None)
