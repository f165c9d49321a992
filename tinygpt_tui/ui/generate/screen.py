"""The Generate tab: choose a model, type a prompt, watch the model continue it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import BindingType

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import EngineFailed, EngineReady
from tinygpt_tui.events.requests import SaveCopy
from tinygpt_tui.settings.sampling import from_lines, to_lines
from tinygpt_tui.tokenizers.dialogues import readable
from tinygpt_tui.ui.generate import bindings, dialogs, requests
from tinygpt_tui.ui.generate.branch_list import VERY_WIDE
from tinygpt_tui.ui.generate.inspectable_output import InspectableOutput
from tinygpt_tui.ui.generate.model_chooser import REFRESH_EVERY_S, ModelChooser
from tinygpt_tui.ui.generate.requests import Request
from tinygpt_tui.ui.generate.side_panes import SidePanes
from tinygpt_tui.ui.generate.text_pane import TextPane
from tinygpt_tui.ui.generate.welcome import Welcome
from tinygpt_tui.ui.generate.workspace import Workspace
from tinygpt_tui.ui.jobs.news import EngineNews
from tinygpt_tui.ui.models.model_picker import NO_MODELS
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.microscope import Microscope
from tinygpt_tui.ui.shared.pacer import Pacer
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shared.sampling_form import SamplingForm
from tinygpt_tui.ui.shell.selection import Selection, TextPlace
from tinygpt_tui.ui.shell.tab_screen import PaletteCommand, TabScreen
from tinygpt_tui.ui.shell.unexpected import log_unexpected

REOPEN = "generate.go_on"  # the binding that also reopens the last session


class GenerateScreen(TabScreen):
    """Connects three panes: the models, the text with its prompt, the sampling settings."""

    TAB = "generate"
    READS = True
    HORIZONTAL_BREAKPOINTS = [(0, "-usual"), (VERY_WIDE, "-very-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high"), (32, "-tall")]
    AUTO_FOCUS = "#prompt"
    BINDINGS: ClassVar[list[BindingType]] = bindings.BINDINGS

    class TrainOn(Message):
        """The user wants to start a run from this model."""

        card: ModelCard

    class Inspect(Message):
        """The user wants to see how the model comes to a character."""

        place: TextPlace

    def __init__(self) -> None:
        super().__init__()
        preferences = self.workbench.preferences.settings
        self.chooser = ModelChooser(preferences.model, id="models")
        self.pane = TextPane(self.workbench.engine, self.workbench.prompts, preferences.pace, id="centre")
        sampling = from_lines(preferences.sampling)
        self.pane.set_sampling(sampling)
        self.form = SamplingForm(sampling, id="sampling")
        self.panes = Workspace(self.chooser, self.pane, self.form, right_wanted=preferences.show_settings)
        self._writer = requests.Writer(self.panes)

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
        if (error := self.pane.editor.close()) is not None:
            log_unexpected(error)
            self.workbench.unsaved = error

    def missing_for(self, event: events.Key | events.Paste) -> asyncio.Event | None:
        """Return the models or the last session, if a key needs them."""
        if (missing := super().missing_for(event)) is not None or isinstance(event, events.Paste):
            return missing
        reopens = any(binding.id == REOPEN for binding in self._bindings.key_to_bindings.get(event.key, ()))
        sought = self.pane.welcome.sought
        return sought if reopens and self.pane.is_new and not sought.is_set() else None

    def _selection(self) -> Selection | None:
        """Return what is selected here, for other tabs."""
        model = self.chooser.in_use
        return None if model is None else Selection(model.card.path, model.untrained, self.pane.prompt.text)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show only the keys that do something now."""
        if not self.is_mounted:
            return True
        if action == "panes":
            return self.panes.check_action(str(parameters[0]), parameters[1:])
        return bindings.is_possible(action, self.pane, self.chooser)

    def palette_commands(self) -> Iterator[PaletteCommand]:
        """Yield the commands that have no key, or have one only in the list of models or in the microscope."""
        yield from self.panes.palette_commands()
        if self.chooser.can_train and not self.chooser.has_focus_within:
            yield PaletteCommand("Fine-tune", "Start a new run from this model", self.action_train_on)
        if not self.pane.writing.busy and (again := requests.reproduced(self.pane)) is not None:
            help_text = "Write the text again exactly: with its seed, its settings and their changes"
            yield PaletteCommand("Reproduce", help_text, partial(self._write, again))
        if (request := requests.copy_to_save(self.pane)) is not None:
            help_text = "Save the copy that has learned from this text as a model"
            yield PaletteCommand("Keep the adapted copy", help_text, partial(self._save_copy, request))
        if self.pane.output.text and not self.pane.glass.is_open:
            help_text = "Explain it: the influence of each character before it, in the microscope"
            yield PaletteCommand("Why this character?", help_text, self.pane.glass.ask_why)

    # Generating

    @on(SamplingForm.Submitted)
    def action_generate(self) -> None:
        self._generate(self.pane.prompt.text)

    @on(PromptBox.Submitted)
    def _submitted(self, message: PromptBox.Submitted) -> None:
        self._generate(message.prompt)

    def _generate(self, prompt: str) -> None:
        self._save_own_sampling()
        if self._writer.generate(prompt):
            self.workbench.remember_prompt(prompt)
            if self.pane.turns.dialogue is not None:
                self.pane.prompt.text = ""  # it was said

    def action_go_on(self) -> None:
        """Continue from the end of the text; without one, reopen the last session."""
        if self.pane.output.text:
            self._write(requests.continued(self.pane))
        elif (last := self.pane.welcome.last) is not None:
            self._reopen(last.id)

    @work(exit_on_error=False)
    async def _reopen(self, id: str) -> None:
        await dialogs.reopen(self, self.pane, id)

    def action_again(self) -> None:
        """Repeat the last request with a new seed."""
        self._write(requests.retried(self.pane))

    @on(Microscope.Fork)
    def _fork(self, message: Microscope.Fork) -> None:
        self._write(requests.forked(self.pane, message.offset, message.text))

    def _write(self, request: Request | None) -> None:
        self._save_own_sampling()
        self._writer.write(request)

    @work(exit_on_error=False)
    async def _save_copy(self, request: SaveCopy) -> None:
        await dialogs.save_copy(self, self.chooser, request)

    def action_edit_turn(self) -> None:
        """Say a turn of the conversation otherwise: a new branch begins there."""
        self.pane.turns.edit()

    def action_stop(self) -> None:
        """Stop at the next token; the text stays."""
        self.pane.stop()

    def interrupt(self) -> bool:
        """Stop if text may still come."""
        if busy := self.pane.writing.busy:
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

    @on(TextPane.Changed)
    def _keys_changed(self) -> None:
        self.refresh_bindings()
        self._writer.text_changed()

    # Models

    @on(ModelChooser.Refreshed)
    def _refreshed(self, message: ModelChooser.Refreshed) -> None:
        if self.chooser.card is None:
            self.pane.show_hint(NO_MODELS)
        elif message.gone:
            words = f"{message.gone} is missing; {self.chooser.card.name} is used now"
            self.notify(words, severity="warning", markup=False)
        self.known.set()

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
        if (card := self.chooser.focused_card) is not None:
            self.post_message(self.TrainOn(card))

    # The text

    @on(Welcome.Chosen)
    @work(exit_on_error=False)
    async def _card_chosen(self, message: Welcome.Chosen) -> None:
        await self.known.wait()
        await self.run_action(message.action)

    def action_microscope(self) -> None:
        """Open the microscope, or close it; without a text, the model writes a short one first."""
        glass = self.pane.glass
        if not self.pane.output.text:
            self._save_own_sampling()
            self._writer.look_inside(self.pane.prompt.text)
        elif glass.is_open:
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
        if (model := self.chooser.in_use) is not None:
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
        if self.chooser.card is not None:
            dialogs.show_senses(self.app, self.pane, self.chooser.card)

    def action_time_machine(self) -> None:
        """Play the run of the model in use, or of the bundled one if it has none, with the prompt that is typed."""
        dialogs.play_run(self, self.pane, self.chooser.card)

    def action_branches(self) -> None:
        dialogs.show_branches(self.app, self.pane, self.chooser.models.cards)

    def action_sessions(self) -> None:
        dialogs.show_sessions(self.app, self.pane, self.chooser.models.cards)

    def action_clear(self) -> None:
        """Clear the screen; the text stays in Branches."""
        self.pane.clear()

    def action_copy(self) -> None:
        """Copy the selection, or all."""
        self.copy_or_all(readable(self.pane.output.text, self.pane.turns.dialogue))

    def action_save(self) -> None:
        """Ask for a file name and save the text."""
        dialogs.save_text(self.app, self.pane, self.chooser.card)

    # Saving

    def _save_own_sampling(self) -> None:
        self.workbench.save_preferences(sampling=to_lines(self.panes.own_sampling))

    async def _save_all(self) -> TinyGPTError | None:
        if not self.pane.prompt.is_untouched:
            self.workbench.remember_prompt(self.pane.prompt.text)  # typed, and perhaps not submitted yet
        self._save_own_sampling()
        return await asyncio.to_thread(self.pane.editor.save_all(time.monotonic()))

    # Panes

    def action_panes(self, name: str, *arguments: int) -> None:
        """Do what a key means that all panes share; see Workspace."""
        getattr(self.panes, f"action_{name}")(*arguments)

    @on(Pacer.Chosen)
    def _save_pace(self, message: Pacer.Chosen) -> None:
        self.workbench.save_preferences(pace=message.pace)

    @on(SidePanes.RightToggled)
    def _save_show_settings(self, message: SidePanes.RightToggled) -> None:
        self.workbench.save_preferences(show_settings=message.wanted)
