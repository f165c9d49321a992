"""The form of a new training: what to learn from, its name, a preset, and every setting."""

from __future__ import annotations

import asyncio
import dataclasses

import msgspec
from textual import events, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Button, Collapsible, Select, Static

from tinygpt_tui.packages import TRAINING, missing
from tinygpt_tui.planning.machine import read_machine
from tinygpt_tui.runs.folder import StartingModel
from tinygpt_tui.runs.text_facts import CorpusFacts
from tinygpt_tui.settings.architecture import name_of
from tinygpt_tui.settings.fields import fields_of
from tinygpt_tui.settings.presets import ALL_PRESETS, DEFAULT_PRESET, TIMED_PRESET
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.fine_tuning import FREE, RATE, Origin
from tinygpt_tui.ui.train.base_model import NOTHING, TrainStart
from tinygpt_tui.ui.train.budget import TrainBudget, summary
from tinygpt_tui.ui.train.corpus import TrainCorpus
from tinygpt_tui.ui.train.draft import (
    Draft,
    draft_of,
    form_fields,
    important,
    limits_of,
    suited,
    texts_of,
    words_of_origin,
)
from tinygpt_tui.ui.train.name_row import TrainNameRow
from tinygpt_tui.ui.train.setting_row import TrainSettingRow
from tinygpt_tui.workers.measurer import measure_in_child

# From this width on the budget stands beside the settings.
WIDE_COLUMNS = 120
OWN_RECIPE = ""  # the value of the row that stands for the recipe of the model to start from
HINTS = {
    "corpus": "corpus: the text to learn from; ^l chooses any text file of yours",
    "name": "name: what the model will be called, here and on the disk",
    "start-from": "start from: fresh weights, or a model that has learnt already; its net is taken as it is",
    "preset": "preset: settings that are known to be worth their time; each can be changed below",
    "start": "Start: the training goes on when you leave the app, and is found again when you come back",
}


class PresetSelect(Select[str]):
    """The presets by title."""

    HELP = "## Preset\n\n" + "\n\n".join(f"**{preset.title}**: {preset.description}" for preset in ALL_PRESETS.values())


class TrainForm(Vertical):
    """Holds what was typed; the screen brings the facts about the text and takes the finished draft away."""

    DEFAULT_CSS = """
    TrainForm {
        & > #form-body { height: 1fr; }
        & #form-rows { height: 1fr; width: 1fr; max-width: 104; padding: 0 2; scrollbar-size-vertical: 1; }
        & #budget { width: 48; height: auto; margin: 1 0 0 2; }
        & #form-important { height: auto; }
        & #form-missing, & #form-news { height: auto; display: none; }
        & .-line { height: 1; }
        & .-line > .-title { width: 19; }
        & .-line > Select { width: 40; }
        & #preset-note { height: 1; padding: 0 0 0 19; text-wrap: nowrap; text-overflow: ellipsis; }
        & .-heading { height: 1; margin: 1 0 0 0; }
        & Collapsible { margin: 1 0 0 0; padding: 0; border: none; background: transparent; }
        & CollapsibleTitle { padding: 0; }
        & Collapsible > Contents { padding: 0; }
        & > #form-foot { height: auto; padding: 0 2; dock: bottom; }
        & #form-warning { height: auto; max-height: 2; display: none; }
        & #form-hint { height: 2; }
        & #form-go { height: 1; }
        & #start { min-width: 12; }
        & #form-summary { width: 1fr; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """

    class Changed(Message):
        """Something in the form is different now."""

    class StartWanted(Message):
        """The button was pressed."""

    def __init__(self) -> None:
        super().__init__(id="form")
        self.preset = DEFAULT_PRESET
        self.facts: CorpusFacts | None = None
        self.touched = False
        self.machine = read_machine()
        self._net = type(ALL_PRESETS[self.preset].training.architecture)  # whose settings stand in the form
        self._shown = self._net  # whose rows stand there: they change a moment later
        self._changing = asyncio.Lock()
        self._all_wanted = False
        self.origin: Origin | None = None  # the model that the training starts from
        self._own_recipe = False  # the settings are that model's recipe, not the preset's
        self._preset_chosen = False  # by the user, or settings were
        self._own = texts_of(ALL_PRESETS[self.preset].training)  # what the preset itself says
        self._texts = dict(self._own)
        self.draft: Draft = draft_of(self._texts, None, self._net)

    def compose(self) -> ComposeResult:
        """Yield the rows, the budget beside them, and below them what never scrolls away."""
        with Horizontal(id="form-body"):
            with VerticalScroll(id="form-rows", can_focus=False):
                yield Static("", id="form-missing", markup=False)
                yield Static("", id="form-news", markup=False)
                yield TrainCorpus()
                yield TrainStart()
                yield TrainNameRow()
                with Horizontal(classes="-line"):
                    yield Static("preset", classes="-title")
                    presets = [(preset.title, name) for name, preset in ALL_PRESETS.items()]
                    yield PresetSelect(presets, value=self.preset, allow_blank=False, compact=True, id="preset")
                yield Static("", classes="-note", id="preset-note", markup=False)
                yield Static("settings", classes="-heading")
                with Vertical(id="form-important"):
                    yield from self._rows(first=True)
                yield Collapsible(title="all settings", id="all-settings")
            yield TrainBudget(id="budget")
        with Vertical(id="form-foot"):
            yield Static("", id="form-warning", markup=False)
            yield Static(HINTS["corpus"], id="form-hint", markup=False)
            with Horizontal(id="form-go"):
                yield Static("", id="form-summary", markup=False)
                yield Button("Start ^t", id="start", variant="success", compact=True, tooltip="Begin to train (ctrl+t)")

    def on_resize(self, event: events.Resize) -> None:
        """Show the budget where there is room for it."""
        self.query_one(TrainBudget).display = event.size.width >= WIDE_COLUMNS
        self._show_warnings()

    async def on_collapsible_expanded(self, message: Collapsible.Expanded) -> None:
        """Make the less important rows when they are first wanted: most people never look at them."""
        message.stop()
        contents = message.collapsible.query_one(Collapsible.Contents)
        if not contents.children:
            self._all_wanted = True
            await contents.mount_all(self._rows(first=False))
            self.check()
        self.call_after_refresh(message.collapsible.scroll_visible, top=True)

    def _rows(self, *, first: bool) -> list[TrainSettingRow]:
        """Make a row for each of the net's and its training's settings: the `first` ones, or those that wait."""
        names = important(self._net)
        return [
            TrainSettingRow(setting, self._texts[name])
            for name, setting in form_fields(self._net).items()
            if (name in names) == first
        ]

    def on_mount(self) -> None:
        """Show the first preset; where this machine was never measured, have that done."""
        self.look_for_torch()
        self.check()
        if not self.machine.measured:
            self._measure()

    @work(thread=True, exclusive=True, group="measure")
    def _measure(self) -> None:
        if measure_in_child():
            self.app.call_from_thread(self.look_at_machine)

    def look_at_machine(self) -> None:
        """Take over what is known of this machine's speed by now: every training measures it again."""
        machine = read_machine()
        if self.is_attached and machine != self.machine:
            self.machine = machine
            self.check()

    @property
    def corpus(self) -> TrainCorpus:
        """The part that chooses the text."""
        return self.query_one(TrainCorpus)

    @property
    def name_row(self) -> TrainNameRow:
        """The part that holds the name."""
        return self.query_one(TrainNameRow)

    @property
    def problem(self) -> str:
        """Why the training cannot begin as it stands; empty where it can."""
        if self.facts is None:
            return self.corpus.problem or "choose a text to learn from"
        if self.name_row.problem:
            return f"name: {self.name_row.problem}"
        for name, problem in self.draft.problems.items():
            return f"{form_fields(self._net)[name].title}: {problem}"
        return ""

    @property
    def settings(self) -> TrainingSettings | None:
        """The training as typed; None where something cannot be."""
        return self.draft.settings if not self.problem else None

    @property
    def start(self) -> StartingModel | None:
        """The model that the training starts from; None: a net that knows nothing yet."""
        return self.origin.model if self.origin else None

    def look_for_torch(self) -> None:
        """Say so at the top where torch is missing, before anything is filled in."""
        error = missing("torch", TRAINING)
        line = self.query_one("#form-missing", Static)
        line.display = error is not None
        line.update(f"✗ {error.message}; {error.hint}\n  Start offers to copy that." if error else "")

    def show_news(self, news: str) -> None:
        """Say something about other trainings; nothing with ""."""
        line = self.query_one("#form-news", Static)
        line.display = bool(news)
        line.update(news)

    def renew(self) -> None:
        """Be ready for another training like the last one, under a new name."""
        self.touched = False
        self.query_one(TrainStart).look()
        self._suggest_name()
        self.check()

    def fill(self, settings: TrainingSettings, changes: dict[str, str]) -> None:
        """Put the settings of another training in, and `changes`, as one would type them, over them."""
        self.touched = self._preset_chosen = True
        self.origin = None
        self.query_one(TrainStart).choose(NOTHING, "", keep=True)
        self._put(settings, texts_of(settings) | changes)

    def change(self, changes: dict[str, str]) -> None:
        """Put some settings in, as if they were typed."""
        self.touched = True
        self._texts |= {name: text for name, text in changes.items() if name in self._texts}
        self._set_rows()
        self.check()

    def start_from(self, path: str, name: str, *, keep: bool = False) -> None:
        """Start from the model at `path`; with `keep` the settings stay, but for the net's."""
        self.touched = True
        self.query_one(TrainStart).choose(path, name, keep=keep)

    def on_train_start_chosen(self, message: TrainStart.Chosen) -> None:
        """Take over the model to start from, with its net and its recipe."""
        message.stop()
        before, self.origin = self.origin, message.origin
        if message.keep and self.origin is None:
            self.check()
            return
        if self.origin is not None:
            self.touched = True
        self._own_recipe = self.origin is not None and self.origin.recipe is not None
        self._show_presets()
        training = self._recommended()
        own = texts_of(training)
        kept = self._texts if message.keep else {}
        net = fields_of(type(training.architecture)).keys() - FREE
        if self.origin is not None or before is not None:
            self._own = own
            self._put(training, {name: own[name] if name in net else kept.get(name, own[name]) for name in own})
        self._suggest_name()

    def _recommended(self) -> TrainingSettings:
        """Return the preset's training; of a model to start from the net, and where it is wished its recipe."""
        training = ALL_PRESETS[self.preset].training
        if self.origin is None:
            return training
        origin = self.origin if self._own_recipe else dataclasses.replace(self.origin, recipe=None)
        chosen = origin.training(training, self.facts.reference.characters if self.facts else None)
        return (
            chosen
            if self._own_recipe
            else msgspec.structs.replace(chosen, minutes=training.minutes if self._preset_chosen else 0.0)
        )

    def _suggest_name(self) -> None:
        if self.facts is not None:
            corpus = self.facts.reference.name
            self.name_row.suggest(f"{self.origin.model.name}-{corpus}" if self.origin else corpus)

    def _put(self, settings: TrainingSettings, texts: dict[str, str]) -> None:
        """Let `texts` stand in the form, for a training of the net that `settings` are about."""
        net = type(settings.architecture)
        self._texts = texts
        if net is self._net:
            self._set_rows()
            self.check()
        else:
            self._net = net
            self._change_rows()

    def _set_rows(self) -> None:
        for row in self.query(TrainSettingRow):
            if row.setting.name in self._texts:
                row.set_text(self._texts[row.setting.name])

    @work(group="rows")
    async def _change_rows(self) -> None:
        """Show another net's settings: other rows in the place of those that stood there."""
        async with self._changing:
            while self._shown is not self._net:  # somebody may choose again meanwhile
                net = self._net
                with self.app.batch_update():
                    for place, first in (("#form-important", True), ("#all-settings Contents", False)):
                        if first or self._all_wanted:
                            await self.query_one(place).remove_children()
                            await self.query_one(place).mount_all(self._rows(first=first))
                self._shown = net
            self.check()

    @property
    def settled(self) -> bool:
        """Whether the rows are those of the net that was chosen: they change a moment later."""
        return self._shown is self._net

    @property
    def preset_name(self) -> str:
        """The preset's name where nothing was changed, else nothing."""
        return self.preset if not self._changed() and self.origin is None else ""

    def _changed(self) -> list[str]:
        """The settings, by title, in which the form differs from its preset."""
        fields = form_fields(self._net)
        if self._own.keys() != self._texts.keys():
            return ["net"]
        return [fields[name].title for name, own in self._own.items() if own != self._texts[name].strip()]

    def _suit_preset(self, own: bool) -> None:
        """Choose the preset for a text of the user's own, or a shipped one, until the user has chosen."""
        preset = TIMED_PRESET if own else DEFAULT_PRESET
        if self._preset_chosen or self.origin is not None or preset == self.preset or self._changed():
            return
        self.preset = preset
        self._own = texts_of(ALL_PRESETS[preset].training)
        self._show_presets()
        self._put(ALL_PRESETS[preset].training, dict(self._own))

    def _suit(self) -> None:
        """Choose again for the text, the minutes and the machine, where that is due; what was changed stays."""
        if self.facts is None or (self.preset != TIMED_PRESET and self.origin is None):
            return
        if self.origin is not None:
            own = texts_of(self._recommended())
        else:
            own = texts_of(suited(self._texts["minutes"], self.facts, self.machine))
        if own == self._own:
            return
        kept = {name: text for name, text in self._texts.items() if text != self._own.get(name)}
        self._own = own
        self._texts = own | kept
        self._set_rows()

    def check(self) -> None:
        """Look at everything again and say what is wrong where it is wrong."""
        self._suit()
        self.draft = draft_of(self._texts, self.facts, self._net, self.origin)
        fixed = self._fixed()
        for row in self.query(TrainSettingRow):
            row.show_problem(self.draft.problems.get(row.setting.name, ""))
            row.show_fixed(fixed.get(row.setting.name, ""))
        if self.origin is not None:
            self.query_one(TrainStart).say(words_of_origin(self.origin, self.facts))
        self.query_one("#preset-note", Static).update(self._preset_note())
        self.query_one(TrainBudget).show(self.draft, self.facts, self.machine)
        self.query_one("#form-summary", Static).update(self._summary())
        self._show_warnings()
        self.query_one("#start", Button).disabled = bool(self.problem)
        self.post_message(self.Changed())

    def _fixed(self) -> dict[str, str]:
        """The settings that something else decides, and what does."""
        found = {}
        if self.origin is not None:
            said = f"fixed: {self.origin.model.name} has it so"
            found = dict.fromkeys(fields_of(self._net).keys() - FREE, said)
        settings = self.draft.settings
        if settings is not None and settings.minutes:
            found["steps"] = "fixed: as many as fit the minutes; set those to 0 to choose"
        return found

    def on_train_corpus_read(self, message: TrainCorpus.Read) -> None:
        """Take over what is known of the chosen text, and suggest its name."""
        message.stop()
        self.facts = message.facts
        self._suit_preset(message.own)
        self.name_row.suggest(f"{self.origin.model.name}-{message.name}" if self.origin else message.name)
        self.check()

    def on_train_setting_row_changed(self, message: TrainSettingRow.Changed) -> None:
        """Take one value over."""
        message.stop()
        if message.name in self._texts:  # a row that makes way for another net's may still have spoken
            self.touched = True
            self._texts[message.name] = message.text
            self.check()

    def on_train_setting_row_focused(self, message: TrainSettingRow.Focused) -> None:
        """Explain the setting that has the focus."""
        message.stop()
        setting = form_fields(self._net).get(message.name)
        if setting is not None:
            said = f"{setting.title}: {setting.description} ({limits_of(setting)})"
            self.query_one("#form-hint", Static).update(said)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Explain what has the focus and is no setting."""
        if event.widget.id in HINTS:
            self.query_one("#form-hint", Static).update(HINTS[event.widget.id])

    def on_train_name_row_changed(self, message: TrainNameRow.Changed) -> None:
        """A name that is no good stops the start."""
        message.stop()
        self.touched = True
        self.check()

    def on_select_changed(self, message: Select.Changed) -> None:
        """Fill the form with a preset's settings."""
        message.stop()
        chosen = str(message.value)
        if message.select.id == "preset" and chosen != (OWN_RECIPE if self._own_recipe else self.preset):
            self.touched = self._preset_chosen = True
            self._own_recipe = chosen == OWN_RECIPE
            self.preset = self.preset if self._own_recipe else chosen
            training = self._recommended()
            self._own = texts_of(training)
            self._put(training, dict(self._own))

    def on_button_pressed(self, message: Button.Pressed) -> None:
        """Ask for the start."""
        message.stop()
        self.post_message(self.StartWanted())

    def _show_presets(self) -> None:
        """Offer the presets, and the recipe of the model to start from where it has one."""
        select = self.query_one(PresetSelect)
        own = [("its own recipe", OWN_RECIPE)] if self.origin is not None and self.origin.recipe is not None else []
        with self.prevent(Select.Changed):
            select.set_options([*own, *((preset.title, name) for name, preset in ALL_PRESETS.items())])
            select.value = OWN_RECIPE if self._own_recipe else self.preset

    def _summary(self) -> str:
        said = summary(self.draft, self.facts, self.machine)
        return f"✗ {self.problem}" if self.problem and (self.facts or self.corpus.problem) else said

    def _show_warnings(self) -> None:
        """Say the first thing that may be wrong, where the budget does not say all of them."""
        told = self.draft.warnings(self.facts, self.machine) if not self.query_one(TrainBudget).display else []
        more = f" (and {len(told) - 1} more: ^y)" if len(told) > 1 else ""
        line = self.query_one("#form-warning", Static)
        line.display = bool(told)
        line.update(f"! {told[0]}{more}" if told else "")

    def _preset_note(self) -> str:
        changed = self._changed()
        if changed == ["net"]:
            return f"another net than the preset's: {name_of(self._net())}"
        if changed:
            return f"changed: {', '.join(changed)}"
        if self.origin is None:
            return ALL_PRESETS[self.preset].description
        whose = "its own recipe" if self._own_recipe else "the preset's recipe"
        return f"{whose} at {RATE:g} of the rates, as many epochs as suit the text"
