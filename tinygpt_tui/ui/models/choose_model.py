"""Choose a model from the list of all."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widgets import OptionList

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.ui.models.model_picker import ModelPicker
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.shell.install import offer_install


class ChooseModel(Dialog[ModelCard]):
    """Dismisses with the model that was chosen, or with None."""

    DEFAULT_CSS: ClassVar[str] = """
    ChooseModel {
        & > DialogBox { width: 46; max-width: 96%; height: 80%; padding: 0; }
        & ModelPicker { width: 1fr; height: 1fr; }
    }
    """

    def __init__(
        self,
        heading: str,
        cards: list[ModelCard],
        current: str = "",
        live: dict[str, str] | None = None,
        keys: str = "enter: choose  esc: cancel",
    ) -> None:
        """`current` is the path of the model in use, `live` marks those in training, by path."""
        super().__init__(heading, keys)
        self._cards, self._current, self._live = cards, current, live or {}

    def compose_body(self) -> ComposeResult:
        yield ModelPicker()

    def on_mount(self) -> None:
        picker = self.query_one(ModelPicker)
        picker.show_models(self._cards, self._live)
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
