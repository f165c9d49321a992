"""The models of the Generate tab: the list, kept up to date, and the model in use."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from textual import on, work
from textual.widgets import Input

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.checkpoints.mixes import weighed
from tinygpt_tui.errors import CheckpointError, TinyGPTError
from tinygpt_tui.ui.models.model_list import ModelList, default_model
from tinygpt_tui.ui.models.model_picker import ModelPicker
from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.failed import Failed, pass_to_screen
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shell.install import offer_install

REFRESH_EVERY_S = 2.0  # for new models and the progress of those in training
OPEN_AFTER_S = 0.25  # a model is opened when the highlight has been on it for this long
UNTRAINED = ", untrained"  # after a model's name


class ModelInUse(NamedTuple):
    """A model, with its trained or its initial weights."""

    card: ModelCard
    untrained: bool = False

    @property
    def name(self) -> str:
        """The model's name, marked if it is untrained."""
        return f"{self.card.name}{UNTRAINED if self.untrained else ''}"

    @property
    def has_senses(self) -> bool:
        """Whether it is a backpack whose senses can be shown."""
        return self.card.architecture == "backpack" and not self.card.problem and not self.untrained


class ModelChooser(ModelPicker):
    """The model list of the Generate tab. `in_use` is the model that generates; None while there is none."""

    # The workspace has these actions under other keys, too, the screen `train_on`.
    BINDINGS = [
        bind("i", "card", "Model card", "generate.card", "Details of this model; rename, export, …"),
        bind("o", "open", "Open", "generate.open", "Open a model from anywhere, or from the Hub"),
        bind("t", "screen.train_on", "Fine-tune", "generate.train_on", "Start a run from this model"),
        bind("u", "untrained", "Untrained", "generate.untrained", "Trained, or before its training"),
        bind("left_square_bracket", "weigh(-1)", "Weaker", "generate.weaker", "Make this adapter weaker"),
        bind("right_square_bracket", "weigh(1)", "Stronger", "generate.stronger", "Make this adapter stronger"),
    ]

    class Used(Message):
        """Another model is in use; `before` is the last one."""

        model: ModelInUse
        before: ModelInUse | None

    class Opened(Message):
        """The model has been in use long enough to open it."""

        card: ModelCard

    class Refreshed(Message):
        """The list was read from disk; `gone` is the name of a model that was in use and is missing now."""

        gone: str = ""

    class Done(Message):
        """The choice is over: Enter, or a click."""

    class Preferred(Message):
        """The user chose this model: the next start uses it, too."""

        name: str

    def __init__(self, preferred: str, *, id: str | None = None) -> None:
        """`preferred` is the name of the model to start with."""
        super().__init__(id=id)
        self.models = ModelList()
        self.in_use: ModelInUse | None = None
        self._preferred = preferred
        self._requested = ""  # the path of a model to use as soon as it is in the list

    @property
    def card(self) -> ModelCard | None:
        return None if self.in_use is None else self.in_use.card

    @property
    def focused_card(self) -> ModelCard | None:
        """The highlighted model's card if the list has the focus, even if it cannot be used; else that in use."""
        return (self.resting if self.has_focus_within else None) or self.card

    @property
    def can_train(self) -> bool:
        card = self.focused_card
        return card is not None and not card.problem

    def choose(self, path: str) -> None:
        """Use the model at `path` as soon as it is in the list."""
        self._requested = path
        self.refresh_models()

    @work(thread=True, exclusive=True, group="models", exit_on_error=False)
    def refresh_models(self) -> None:
        """Read the models from disk, in a thread."""
        if self.models.refresh() or self._requested:
            self.app.call_from_thread(self._refreshed)

    def _refreshed(self) -> None:
        self.show_models(self.models.cards, self.models.live)
        known = {card.path: card for card in self.models.cards}
        requested, before = known.get(self._requested), self.card
        gone = ""
        if requested is not None:
            self._requested = ""
            self.use_model(requested)
            self._prefer(requested)
        elif before is None or before.path not in known:
            card = default_model(self.models.cards, self._preferred)
            if card is not None:
                self.use_model(card)
            else:
                self.in_use = None
            gone = before.name if before is not None else ""
        elif self.in_use is not None:
            self.in_use = self.in_use._replace(card=known[before.path])
        self.post_message(self.Refreshed(gone))

    @on(ModelPicker.Picked)
    def _picked(self, message: ModelPicker.Picked) -> None:
        message.stop()
        same = self.in_use is not None and message.card.path == self.in_use.card.path
        self.use_model(message.card, untrained=same and self.in_use is not None and self.in_use.untrained)
        self._prefer(message.card)
        if message.done:
            self.post_message(self.Done())

    @on(ModelPicker.Asked)
    def _asked(self, message: ModelPicker.Asked) -> None:
        message.stop()
        card = message.card
        if not offer_install(self.app, TinyGPTError(f"{card.name} {card.problem}", card.hint)):
            self.show_card(card)

    def _prefer(self, card: ModelCard) -> None:
        self._preferred = card.name
        self.post_message(self.Preferred(card.name))

    def use_model(self, card: ModelCard, *, untrained: bool = False) -> None:
        """Generate with this model from now on, or with its untrained copy."""
        before, self.in_use = self.in_use, ModelInUse(card, untrained)
        self.pick(card.path, untrained=untrained)
        self.post_message(self.Used(self.in_use, before))
        self.set_timer(OPEN_AFTER_S, lambda: self._open(card))

    def _open(self, card: ModelCard) -> None:
        if self.card is card and not card.problem:
            self.post_message(self.Opened(card))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "card":
                return self.focused_card is not None
            case "weigh":
                return self.focused_card is not None and bool(self.focused_card.base) and not self.focused_card.problem
            case "untrained":
                return self.in_use is not None and not (self.has_focus_within and self.resting)
        return super().check_action(action, parameters)

    def action_untrained(self) -> None:
        if self.in_use is not None:
            self.use_model(self.in_use.card, untrained=not self.in_use.untrained)

    def action_card(self) -> None:
        """Show the card of the highlighted model if the list has the focus; else of the model in use."""
        if self.focused_card is not None:
            self.show_card(self.focused_card)

    def action_weigh(self, by: int) -> None:
        """Make the adapter, of a mix the last one, stronger or weaker by a tenth."""
        if (card := self.focused_card) is not None:
            self._mix(weighed(card.name if card.is_mix else f"{card.base}+{card.name}", by / 10))

    @on(ModelPicker.MixNamed)
    def _mix_named(self, message: ModelPicker.MixNamed) -> None:
        message.stop()
        self._mix(message.name)

    @work(thread=True, exclusive=True, group="visit", exit_on_error=False)
    def _mix(self, name: str) -> None:
        from tinygpt_tui.checkpoints.library import find_model

        self.app.call_from_thread(self._visited, self.models.visit(find_model(name)))

    on_worker_state_changed = pass_to_screen

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
            self.post_message(Failed(CheckpointError(card.problem, card.hint)))
            return
        self.choose(card.path)
        if card.is_mix:
            self.query_one(Input).value = ""  # where it may have been typed
        else:
            self.show_card(card)

    def show_card(self, card: ModelCard, *, export: bool = False) -> None:
        """Show a model card, or at once its export; use the model that comes of it (a copy, another name)."""
        from tinygpt_tui.ui.models.card import CardScreen

        def closed(path: str | None) -> None:
            if path is not None:
                self.choose(path)
            else:
                self.refresh_models()

        self.app.push_screen(CardScreen(card, self.models.cards, export=export), closed)
