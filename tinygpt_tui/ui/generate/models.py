"""The Generate tab's models: which there are, which one is used, and having it ready."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual import on, work
from textual.markup import escape
from textual.message import Message
from textual.widgets import OptionList

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.checkpoints.vocabulary import characters_of
from tinygpt_tui.errors import CheckpointError, TinyGPTError
from tinygpt_tui.ui.generate.side_panes import SidePanes
from tinygpt_tui.ui.generate.status_line import StatusLine
from tinygpt_tui.ui.models.model_list import ModelList, default_model
from tinygpt_tui.ui.models.model_picker import NO_MODELS, ModelPicker
from tinygpt_tui.ui.shared.output_text import OutputText
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shell.install import offer_install
from tinygpt_tui.ui.shell.tab_screen import TabScreen
from tinygpt_tui.words import parameters

LOOK_EVERY_S = 2.0  # for new models and the progress of those in training
OPEN_AFTER_S = 0.25  # a model is opened when the highlight has rested on it so long
UNTRAINED = ", untrained"  # behind a model's name
FIRST_HINT = "Write a beginning below and press Enter; {name} goes on from there."


class ChoosesModels(TabScreen):
    """The part of the Generate screen that knows the models; `card` is the one in use."""

    class TrainOn(Message):
        """The user wants to begin a training from this model."""

        def __init__(self, card: ModelCard) -> None:
            super().__init__()
            self.card = card

    def __init__(self) -> None:
        super().__init__()
        self.models = ModelList()
        self.card: ModelCard | None = None
        self.untrained = False  # the model is used with its first weights
        self._wished = ""  # the path of a model that another tab wants to be used here

    def on_mount(self) -> None:
        """Look for models now and then; the first time when the screen is shown, which it is now."""
        self.set_interval(LOOK_EVERY_S, self.on_screen_resume)

    def on_screen_resume(self) -> None:
        """Look for models, as long as somebody looks at this tab."""
        if self.is_current:
            self._look_for_models()

    def choose(self, path: str) -> None:
        """Use the model at `path`, as soon as it is seen among the models."""
        self._wished = path
        self._look_for_models()

    def models_known(self) -> None:
        """Somebody has looked for models; a subclass may have waited for it."""

    @work(thread=True, exclusive=True, group="models", exit_on_error=False)
    def _look_for_models(self) -> None:
        if self.models.refresh() or self._wished:
            self.app.call_from_thread(self._show_models)

    def _show_models(self) -> None:
        picker = self.query_one(ModelPicker)
        picker.show_models(self.models.cards, self.models.live)
        known = {card.path: card for card in self.models.cards}
        wished = known.get(self._wished)
        if wished is not None:
            self._wished = ""
            self.use(wished)
            self.workbench.save_preferences(model=wished.name)
        elif self.card is None or self.card.path not in known:
            gone = self.card
            self.use(default_model(self.models.cards, self.workbench.preferences.settings.model))
            if gone is not None and self.card is not None:
                words = f"{gone.name} is not there any more; {self.card.name} writes from now on"
                self.notify(words, severity="warning", markup=False)
        else:
            self.card = known[self.card.path]
        if self.card is None:
            self.query_one(OutputText).set_hint(NO_MODELS)
        self.models_known()

    @on(ModelPicker.Picked)
    def _picked(self, message: ModelPicker.Picked) -> None:
        same = self.card is not None and message.card.path == self.card.path
        self.use(message.card, untrained=same and self.untrained)
        self.workbench.save_preferences(model=message.card.name)
        if message.done:
            self.action_back()

    @on(ModelPicker.Asked)
    def _asked(self, message: ModelPicker.Asked) -> None:
        card = message.card
        if not offer_install(self.app, TinyGPTError(f"{card.name} {card.problem}", card.hint)):
            self._show_card(card)

    def use(self, card: ModelCard | None, *, untrained: bool = False) -> None:
        """Write with this model from now on, or with its untrained twin."""
        self.card, self.untrained = card, untrained
        if card is None:
            return
        self.query_one(ModelPicker).pick(card.path, untrained=untrained)
        self.query_one(OutputText).set_hint(FIRST_HINT.format(name=card.name))
        self.query_one(StatusLine).set_idle(
            f"{parameters(card.parameters)} {card.architecture} · block size {card.block_size} · "
            f"vocabulary {card.vocab_size}"
        )
        self.set_title()
        self.refresh_bindings()  # some keys are for some models alone
        self._learn_characters(card)
        self.set_timer(OPEN_AFTER_S, lambda: self._open(card))

    @work(exclusive=True, group="characters", exit_on_error=False)
    async def _learn_characters(self, card: ModelCard) -> None:
        known = await asyncio.to_thread(characters_of, Path(card.path)) if card.layout == "native" else None
        if self.card is not None and self.card.path == card.path:
            self.query_one(PromptBox).set_known(known)

    @work(exit_on_error=False)
    async def _open(self, card: ModelCard) -> None:
        if self.card is card and not card.problem:
            await self.workbench.engine.open(card.path)

    def set_title(self, stamp: str = "") -> None:
        """Write the model's name over the output, with where its training stands."""
        name = self.name_in_use or "output"
        self.query_one(OutputText).border_title = escape(f"{name}{stamp}")

    @property
    def name_in_use(self) -> str:
        """The model's name, and that it is the untrained twin where it is."""
        return "" if self.card is None else f"{self.card.name}{UNTRAINED if self.untrained else ''}"

    def action_untrained_here(self) -> None:
        """Write with the untrained twin of the highlighted model."""
        self.action_untrained()

    def action_untrained(self) -> None:
        """Write with the untrained twin of the model in use; or with the trained one again."""
        self.use(self.card, untrained=not self.untrained)

    def action_models(self) -> None:
        """Go to the models; where there is no room for them, open them over the output."""
        picker = self.query_one(ModelPicker)
        if picker.has_focus_within:
            self.action_back()
        else:
            self.query_one(SidePanes).open(picker)
            picker.query_one(OptionList).focus()

    def action_open_here(self) -> None:
        """Open a model from anywhere."""
        self.action_open()

    def action_open(self) -> None:
        """Open a model from anywhere: a file, a folder, the Hub."""
        from tinygpt_tui.ui.models.open_model import OpenModelScreen

        def opened(path: Path | None) -> None:
            if path is not None:
                self._visit(path)

        self.app.push_screen(OpenModelScreen(Path.cwd()), opened)

    @work(thread=True, group="visit", exit_on_error=False)
    def _visit(self, path: Path) -> None:
        card = self.models.visit(path)
        self.app.call_from_thread(self._visited, card)

    def _visited(self, card: ModelCard) -> None:
        if card.problem:
            self.show_error(CheckpointError(card.problem, card.hint))
            return
        self.choose(card.path)
        self._show_card(card)

    @property
    def _can_be_trained(self) -> bool:
        return self.card is not None and not self.card.problem

    def action_train_on_here(self) -> None:
        """Begin a training from the highlighted model, which is the one in use."""
        self.action_train_on()

    def action_train_on(self) -> None:
        """Begin a training from the model in use."""
        if self.card is not None:
            self.post_message(self.TrainOn(self.card))

    def action_card_here(self) -> None:
        """Show what is known of the highlighted model: the one in use, or one that cannot be used, and why."""
        card = self.query_one(ModelPicker).resting or self.card
        if card is not None:
            self._show_card(card)

    def action_card(self) -> None:
        """Show what is known of the model in use."""
        if self.card is not None:
            self._show_card(self.card)

    def _show_card(self, card: ModelCard) -> None:
        from tinygpt_tui.ui.models.card import CardScreen

        def back(path: str | None) -> None:
            if path is not None:
                self.choose(path)
            else:
                self._look_for_models()

        self.app.push_screen(CardScreen(card, self.models.cards), back)

    def action_filter(self) -> None:
        """Go to the models' filter."""
        picker = self.query_one(ModelPicker)
        self.query_one(SidePanes).open(picker)
        picker.action_filter()

    def action_back(self) -> None:
        """Close what lies over the output; back to the prompt."""
        self.query_one(SidePanes).close_drawers()
        self.query_one(PromptBox).focus()
