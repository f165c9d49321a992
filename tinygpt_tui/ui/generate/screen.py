"""The Generate tab: choose a model, type a prompt, watch the model continue it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import msgspec
from textual import events, on, work
from textual.actions import parse
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import OptionList

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import EngineFailed, EngineReady
from tinygpt_tui.paths import shipped_models
from tinygpt_tui.settings.fields import fields_of, written
from tinygpt_tui.settings.sampling import SamplingSettings, from_lines, to_lines
from tinygpt_tui.ui.generate import bindings, dialogs, requests
from tinygpt_tui.ui.generate.branch_list import VERY_WIDE
from tinygpt_tui.ui.generate.inspectable_output import InspectableOutput
from tinygpt_tui.ui.generate.model_chooser import REFRESH_EVERY_S, ModelChooser
from tinygpt_tui.ui.generate.pacer import Pacer
from tinygpt_tui.ui.generate.requests import Request
from tinygpt_tui.ui.generate.session_saver import SessionSaver
from tinygpt_tui.ui.generate.side_panes import SidePanes
from tinygpt_tui.ui.generate.text_pane import TextPane
from tinygpt_tui.ui.generate.welcome import Welcome
from tinygpt_tui.ui.generate.workspace import Workspace
from tinygpt_tui.ui.jobs.news import EngineNews
from tinygpt_tui.ui.models.model_picker import NO_MODELS
from tinygpt_tui.ui.shared.microscope import Microscope
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shared.sampling_form import SamplingForm
from tinygpt_tui.ui.shell.selection import Selection, TextPlace
from tinygpt_tui.ui.shell.tab_screen import PaletteCommand, TabScreen
from tinygpt_tui.ui.shell.unexpected import log_unexpected
from tinygpt_tui.ui.timeline.opening import SHOWN_RUN, open_time_machine

FEW = 120  # tokens, to have a text for the microscope


class GenerateScreen(TabScreen):
    """Connects three panes: the models, the text with its prompt, the sampling settings."""

    TAB = "generate"
    HORIZONTAL_BREAKPOINTS = [(0, "-usual"), (VERY_WIDE, "-very-wide")]  # noqa: RUF012 (declared so by Textual)
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high"), (32, "-tall")]  # noqa: RUF012 (declared so by Textual)
    AUTO_FOCUS = "#prompt"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings.BINDINGS, *bindings.FROM_OUTSIDE]

    class TrainOn(Message):
        """The user wants to start a run from this model."""

        def __init__(self, card: ModelCard) -> None:
            super().__init__()
            self.card = card

    class Inspect(Message):
        """The user wants to see how the model comes to a character."""

        def __init__(self, place: TextPlace) -> None:
            super().__init__()
            self.place = place

    def __init__(self) -> None:
        super().__init__()
        preferences = self.workbench.preferences.settings
        self.chooser = ModelChooser(preferences.model, id="models")
        self.pane = TextPane(self.workbench.engine, self.workbench.prompts, preferences.pace, id="centre")
        self.own_sampling = from_lines(preferences.sampling)  # the user's own, whatever a session brings
        self.pane.set_sampling(self.own_sampling)
        self.form = SamplingForm(self.own_sampling, id="sampling")
        self.panes = Workspace(self.chooser, self.pane, self.form, right_wanted=preferences.show_settings)
        self._typed_early: str | None = None
        self._inspect_next = False  # the microscope opens when the text has ended

    def compose_body(self) -> ComposeResult:
        """Yield models, text and sampling."""
        yield self.panes

    def on_mount(self) -> None:
        """Listen to the engine; refresh the models and save the session regularly, and before the app quits."""
        self.workbench.news.listen(self)
        self.workbench.selection = self._selection
        self.workbench.save_text = self._save_all
        self.set_interval(REFRESH_EVERY_S, self.on_screen_resume)

    def on_screen_resume(self) -> None:
        """Refresh the models while this tab is shown."""
        if self.is_current:
            self.chooser.refresh_models()

    def on_unmount(self) -> None:
        """Save what is not on disk yet."""
        error = self.pane.editor.close()
        if error is not None:
            log_unexpected(error)
            self.workbench.unsaved = error

    def _selection(self) -> Selection | None:
        """Return what is selected here, for other tabs."""
        model = self.chooser.in_use
        return None if model is None else Selection(model.card.path, model.untrained, self.pane.prompt.text)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show only the keys that do something now."""
        if not self.is_mounted:
            return True
        if action == "in_panes":
            _, name, arguments = parse(str(parameters[0]))
            return self.panes.check_action(name, arguments)
        pane, chooser = self.pane, self.chooser
        has_text, busy = bool(pane.output.text), pane.writing.busy
        match action:
            case "stop":
                return busy
            case "go_on":
                return (has_text and not busy) or (pane.is_new and pane.welcome.last is not None)
            case "again":
                return pane.can_retry
            case "microscope":
                return has_text or pane.is_new
            case "clear" | "copy" | "save" | "facts" | "surprise":
                return has_text
            case "train_on":
                return chooser.can_train
            case "senses":
                return chooser.in_use is not None and chooser.in_use.has_senses
            case "branches":
                return bool(pane.editor.session.branches)
        return True

    def palette_commands(self) -> Iterator[PaletteCommand]:
        """Yield the commands that have no key, or have one only in the list of models or in the microscope."""
        yield from self.panes.palette_commands()
        if self.chooser.can_train and not self.chooser.has_focus_within:
            yield PaletteCommand("Fine-tune", "Start a new run from this model", self.action_train_on)
        if self.pane.output.text and not self.pane.glass.is_open:
            help_text = "Explain it: the influence of each character before it, in the microscope"
            yield PaletteCommand("Why this character?", help_text, self.pane.glass.ask_why)

    # Generating

    @on(SamplingForm.Submitted)
    def action_generate(self) -> None:
        """Generate text from the prompt."""
        self._generate(self.pane.prompt.text)

    @on(PromptBox.Submitted)
    def _submitted(self, message: PromptBox.Submitted) -> None:
        self._generate(message.prompt)

    def _generate(self, prompt: str) -> None:
        if not self.chooser.models.loaded:
            self._typed_early = prompt  # typed faster than the models were read
        elif self._write(requests.fresh(self.pane, prompt)):
            self.workbench.remember_prompt(prompt)

    def action_go_on(self) -> None:
        """Continue from the end of the text; without one, reopen the last session."""
        last = self.pane.welcome.last
        if self.pane.output.text:
            self._write(requests.continued(self.pane))
        elif last is not None:
            self._reopen(last.id)

    @work(exit_on_error=False)
    async def _reopen(self, id: str) -> None:
        await self.load_session(id)

    async def load_session(self, id: str, place: tuple[int, int] | None = None) -> None:
        """Reopen a session, at a branch and a character of its full text if they are given."""
        try:
            opened = await asyncio.to_thread(self.pane.editor.load, id)
        except TinyGPTError as error:
            self.show_error(error)
        else:
            self.pane.open_session(opened._replace(place=place))

    def action_again(self) -> None:
        """Repeat the last request with a new seed."""
        request = requests.retried(self.pane)
        if request is not None:
            self._write(request)

    @on(Microscope.Fork)
    def _fork(self, message: Microscope.Fork) -> None:
        self._write(requests.forked(self.pane, message.offset, message.text))

    def _write(self, request: Request) -> bool:
        """Generate, or report why that is impossible."""
        model = self.chooser.in_use
        if model is None or model.card.problem:
            words = model.card.problem if model else "there is no model yet; train one in the Train tab (F3)"
            self.notify(words, severity="warning")
            return False
        if self.form.settings is None:
            self.notify(self.form.problem, title="sampling", severity="error", markup=False)
            self.panes.open_sampling()
            return False
        self._save_own_sampling()
        settings = self.form.settings
        if self._inspect_next:
            settings = msgspec.structs.replace(settings, max_new_tokens=min(FEW, settings.max_new_tokens))
        self.pane.write(request, model, settings, at_once=self._inspect_next)
        return True

    def action_stop(self) -> None:
        """Stop at the next token; the text stays."""
        self.pane.stop()

    def interrupt(self) -> bool:
        """Stop if text may still come."""
        busy = self.pane.writing.busy
        if busy:
            self.pane.stop()
        return busy

    # The engine

    def on_engine_news(self, message: EngineNews) -> None:
        """Show what the engine reports."""
        for event in message.events:
            if isinstance(event, EngineReady):
                self.pane.show_engine_ready()
            elif isinstance(event, EngineFailed):
                card = self.chooser.card
                if self.is_current and (not event.model or (card is not None and event.model == card.path)):
                    self.show_error(TinyGPTError(event.message, event.hint))

    @on(TextPane.Failed)
    @on(ModelChooser.Failed)
    @on(SessionSaver.Failed)
    def _failed(self, message: TextPane.Failed | ModelChooser.Failed | SessionSaver.Failed) -> None:
        self.show_error(message.error)

    @on(TextPane.Changed)
    def _keys_changed(self) -> None:
        self.refresh_bindings()
        if self._inspect_next and self.pane.output.text and not self.pane.writing.busy:
            self._inspect_next = False
            text, at = self.pane.output.text, self.pane.output.prompt_end
            self.pane.glass.open(next((place for place in range(at, len(text)) if text[place].isalpha()), at))

    # Models

    @on(ModelChooser.Refreshed)
    def _refreshed(self, message: ModelChooser.Refreshed) -> None:
        if self.chooser.card is None:
            self.pane.show_hint(NO_MODELS)
        elif message.gone:
            words = f"{message.gone} is missing; {self.chooser.card.name} is used now"
            self.notify(words, severity="warning", markup=False)
        if self._typed_early is not None:
            prompt, self._typed_early = self._typed_early, None
            self._generate(prompt)

    @on(ModelChooser.Used)
    def _used(self, message: ModelChooser.Used) -> None:
        self.pane.set_model(message.model)
        self.refresh_bindings()  # some keys are only for some models

    @on(ModelChooser.Opened)
    def _opened(self, message: ModelChooser.Opened) -> None:
        self.pane.open_model(message.card)

    @on(ModelChooser.Preferred)
    def _preferred(self, message: ModelChooser.Preferred) -> None:
        self.workbench.save_preferences(model=message.name)

    def choose(self, path: str) -> None:
        """Use the model at `path` as soon as it is in the list."""
        self.chooser.choose(path)

    def action_train_on(self) -> None:
        """Start a run from the model in use."""
        card = self.chooser.focused_card
        if card is not None:
            self.post_message(self.TrainOn(card))

    # The text

    @on(Welcome.Chosen)
    async def _card_chosen(self, message: Welcome.Chosen) -> None:
        await self.run_action(message.action)

    def action_microscope(self) -> None:
        """Open the microscope, or close it; without a text, the model writes a short one first."""
        glass = self.pane.glass
        if not self.pane.output.text:
            self._inspect_next = True
            self._generate(self.pane.prompt.text)
            return
        if glass.is_open:
            glass.close()
        else:
            glass.open()

    @on(InspectableOutput.Toggled)
    def _toggled(self, message: InspectableOutput.Toggled) -> None:
        self.set_class(message.is_open, "-looking")
        if not message.is_open and self.pane.output.has_focus:
            self.pane.prompt.focus()

    @on(InspectableOutput.AttentionWanted)
    def _attention_wanted(self, message: InspectableOutput.AttentionWanted) -> None:
        model = self.chooser.in_use
        if model is not None:
            place = TextPlace(model.card.path, model.untrained, self.pane.output.text, message.offset)
            self.post_message(self.Inspect(place))

    def action_facts(self) -> None:
        """Show what can be said of the text, or hide it."""
        self.pane.facts.toggle()

    def action_surprise(self) -> None:
        """Colour the text by surprise, or stop that."""
        self.pane.glass.set_colours(not self.pane.glass.colours)

    def action_senses(self) -> None:
        """Show the senses of the text up to the microscope's cursor, if it is open; of the prompt without a text."""
        self.pane.prompt.call_later(self._open_senses)  # after keys that are still waiting

    def _open_senses(self) -> None:
        if self.chooser.card is not None:
            dialogs.show_senses(self.app, self.pane, self.chooser.card)

    def action_time_machine(self) -> None:
        """Play the run of the model in use, or of the bundled one if it has none, with the prompt that is typed."""
        card, prompt = self.chooser.card, self.pane.prompt.text
        has_run = card is not None and card.layout == "native" and card.trained is not None
        model = Path(card.path) if card is not None and has_run else shipped_models() / SHOWN_RUN
        open_time_machine(self, model, prompt=prompt, play=True)

    def action_branches(self) -> None:
        """Show everything written in this session."""
        dialogs.show_branches(self.app, self.pane, self.chooser.models.cards)

    def action_sessions(self) -> None:
        """Show the saved sessions."""
        dialogs.show_sessions(self.app, self.pane, self.chooser.models.cards)

    @on(TextPane.BranchShown)
    def _branch_shown(self, message: TextPane.BranchShown) -> None:
        """Use the settings and the model that wrote the branch."""
        branch = message.branch
        if branch is None:
            self.form.set_values(self.own_sampling)
            return
        if news := _differences(self.pane.sampling, branch.sampling):
            self.notify(f"Using the settings of this text: {news}", markup=False)
        self.form.set_values(branch.sampling)
        card = next((card for card in self.chooser.models.cards if card.path == branch.model_path), None)
        model = self.chooser.in_use
        if card is not None and (model is None or card is not model.card or branch.untrained != model.untrained):
            self.chooser.use_model(card, untrained=branch.untrained)

    def action_clear(self) -> None:
        """Clear the screen; the text stays in Branches."""
        self.pane.clear()

    def action_copy(self) -> None:
        """Copy the selection, or all."""
        self.copy_or_all(self.pane.output.text)

    def action_save(self) -> None:
        """Ask for a file name and save the text."""
        dialogs.save_text(self.app, self.pane, self.chooser.card)

    # Saving

    def _save_own_sampling(self) -> None:
        self.workbench.save_preferences(sampling=to_lines(self.own_sampling))

    async def _save_all(self) -> TinyGPTError | None:
        if not self.pane.prompt.is_untouched:
            self.workbench.remember_prompt(self.pane.prompt.text)  # typed, and perhaps not submitted yet
        self._save_own_sampling()
        return await asyncio.to_thread(self.pane.editor.save_all(time.monotonic()))

    # Panes

    async def action_in_panes(self, action: str) -> None:
        """Do what a key of the panes does."""
        await self.app.run_action(action, self.panes)

    @on(SamplingForm.Changed)
    def _sampling_changed(self, message: SamplingForm.Changed) -> None:
        if message.typed and message.settings is not None:
            self.own_sampling = message.settings
        if message.settings is not None:
            self.pane.set_sampling(message.settings)

    def set_sampling(self, name: str, value: object) -> None:
        """Give a sampling setting another value."""
        self.form.put(name, value)
        self.notify(f"{name.replace('_', ' ')} {written(value)}", timeout=3, markup=False)

    @on(Pacer.Chosen)
    def _save_pace(self, message: Pacer.Chosen) -> None:
        self.workbench.save_preferences(pace=message.pace)

    @on(SidePanes.RightToggled)
    def _save_show_settings(self, message: SidePanes.RightToggled) -> None:
        self.workbench.save_preferences(show_settings=message.wanted)

    def action_models(self) -> None:
        """Focus the list of models; without room for it, open it over the output."""
        if self.chooser.has_focus_within:
            self.action_back()
        else:
            self.panes.open(self.chooser)
            self.chooser.query_one(OptionList).focus()

    @on(ModelChooser.Done)
    def action_back(self) -> None:
        """Close the panes over the output; back to the prompt."""
        self.panes.close_drawers()
        self.pane.prompt.focus()

    def on_click(self, event: events.Click) -> None:
        """A click on the output's title, the model's name, opens the list of models."""
        if event.widget is self.pane.output and event.y == 0:
            self.action_models()


def _differences(before: SamplingSettings, after: SamplingSettings) -> str:
    """Return the settings that differ in `after`, with their values."""
    values = (
        (field, getattr(before, name), getattr(after, name)) for name, field in fields_of(SamplingSettings).items()
    )
    return ", ".join(f"{field.title} {written(new) or 'none'}" for field, old, new in values if new != old)
