"""The form of a new run: what to learn from, its name, a preset, and every setting."""

from __future__ import annotations

import asyncio
import math

from textual import events, getters, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, Select, Static

from tinygpt_tui.doctor.rounds import changes_in_words, left_out_by
from tinygpt_tui.events.training import Finding
from tinygpt_tui.exports.forms import destinations
from tinygpt_tui.packages import TRAINING, missing
from tinygpt_tui.planning.machine import read_machine
from tinygpt_tui.planning.tokens import suggestion
from tinygpt_tui.runs.folder import CorpusReference, StartingModel
from tinygpt_tui.settings.fields import SettingField
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.ui.jobs.training_session import TrainingSession
from tinygpt_tui.ui.shared.binding import bind
from tinygpt_tui.ui.shared.failed import pass_to_screen
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.setting_row import SettingRow, limits_of
from tinygpt_tui.ui.train.base_model import NOTHING, TrainStart
from tinygpt_tui.ui.train.budget import TrainBudget, summary
from tinygpt_tui.ui.train.corpus import TrainCorpus
from tinygpt_tui.ui.train.draft import words_of_origin
from tinygpt_tui.ui.train.draft_doctor import DraftDoctorScreen
from tinygpt_tui.ui.train.form_foot import HINTS, FormFoot
from tinygpt_tui.ui.train.form_state import OWN_RECIPE, FormState
from tinygpt_tui.ui.train.name_row import TrainNameRow
from tinygpt_tui.ui.train.settings_rows import SettingsRows
from tinygpt_tui.ui.train.start import start_run
from tinygpt_tui.workers.examiner import Case
from tinygpt_tui.workers.measurer import Measurer

# From this width on the budget is shown beside the settings.
WIDE_COLUMNS = 120
PRESETS = [(preset.title, name) for name, preset in ALL_PRESETS.items()]


class PresetSelect(Select[str]):
    """The presets by title, and the recipe of the starting model if it has one."""

    HELP = "## Preset\n\nAfter each: where its model can be exported to (≈ nearly).\n\n" + "\n\n".join(
        f"**{preset.title}**: {preset.description}. {destinations(preset.training.architecture)}"
        for preset in ALL_PRESETS.values()
    )

    def __init__(self, choice: str) -> None:
        super().__init__(PRESETS, value=choice, allow_blank=False, compact=True, id="preset")
        self._shown = (choice, False)

    def show_choice(self, choice: str, *, has_recipe: bool) -> None:
        """Show another choice; nothing is sent."""
        if self._shown != (choice, has_recipe):
            self._shown = (choice, has_recipe)
            with self.prevent(Select.Changed):
                self.set_options([("its own recipe", OWN_RECIPE), *PRESETS] if has_recipe else PRESETS)
                self.value = choice


class TrainForm(Vertical):
    """Shows a `FormState` and changes it; starts the run and posts its session."""

    DEFAULT_CSS = """
    TrainForm {
        & > #form-body { height: 1fr; }
        & #form-rows { height: 1fr; width: 1fr; max-width: 104; padding: 0 2; scrollbar-size-vertical: 1; }
        & #budget { width: 48; height: auto; margin: 1 0 0 2; }
        & #form-missing, & #form-news { height: auto; display: none; }
        & .-line { height: 1; }
        & .-line > .-title { width: 19; }
        & .-line > Select { width: 40; }
        & #preset-note { height: 1; padding: 0 0 0 19; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """
    BINDINGS = [
        bind("ctrl+g", "start", "Start", "train.start", "Start the run"),
        bind("alt+o", "choose_file", "Open", "train.file", "Choose a text file to learn from"),
        bind("ctrl+y", "doctor", "Doctor", "train.doctor", "Check text and settings before the start"),
        # A field's own Ctrl+K (delete to the end) is overridden: Ctrl+U deletes all.
        bind("ctrl+k", "tokenizers", "Tokenizer", "train.tokenizer", "Tokenizers of this text", priority=True),
        bind("escape", "cancel", "Cancel", "train.cancel", "Stop downloading or reading the text"),
    ]
    corpus = getters.query_one(TrainCorpus)
    name_row = getters.query_one(TrainNameRow)

    class Changed(Message):
        """Something in the form changed."""

    class Started(Message):
        """A run was started from the form."""

        session: TrainingSession

    def __init__(self) -> None:
        super().__init__(id="form")
        self.state = FormState()
        self.touched = False
        self._tokenizers_wanted = False  # as soon as the text is read
        self._measurer = Measurer()
        self._last_focus: Widget | None = None

    def compose(self) -> ComposeResult:
        with Horizontal(id="form-body"):
            with VerticalScroll(id="form-rows", can_focus=False):
                yield Static("", id="form-missing", markup=False)
                yield Static("", id="form-news", markup=False)
                yield TrainCorpus()
                yield TrainStart()
                yield TrainNameRow()
                with Horizontal(classes="-line"):
                    yield Static("preset", classes="-title")
                    yield PresetSelect(self.state.preset)
                yield Static("", classes="-note", id="preset-note", markup=False)
                yield SettingsRows(self.state)
            yield TrainBudget(id="budget")
        yield FormFoot(id="form-foot")

    def on_mount(self) -> None:
        """Show the first preset; measure this machine if that was never done."""
        self.check_packages()
        self.refresh_form()
        if not self.state.machine.measured:
            self._measure()

    def on_unmount(self) -> None:
        self._measurer.close()

    @work(thread=True, exclusive=True, group="measure")
    def _measure(self) -> None:
        if self._measurer.measure():
            self.app.call_from_thread(self.update_machine)

    def update_machine(self) -> None:
        """Use the newest measurement of this machine's speed: every run measures it again."""
        machine = read_machine()
        if self.is_attached and machine != self.state.machine:
            self.state.machine = machine
            self.state.check()
            self.refresh_form()

    # What it holds

    @property
    def problem(self) -> str:
        """Why the run cannot start; empty if it can."""
        if self.state.facts is None:
            return self.corpus.problem or "choose a text to learn from"
        if self.name_row.problem:
            return f"name: {self.name_row.problem}"
        return self.state.problem

    @property
    def settings(self) -> TrainingSettings | None:
        """The settings of the run; None if something is invalid."""
        return self.state.draft.settings if not self.problem else None

    @property
    def is_settled(self) -> bool:
        """Whether the rows are those of the chosen architecture: they change a moment later."""
        return self.query_one(SettingsRows).is_settled

    # What can be done

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("start", "doctor"):
            return self.is_mounted and not self.problem
        return self.is_mounted and self.corpus.busy if action == "cancel" else True

    def action_start(self) -> None:
        self.name_row.check()
        self.refresh_form()
        if self.settings is not None and self.state.facts is not None:
            corpus = self.state.facts.reference
            self._start(self.name_row.text, self.state.preset_name, corpus, self.settings, self.state.start)

    @work(exclusive=True, group="start", exit_on_error=False)
    async def _start(
        self, name: str, preset: str, corpus: CorpusReference, training: TrainingSettings, start: StartingModel | None
    ) -> None:
        self.post_message(self.Started(await asyncio.to_thread(start_run, name, preset, corpus, training, start)))

    on_worker_state_changed = pass_to_screen

    def on_button_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.action_start()

    def action_doctor(self) -> None:
        if self.settings is None or self.state.facts is None:
            return
        facts, own = self.state.facts, self.corpus.is_own
        case = Case(corpus=facts.reference, training=self.settings, start=self.state.start, own=own)

        def apply(finding: Finding | None) -> None:
            if finding is not None and finding.remedy:
                self.change(finding.remedy)
                self.notify(f"changed in the form: {changes_in_words(finding.remedy)}", markup=False)
            elif finding is not None and (kind := left_out_by(finding)):
                self.corpus.leave_out(kind)
                self.notify(f"{kind} are left out: the text is read again")

        self.app.push_screen(DraftDoctorScreen(case, self.state.draft.advice(facts, self.state.machine)), apply)

    def action_tokenizers(self) -> None:
        """Show the tokenizers of the text, once it is read; one that is chosen there goes into the form."""
        from tinygpt_tui.ui.forge.screen import TokenizerScreen

        if self.state.facts is None:
            self._tokenizers_wanted = self.corpus.busy
            if not self.corpus.busy:
                self.notify(self.problem, severity="warning", markup=False)
            return
        self._tokenizers_wanted = False
        reference, typed = self.state.facts.reference, self.state.texts["tokenizer"]
        self.app.push_screen(TokenizerScreen(reference, typed, lambda name: self.change({"tokenizer": name})))

    def action_choose_file(self) -> None:
        self.corpus.ask_for_file()

    def action_cancel(self) -> None:
        self.corpus.cancel()

    # Filling in

    def prepare_next(self) -> None:
        """Get ready for another run like the last one, with a new name."""
        self.touched = False
        self.query_one(TrainStart).find_models()
        self._suggest_name()
        self.refresh_form()

    def fill(self, settings: TrainingSettings, changes: dict[str, str]) -> None:
        """Put in the settings of another run, with `changes` as the user would type them."""
        self.touched = True
        self.state.fill(settings, changes)
        self.query_one(TrainStart).choose(NOTHING, "", keep=True)
        self.refresh_form()

    def change(self, changes: dict[str, str]) -> None:
        """Change settings as if the user had typed them."""
        self.touched = True
        self.state.change(changes)
        self.refresh_form()

    def start_from(self, path: str, name: str, *, keep: bool = False) -> None:
        """Start from the model at `path`; with `keep` the settings stay, except the architecture's."""
        self.touched = True
        self.query_one(TrainStart).choose(path, name, keep=keep)

    def on_train_start_chosen(self, message: TrainStart.Chosen) -> None:
        message.stop()
        self.touched = self.touched or message.origin is not None
        self.state.start_from(message.origin, keep=message.keep)
        if message.origin is not None or not message.keep:
            self._suggest_name()
        self.refresh_form()

    def on_train_corpus_read(self, message: TrainCorpus.Read) -> None:
        message.stop()
        self.state.apply_text(message.facts, own=message.own)
        self.name_row.suggest(self.state.suggested_name(message.name))
        self.refresh_form()
        if self._tokenizers_wanted and message.facts is not None:
            self.action_tokenizers()

    def on_setting_row_changed(self, message: SettingRow.Changed) -> None:
        message.stop()
        if message.name in self.state.texts:  # a row that is being replaced may still have sent one
            self.change({message.name: message.text})

    def on_train_name_row_changed(self, message: TrainNameRow.Changed) -> None:
        message.stop()
        self.touched = True
        self.refresh_form()

    def on_select_changed(self, message: Select.Changed) -> None:
        message.stop()
        if message.select.id == "preset" and str(message.value) != self.state.choice:
            self.touched = True
            self.state.choose_preset(str(message.value))
            self.refresh_form()

    def _suggest_name(self) -> None:
        if self.state.facts is not None:
            self.name_row.suggest(self.state.suggested_name(self.state.facts.reference.name))

    # Showing

    def refresh_form(self) -> None:
        """Show the state as it is now, and what is wrong where it is wrong."""
        state = self.state
        self.query_one(SettingsRows).update_rows()
        if state.origin is not None:
            self.query_one(TrainStart).show_words(words_of_origin(state.origin, state.facts))
        self.query_one(PresetSelect).show_choice(state.choice, has_recipe=state.has_recipe)
        self.query_one("#preset-note", Static).update(state.preset_note())
        self.query_one(TrainBudget).show_draft(state.draft, state.facts, state.machine)
        said = summary(state.draft, state.facts, state.machine)
        if self.problem and (state.facts or self.corpus.problem):
            said = f"✗ {self.problem}"
        self.query_one(FormFoot).show_summary(said, can_start=not self.problem)
        self._show_warnings()
        self.post_message(self.Changed())

    def check_packages(self) -> None:
        """Show at the top that torch is missing, before anything is filled in."""
        error = missing("torch", TRAINING)
        self._show_line("missing", f"✗ {error.message}; {error.hint}\n  Start offers to copy that." if error else "")

    def show_news(self, news: str) -> None:
        """Show a line about other runs; none with ""."""
        self._show_line("news", news)

    def _show_line(self, name: str, words: str) -> None:
        line = self.query_one(f"#form-{name}", Static)
        line.display = bool(words)
        line.update(words)

    def _show_warnings(self) -> None:
        """Show a warning, unless the budget shows them all."""
        in_budget = self.query_one(TrainBudget).display
        self.query_one(FormFoot).show_warnings(
            [] if in_budget else self.state.draft.warnings(self.state.facts, self.state.machine)
        )

    def on_resize(self, event: events.Resize) -> None:
        """Show the budget if there is room for it."""
        self.query_one(TrainBudget).display = event.size.width >= WIDE_COLUMNS
        self._show_warnings()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self._last_focus = event.widget
        row = event.widget.parent
        if isinstance(row, SettingRow):
            self.query_one(FormFoot).show_hint(_hint(row.setting, self.state))
        elif event.widget.id in HINTS:
            self.query_one(FormFoot).show_hint(HINTS[event.widget.id])

    def on_click(self) -> None:
        """Keep the keys working when the user clicks where nothing can have the focus."""
        if self.screen.focused is None and self._last_focus is not None and self._last_focus.is_attached:
            self._last_focus.focus(scroll_visible=False)


def _hint(setting: SettingField, state: FormState) -> str:
    """Return what a setting is and permits; for the tokenizer, the sizes that suit the text."""
    if setting.name != "tokenizer" or state.facts is None:
        return f"{setting.title}: {setting.description} ({limits_of(setting)})"
    expected = state.draft.expected(state.facts, state.machine)
    sizes = suggestion(state.facts.text_bytes, expected.tokens if expected else math.inf, state.facts.vocab_size)
    return f"tokenizer: characters, characters:N, bytes, bpe:SIZE or a file (^k shows them); {sizes}"
