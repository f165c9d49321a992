"""Choose the model whose weights another's are compared with."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import OptionList

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.ui.models.model_picker import ModelPicker


class CompareModelScreen(ModalScreen[ModelCard | None]):
    """Dismisses with the model that was chosen, or with None."""

    DEFAULT_CSS = """
    CompareModelScreen {
        align: center middle;
        & > ModelPicker { width: 46; max-width: 96%; height: 80%; background: $surface; border: round $border; }
        & OptionList, & OptionList:focus { background: $surface; border: none; background-tint: transparent 0%; }
        & Input { background: $panel; }
        & Input:focus { background: $primary 25%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", id="compare-model.cancel", tooltip="Compare nothing"),
        Binding("f1", "app.help", "Help", id="app.help", show=False, tooltip="What has the focus, and all keys"),
    ]

    def __init__(self, cards: list[ModelCard], name: str) -> None:
        """`cards` are the models to choose from, `name` the one that is compared."""
        super().__init__()
        self._cards, self._name = cards, name

    def compose(self) -> ComposeResult:
        """Yield the list."""
        yield ModelPicker()

    def on_mount(self) -> None:
        """Fill the list and go to it."""
        picker = self.query_one(ModelPicker)
        picker.border_title = f"compare {self._name} with"
        picker.border_subtitle = "enter: compare  esc: back"
        picker.show(self._cards, {})
        picker.pick(self._cards[0].path)
        picker.query_one(OptionList).focus()

    @on(ModelPicker.Picked)
    def _picked(self, message: ModelPicker.Picked) -> None:
        message.stop()
        if message.done:
            self.dismiss(message.card)

    def action_cancel(self) -> None:
        """Choose nothing."""
        self.dismiss(None)
