"""The list of models: moving to a model picks it, typing filters, Enter on an unusable one asks about it."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.checkpoints.mixes import is_mix
from tinygpt_tui.foreign.facts import doubts
from tinygpt_tui.ui.shared.binding import bind_hidden
from tinygpt_tui.ui.shared.branch_words import fitted
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.words import loss_words, parameters, printable

EMPTY = "No model matches."
NO_MODELS = "No models yet.\n\nTrain one in the Train tab (F3): a small one takes a few minutes."


class ModelPicker(Vertical):
    """Shows cards; the one in use is marked. Highlighting a model picks it; Enter or a click also ends the choice."""

    HELP = (
        "The models. The highlighted model is used for the next generation. Your prompt is kept.\n\n"
        "Type in the box above to filter by name, architecture or origin. `● 45%` marks a model in training: it gets "
        "better while you use it. A dim model cannot be used: its second line says why, and Enter shows its card with "
        "the details. Compare losses only between models trained on the same text: a simple text gives a low loss. The "
        "card names the text. The loss of a calibrated model is a little lower than the best of its run, which Runs "
        "shows.\n\n"
        "An adapter is listed under the model that it changes (`└`). In the Generate tab `[` and `]` make it weaker or "
        "stronger, and `shakespeare+diary:0.7+letters:0.3` in the box above mixes several of one model.\n\n"
        "In the Generate tab, `i` shows the model card (details; rename, copy, delete, compare, export), `u` switches "
        "between the model and its untrained copy (the same model with its initial random weights), `t` starts a new "
        "run from this model, and `o` opens a model from anywhere: another program's file, a folder, or `hf:NAME` of "
        "the Hugging Face Hub."
    )
    DEFAULT_CSS = """
    ModelPicker {
        width: 32;
        & > Input { height: 1; border: none; padding: 0 1; background: $panel; }
        & > Input:focus { background: $primary 25%; }
        & > OptionList { height: 1fr; max-height: 100%; border: none; padding: 0; scrollbar-size-vertical: 1; }
        & > Static { display: none; padding: 1; height: auto; color: $text-muted; }
        &.-empty > Static { display: block; }
        &.-empty > OptionList { display: none; }
    }
    """
    BINDINGS = [
        bind_hidden("slash", "filter", "Filter", "models.filter", "Type to filter the models"),
    ]

    class MixNamed(Message):
        """The name of a mix of adapters was typed."""

        name: str

    class Picked(Message):
        """The user picked a model; `done` if the choice is over (Enter, click)."""

        card: ModelCard
        done: bool

    class Asked(Message):
        """The user asks why a model cannot be used (Enter, click)."""

        card: ModelCard

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = "models"
        self._cards: dict[str, ModelCard] = {}
        self._live: dict[str, str] = {}
        self._current, self._untrained = "", False
        self._resting = ""  # the path of a model that cannot be used, while the highlight is on it
        self._shown: list[tuple[str, Text]] = []

    def compose(self) -> ComposeResult:
        yield Input(placeholder="filter  /", compact=True)
        yield OptionList()
        yield Static("", markup=False)

    def show_models(self, cards: list[ModelCard], live: dict[str, str]) -> None:
        """Show these models; `live` marks those in training, by path."""
        self._cards = {card.path: card for card in cards}
        self._live = live
        self._fill()

    @property
    def resting(self) -> ModelCard | None:
        """The highlighted model if it cannot be used; None if the highlight is on the one in use."""
        return self._cards.get(self._resting)

    def pick(self, path: str, *, untrained: bool = False) -> None:
        """Mark the model in use, and whether it is untrained; no message is sent."""
        self._current, self._untrained, self._resting = path, untrained, ""
        self._fill()

    def action_filter(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _filter(self, message: Input.Changed) -> None:
        message.stop()
        self._fill()

    @on(Input.Submitted)
    def _take_first(self, message: Input.Submitted) -> None:
        message.stop()
        usable = [path for path, _ in self._shown if not self._cards[path].problem]
        wanted = self._current if self._current in usable else next(iter(usable), None)
        if wanted is not None:
            self.query_one(Input).value = ""
            self._choose(wanted, done=True)
        elif is_mix(message.value):
            self.post_message(self.MixNamed(message.value))

    def on_key(self, event: events.Key) -> None:
        if event.key == "down" and self.query_one(Input).has_focus and self._shown:
            event.stop()
            self.query_one(OptionList).focus()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, message: OptionList.OptionHighlighted) -> None:
        message.stop()
        if message.option.id and self.query_one(OptionList).has_focus:
            self._choose(message.option.id, done=False)

    @on(OptionList.OptionSelected)
    def _selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        if message.option.id:
            self._choose(message.option.id, done=True)

    def on_resize(self) -> None:
        self._fill()

    def _choose(self, path: str, done: bool) -> None:
        card = self._cards.get(path)
        if card is not None and card.problem:
            self._resting = path
            self.screen.refresh_bindings()
            if done:
                self.post_message(self.Asked(card))
        elif card is not None and (done or path != self._current or self._resting):
            self.pick(path, untrained=self._untrained and path == self._current)
            self.post_message(self.Picked(self._cards[path], done))

    def _fill(self) -> None:
        """Change only what is different, so that nothing flickers and the highlight stays where it is."""
        words = self.query_one(Input).value.lower().split()
        rows = [
            (path, self._row(card))
            for path, card in self._cards.items()
            if all(word in f"{card.name} {card.architecture} {card.origin} {card.base}".lower() for word in words)
        ]
        listing, before = self.query_one(OptionList), self._shown
        self._shown = rows
        if [path for path, _ in rows] != [path for path, _ in before]:
            listing.set_options([Option(row, id=path) for path, row in rows])
        else:
            for (path, row), (_, old) in zip(rows, before, strict=True):
                if row != old:
                    listing.replace_option_prompt(path, row)
        if self.resting is None or not self.resting.problem:  # gone, or mended
            self._resting = ""
        wanted = self._resting or self._current
        place = next((index for index, (path, _) in enumerate(rows) if path == wanted), None)
        if listing.highlighted != place:
            with self.prevent(OptionList.OptionHighlighted):
                listing.highlighted = place
        self.set_class(not rows, "-empty")
        self.query_one(Static).update(EMPTY if self._cards else NO_MODELS)

    def _row(self, card: ModelCard) -> Text:
        # The list's own width is unknown while it is hidden for being empty; two cells are for its scroll bar.
        width = max(8, self.scrollable_content_region.width - 2)
        mark = "▸ " if card.path == self._current else "  "
        progress = self._live.get(card.path, "")
        is_untrained = self._untrained and card.path == self._current
        side = " untrained" if is_untrained else f" {progress}" if progress else f" {card.origin}"
        own = printable(card.name.removeprefix(f"{card.base}+") if card.is_mix else card.name, lines=False)
        name = fitted(f"└ {own}" if card.base else own, width - 2 - cell_len(side))
        gap = " " * max(0, width - 2 - cell_len(name) - cell_len(side))
        row = Text(no_wrap=True, overflow="ellipsis")
        row.append(mark + name, "" if card.problem else "bold")
        row.append(gap + side, "" if progress else "dim")
        row.append(
            "\n  " + fitted(card.problem or details_of(card, width - 2, untrained=is_untrained), width - 2), "dim"
        )
        if card.problem:
            row.stylize("dim italic")
        elif doubt := doubts(card.facts):
            row.append("\n  " + fitted(f"? {doubt}", width - 2), "italic")
        return row


def details_of(card: ModelCard, width: int, *, untrained: bool) -> str:
    """Return the line under a model's name: its size and kind, and its loss if it was trained."""
    loss = (
        f" · loss {loss_words(card.trained.loss_per_character, card.trained.tokens, 2)}"
        if card.trained and not untrained
        else ""
    )
    if card.is_mix:
        return f"with {card.base}"
    what = f"rank-{card.rank} adapter" if card.base else f"{parameters(card.parameters)} {card.architecture}"
    calibrated = f"{what}{loss} calibrated"
    return calibrated if loss and card.is_calibrated and cell_len(calibrated) <= width else what + loss
