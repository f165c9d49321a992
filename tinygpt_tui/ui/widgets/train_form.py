"""The form of a new training: what to learn from, its name, a preset, and every setting."""

from __future__ import annotations

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Button, Collapsible, Select, Static

from tinygpt_tui.settings.presets import DEFAULT_PRESET, PRESETS, TIMED_PRESET
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.machine import read_machine
from tinygpt_tui.ui.training_draft import (
    IMPORTANT,
    CorpusFacts,
    Draft,
    draft_of,
    form_fields,
    limits_of,
    suited,
    texts_of,
)
from tinygpt_tui.ui.widgets.train_budget import TrainBudget, summary
from tinygpt_tui.ui.widgets.train_corpus import TrainCorpus
from tinygpt_tui.ui.widgets.train_name_row import TrainNameRow
from tinygpt_tui.ui.widgets.train_setting_row import TrainSettingRow
from tinygpt_tui.workers.measurer import measure_in_child

# From this width on the budget stands beside the settings.
WIDE_COLUMNS = 120
HINTS = {
    "corpus": "corpus: the text to learn from; ^l chooses any text file of yours",
    "name": "name: what the model will be called, here and on the disk",
    "preset": "preset: settings that are known to be worth their time; each can be changed below",
    "start": "Start: the training goes on when you leave the app, and is found again when you come back",
}


class PresetSelect(Select[str]):
    """The presets by title."""

    HELP = "## Preset\n\n" + "\n\n".join(f"**{preset.title}**: {preset.description}" for preset in PRESETS.values())


class TrainForm(Vertical):
    """Holds what was typed; the screen brings the facts about the text and takes the finished draft away."""

    DEFAULT_CSS = """
    TrainForm {
        & > #form-body { height: 1fr; }
        & #form-rows { height: auto; width: 1fr; max-width: 104; padding: 0 2; }
        & #budget { width: 48; height: auto; margin: 1 0 0 2; }
        & #form-news { height: auto; display: none; }
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
        self._own = texts_of(PRESETS[self.preset].training)  # what the preset itself says
        self._texts = dict(self._own)
        self.draft: Draft = draft_of(self._texts, None)

    def compose(self) -> ComposeResult:
        """Yield the rows, the budget beside them, and below them what never scrolls away."""
        fields = form_fields()
        with Horizontal(id="form-body"):
            with VerticalScroll(id="form-rows", can_focus=False):
                yield Static("", id="form-news", markup=False)
                yield TrainCorpus()
                yield TrainNameRow()
                with Horizontal(classes="-line"):
                    yield Static("preset", classes="-title")
                    presets = [(preset.title, name) for name, preset in PRESETS.items()]
                    yield PresetSelect(presets, value=self.preset, allow_blank=False, compact=True, id="preset")
                yield Static("", classes="-note", id="preset-note", markup=False)
                yield Static("settings", classes="-heading")
                for name in IMPORTANT:
                    yield TrainSettingRow(fields[name], self._texts[name])
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
            fields = form_fields()
            rows = [TrainSettingRow(fields[name], self._texts[name]) for name in fields if name not in IMPORTANT]
            await contents.mount_all(rows)
            self.check()
        self.call_after_refresh(message.collapsible.scroll_visible, top=True)

    def on_mount(self) -> None:
        """Show the first preset; where this machine was never measured, have that done."""
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
            return "choose a text to learn from"
        if self.name_row.problem:
            return f"name: {self.name_row.problem}"
        for name, problem in self.draft.problems.items():
            return f"{form_fields()[name].title}: {problem}"
        return ""

    @property
    def settings(self) -> TrainingSettings | None:
        """The training as typed; None where something cannot be."""
        return self.draft.settings if not self.problem else None

    def show_news(self, news: str) -> None:
        """Say something about other trainings; nothing with ""."""
        line = self.query_one("#form-news", Static)
        line.display = bool(news)
        line.update(news)

    def renew(self) -> None:
        """Be ready for another training like the last one, under a new name."""
        self.touched = False
        if self.facts is not None:
            self.name_row.suggest(self.facts.reference.name)
        self.check()

    def fill(self, settings: TrainingSettings, changes: dict[str, str]) -> None:
        """Put the settings of another training in, and `changes`, as one would type them, over them."""
        self.touched = True
        self._texts = texts_of(settings) | changes
        for row in self.query(TrainSettingRow):
            row.set_text(self._texts[row.setting.name])
        self.check()

    @property
    def preset_name(self) -> str:
        """The preset's name where nothing was changed, else nothing."""
        return self.preset if all(self._own[name] == self._texts[name].strip() for name in self._own) else ""

    def _suit(self) -> None:
        """Choose again for the minutes, the text and the machine, where the preset does; what was changed stays."""
        if self.preset != TIMED_PRESET or self.facts is None:
            return
        own = texts_of(suited(self._texts["minutes"], self.facts, self.machine))
        if own == self._own:
            return
        kept = {name: text for name, text in self._texts.items() if text != self._own.get(name)}
        self._own = own
        self._texts = own | kept
        for row in self.query(TrainSettingRow):
            row.set_text(self._texts[row.setting.name])

    def check(self) -> None:
        """Look at everything again and say what is wrong where it is wrong."""
        self._suit()
        self.draft = draft_of(self._texts, self.facts)
        for row in self.query(TrainSettingRow):
            row.show_problem(self.draft.problems.get(row.setting.name, ""))
        self.query_one("#preset-note", Static).update(self._preset_note())
        self.query_one(TrainBudget).show(self.draft, self.facts, self.machine)
        self.query_one("#form-summary", Static).update(self._summary())
        self._show_warnings()
        self.query_one("#start", Button).disabled = bool(self.problem)
        self.post_message(self.Changed())

    def on_train_corpus_read(self, message: TrainCorpus.Read) -> None:
        """Take over what is known of the chosen text, and suggest its name."""
        message.stop()
        self.facts = message.facts
        self.name_row.suggest(message.name)
        self.check()

    def on_train_setting_row_changed(self, message: TrainSettingRow.Changed) -> None:
        """Take one value over."""
        message.stop()
        self.touched = True
        self._texts[message.name] = message.text
        self.check()

    def on_train_setting_row_focused(self, message: TrainSettingRow.Focused) -> None:
        """Explain the setting that has the focus."""
        message.stop()
        setting = form_fields()[message.name]
        self.query_one("#form-hint", Static).update(f"{setting.title}: {setting.description} ({limits_of(setting)})")

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
        if message.select.id == "preset" and message.value != self.preset:
            self.touched = True
            self.preset = str(message.value)
            self._own = texts_of(PRESETS[self.preset].training)
            self._texts = dict(self._own)
            for row in self.query(TrainSettingRow):
                row.set_text(self._texts[row.setting.name])
            self.check()

    def on_button_pressed(self, message: Button.Pressed) -> None:
        """Ask for the start."""
        message.stop()
        self.post_message(self.StartWanted())

    def _summary(self) -> str:
        said = summary(self.draft, self.facts, self.machine)
        return f"✗ {self.problem}" if self.problem and self.facts else said

    def _show_warnings(self) -> None:
        """Say the first thing that may be wrong, where the budget does not say all of them."""
        told = self.draft.warnings(self.facts, self.machine) if not self.query_one(TrainBudget).display else []
        more = f" (and {len(told) - 1} more: `tinygpt-tui train --dry-run`)" if len(told) > 1 else ""
        line = self.query_one("#form-warning", Static)
        line.display = bool(told)
        line.update(f"! {told[0]}{more}" if told else "")

    def _preset_note(self) -> str:
        own = self._own
        changed = [form_fields()[name].title for name in own if own[name] != self._texts[name].strip()]
        return f"changed: {', '.join(changed)}" if changed else PRESETS[self.preset].description
