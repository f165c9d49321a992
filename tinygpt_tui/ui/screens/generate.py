"""The Generate tab: pick a model, write a beginning, watch it go on."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.markup import escape
from textual.widgets import OptionList

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import (
    EngineFailed,
    EngineReady,
    GenerationEnded,
    GenerationEvent,
    GenerationStarted,
)
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.messages import EngineBatch
from tinygpt_tui.ui.model_shelf import ModelShelf, default_model
from tinygpt_tui.ui.prompt_history import PromptHistory
from tinygpt_tui.ui.screens.base import TabScreen
from tinygpt_tui.ui.widgets.model_picker import NO_MODELS, ModelPicker, size_of
from tinygpt_tui.ui.widgets.output_text import OutputText
from tinygpt_tui.ui.widgets.prompt_box import PromptBox
from tinygpt_tui.ui.widgets.sampling_form import SamplingForm
from tinygpt_tui.ui.widgets.side_panes import SidePanes
from tinygpt_tui.ui.widgets.status_line import StatusLine
from tinygpt_tui.ui.wrapping import shown
from tinygpt_tui.ui.writing import Asked, Writing

LOOK_EVERY_S = 2.0  # for new models and the progress of those in training
OPEN_AFTER_S = 0.25  # a model is opened when the highlight has rested on it so long
UNKNOWN_SHOWN = 10
FIRST_HINT = "Write a beginning below and press Enter; {name} goes on from there."


class GenerateScreen(TabScreen):
    """Builds requests, shows events."""

    TAB = "generate"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high"), (32, "-tall")]  # noqa: RUF012 (declared so by Textual)
    AUTO_FOCUS = "#prompt"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "generate", "Generate", id="generate.generate", tooltip="Write on from the prompt"),
        Binding("escape", "stop", "Stop", id="generate.stop", tooltip="End at the next token; the text stays"),
        Binding("escape", "back", "Back", id="generate.back", show=False, tooltip="Back to the prompt"),
        Binding("ctrl+g", "go_on", "Go on", id="generate.go_on", tooltip="Continue from all the text that stands here"),
        Binding("ctrl+r", "again", "Again", id="generate.again", tooltip="The same prompt once more, with a new seed"),
        Binding("ctrl+l", "clear", "Clear", id="generate.clear", tooltip="Clear the output; the prompt stays"),
        Binding("f8", "copy", "Copy", id="generate.copy", tooltip="Copy the selected text, or all of it"),
        Binding("f9", "save", "Save", id="generate.save", tooltip="Save the text to a file"),
        Binding("ctrl+o", "models", "Models", id="generate.models", tooltip="Choose another model"),
        Binding("ctrl+t", "sampling", "Sampling", id="generate.sampling", tooltip="Show or hide the sampling settings"),
        Binding(
            "slash", "filter", "Filter models", id="generate.filter", show=False, tooltip="Type to filter the models"
        ),
        Binding("pageup", "page(-1)", "Page up", id="generate.page_up", show=False, tooltip="Scroll the output up"),
        Binding("pagedown", "page(1)", "Page down", id="generate.page_down", show=False, tooltip="Scroll it down"),
        Binding("ctrl+end", "follow", "Follow", id="generate.follow", show=False, tooltip="Follow the output's end"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.writing = Writing()
        self._shelf = ModelShelf()
        self._card: ModelCard | None = None
        self._wished = ""  # the path of a model that another tab wants to be used here
        self._history = PromptHistory.load()
        self._engine_ready = False
        self._typed_early: str | None = None
        self._keys_for = (False, False, False)

    def compose_body(self) -> ComposeResult:
        """Yield models, output and prompt, sampling."""
        centre = Vertical(
            OutputText(id="output"), StatusLine(id="status"), PromptBox(self._history, id="prompt"), id="centre"
        )
        wished = self.workbench.remembered.settings.show_settings
        yield SidePanes(ModelPicker(id="models"), centre, SamplingForm(id="sampling"), right_wished=wished)

    def on_mount(self) -> None:
        """Look for models now and then."""
        self.workbench.bridge.listen(self)
        self._look_for_models()
        self.set_interval(LOOK_EVERY_S, self.on_screen_resume)

    def on_screen_resume(self) -> None:
        """Look for models, as long as somebody looks at this tab."""
        if self.is_current:
            self._look_for_models()

    # What the screen knows of itself

    @property
    def output(self) -> OutputText:
        """The output pane."""
        return self.query_one(OutputText)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Show only the keys that do something now."""
        if not self.is_mounted:
            return True
        has_text = bool(self.output.text)
        match action:
            case "stop":
                return self.writing.busy
            case "go_on":
                return has_text and not self.writing.busy
            case "again":
                return self.writing.asked is not None and not self.writing.busy
            case "clear" | "copy" | "save":
                return has_text
        return True

    # Models

    def choose(self, path: str) -> None:
        """Use the model at `path`, as soon as it is seen among the models."""
        self._wished = path
        self._look_for_models()

    @work(thread=True, exclusive=True, group="models", exit_on_error=False)
    def _look_for_models(self) -> None:
        if self._shelf.look() or self._wished:
            self.app.call_from_thread(self._show_models)

    def _show_models(self) -> None:
        picker = self.query_one(ModelPicker)
        picker.show(self._shelf.cards, self._shelf.live)
        known = {card.path: card for card in self._shelf.cards}
        wished = known.get(self._wished)
        if wished is not None:
            self._wished = ""
            self._use(wished)
            self.workbench.remember(model=wished.name)
        elif self._card is None or self._card.path not in known:
            self._use(default_model(self._shelf.cards, self.workbench.remembered.settings.model))
        else:
            self._card = known[self._card.path]
        if self._card is None:
            self.output.set_hint(NO_MODELS)
        if self._typed_early is not None:
            prompt, self._typed_early = self._typed_early, None
            self._generate(prompt)

    @on(ModelPicker.Picked)
    def _picked(self, message: ModelPicker.Picked) -> None:
        self._use(message.card)
        self.workbench.remember(model=message.card.name)
        if message.done:
            self.action_back()

    def _use(self, card: ModelCard | None) -> None:
        self._card = card
        if card is None:
            return
        self.query_one(ModelPicker).pick(card.path)
        self.output.set_hint(FIRST_HINT.format(name=card.name))
        self.query_one(StatusLine).set_idle(
            f"{size_of(card)} {card.architecture} · block size {card.block_size} · vocabulary {card.vocab_size}"
        )
        self._set_title()
        self.set_timer(OPEN_AFTER_S, lambda: self._open(card))

    @work(exit_on_error=False)
    async def _open(self, card: ModelCard) -> None:
        if self._card is card and not card.problem:
            await self.workbench.engine.open(card.path)

    def _set_title(self, stamp: str = "") -> None:
        name = self._card.name if self._card else "output"
        self.output.border_title = escape(f"{name}{stamp}")

    # Asking

    @on(SamplingForm.Submitted)
    def action_generate(self) -> None:
        """Write on from what stands in the prompt box."""
        self._generate(self.query_one(PromptBox).text)

    @on(PromptBox.Submitted)
    def _submitted(self, message: PromptBox.Submitted) -> None:
        self._generate(message.prompt)

    def _generate(self, prompt: str) -> None:
        if not self._shelf.looked:
            self._typed_early = prompt  # somebody types faster than folders are read
            return
        if self._ask(Asked(prompt, len(prompt)), fresh=True) and self._history.add(prompt):
            self._save_history()

    def action_go_on(self) -> None:
        """Write on from all the text there is."""
        self._ask(Asked(self.output.text, self.output.prompt_end), fresh=False)

    def action_again(self) -> None:
        """Ask the same once more."""
        if self.writing.asked is not None:
            self._ask(self.writing.asked, fresh=True)

    def action_stop(self) -> None:
        """End at the next token; the text stays."""
        self.writing.stop()
        self._look()
        if self.writing.job is not None:
            self._stop(self.writing.job)

    def _ask(self, asked: Asked, fresh: bool) -> bool:
        """Send a request; `fresh` begins the output anew. Says why where it cannot be."""
        form, card = self.query_one(SamplingForm), self._card
        if card is None or card.problem:
            self.notify(
                card.problem if card else "there is no model yet; train one in the Train tab (F3)", severity="warning"
            )
            return False
        if form.settings is None:
            self.notify(form.problem, title="sampling", severity="error", markup=False)
            self._open_sampling()
            return False
        before, self.writing = self.writing, Writing(asked, "reading" if self._engine_ready else "starting")
        if fresh:
            self.output.reset(asked.text, asked.prompt_end)
        self.output.action_follow()
        self._look()
        self._request(self.writing, before.job if before.busy else None, card.path, asked.text, form.settings)
        return True

    @work(exit_on_error=False)
    async def _request(
        self, writing: Writing, before: int | None, model: str, prompt: str, sampling: SamplingSettings
    ) -> None:
        engine = self.workbench.engine
        if before is not None:
            await engine.stop(before)
        writing.job = await engine.generate(model, prompt, sampling)
        if writing is not self.writing or writing.phase == "stopping":
            await engine.stop(writing.job)
        if writing is self.writing:
            self._take(writing.mine([]))

    @work(exit_on_error=False)
    async def _stop(self, job: int) -> None:
        await self.workbench.engine.stop(job)

    # Events

    def on_engine_batch(self, message: EngineBatch) -> None:
        """Show what the engine said."""
        for event in message.events:
            if isinstance(event, EngineReady):
                self._engine_ready = True
                self.writing.engine_is_ready()
                self._look()
            elif isinstance(event, EngineFailed):
                self._engine_failed(event)
        self._take(self.writing.mine(message.events))

    def _engine_failed(self, event: EngineFailed) -> None:
        if not event.model:
            self._engine_ready = False
        if not event.model or (self._card is not None and event.model == self._card.path):
            self.show_error(TinyGPTError(event.message, event.hint))

    def _take(self, events: list[GenerationEvent]) -> None:
        text = ""
        for event in events:
            text += self.writing.take(event, len(self.output.text) + len(text))
            if isinstance(event, GenerationStarted):
                self._started(event)
            elif isinstance(event, GenerationEnded) and self.writing.failed and self._engine_ready:
                self.show_error(TinyGPTError(event.message, event.hint))
        if events:
            self.output.append(text)
            self.output.set_window(self.writing.window.start)
            self._look()

    def _started(self, event: GenerationStarted) -> None:
        self.output.border_subtitle = f"seed {event.seed}"
        live = self._card is not None and self._card.path in self._shelf.live
        loss = f", loss {event.validation_loss:.2f}" if event.validation_loss is not None else ""
        self._set_title(f" · step {event.step}{loss}" if live and event.step is not None else "")
        if event.unknown:
            self.notify(f"this model knows no {_listed(event.unknown)}; left out", severity="warning", markup=False)

    def _look(self) -> None:
        self.query_one(StatusLine).look(self.writing)
        state = (self.writing.busy, bool(self.output.text), self.writing.asked is not None)
        if state != self._keys_for:  # the footer is built anew each time: too dear for every batch
            self._keys_for = state
            self.refresh_bindings()

    # The text

    def action_clear(self) -> None:
        """Clear the output; the prompt stays."""
        self.action_stop()
        self.writing = Writing()
        self.output.reset()
        self.output.border_subtitle = ""
        self._set_title()
        self._look()

    def action_copy(self) -> None:
        """Copy the selection, or all."""
        selected = self.get_selected_text()
        text = selected or self.output.text
        # A terminal takes UTF-8 alone, which has no halves of surrogate pairs.
        self.app.copy_to_clipboard(text.encode("utf-8", "replace").decode("utf-8"))
        self.notify(f"copied {'the selection' if selected else 'all'}: {len(text)} characters", timeout=3)

    def action_save(self) -> None:
        """Ask for a file and save the text there."""
        from tinygpt_tui.ui.screens.save import SaveScreen

        name = f"{self._card.name if self._card else 'text'}-{self.writing.seed or 0}.txt"
        self.app.push_screen(SaveScreen(name, self.output.text), self._saved)

    def _saved(self, path: Path | None) -> None:
        if path is not None:
            self.notify(f"saved to {path}", markup=False)

    @work(thread=True, group="history", exit_on_error=False)
    def _save_history(self) -> None:
        try:
            self._history.save()
        except TinyGPTError as error:
            self.app.call_from_thread(self.show_error, error)

    # Panes

    def action_models(self) -> None:
        """Go to the models; where there is no room for them, open them over the output."""
        picker = self.query_one(ModelPicker)
        if picker.has_focus_within:
            self.action_back()
        else:
            self.query_one(SidePanes).open(picker)
            picker.query_one(OptionList).focus()

    def action_filter(self) -> None:
        """Go to the models' filter."""
        picker = self.query_one(ModelPicker)
        self.query_one(SidePanes).open(picker)
        picker.action_filter()

    def action_sampling(self) -> None:
        """Show or hide the sampling settings."""
        panes, form = self.query_one(SidePanes), self.query_one(SamplingForm)
        if panes.is_shown(form):
            panes.close(form)
            self.query_one(PromptBox).focus()
        else:
            self._open_sampling()

    def _open_sampling(self) -> None:
        form = self.query_one(SamplingForm)
        self.query_one(SidePanes).open(form)
        form.focus_first()

    @on(SidePanes.RightWished)
    def _remember_sampling(self, message: SidePanes.RightWished) -> None:
        self.workbench.remember(show_settings=message.wished)

    def action_back(self) -> None:
        """Close what lies over the output; back to the prompt."""
        self.query_one(SidePanes).close_drawers()
        self.query_one(PromptBox).focus()

    def action_page(self, direction: int) -> None:
        """Scroll the output by a page."""
        if direction < 0:
            self.output.scroll_page_up(animate=False)
        else:
            self.output.scroll_page_down(animate=False)

    def action_follow(self) -> None:
        """Follow the output's end again."""
        self.output.action_follow()

    def on_click(self, event: events.Click) -> None:
        """A click on the output's title, the model's name, is a wish for another."""
        if event.widget is self.output and event.y == 0:
            self.action_models()


def _listed(characters: str) -> str:
    names = ", ".join(f"`{shown(character)}`" for character in characters[:UNKNOWN_SHOWN])
    more = len(characters) - UNKNOWN_SHOWN
    return f"{names} and {more} more" if more > 0 else names
