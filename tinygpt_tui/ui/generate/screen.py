"""The Generate tab: pick a model, write a beginning, watch it go on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import msgspec
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import (
    EngineFailed,
    EngineReady,
    GenerationEnded,
    GenerationEvent,
    GenerationStarted,
    Token,
)
from tinygpt_tui.settings.sampling import SamplingSettings, from_lines
from tinygpt_tui.ui.generate.inspectable_output import InspectableOutput
from tinygpt_tui.ui.generate.side_panes import SidePanes
from tinygpt_tui.ui.generate.status_line import StatusLine
from tinygpt_tui.ui.generate.text import ShowsText
from tinygpt_tui.ui.jobs.messages import EngineBatch
from tinygpt_tui.ui.models.model_picker import ModelPicker
from tinygpt_tui.ui.shared.generation_view import Asked, Writing
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shared.sampling_form import SamplingForm
from tinygpt_tui.ui.shared.wrapping import shown
from tinygpt_tui.ui.shell.selection import Selection

UNKNOWN_SHOWN = 10


class GenerateScreen(ShowsText):
    """Builds requests, shows events."""

    TAB = "generate"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high"), (32, "-tall")]  # noqa: RUF012 (declared so by Textual)
    AUTO_FOCUS = "#prompt"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "generate", "Generate", id="generate.generate", tooltip="Write on from the prompt"),
        Binding("escape", "stop", "Stop", id="generate.stop", tooltip="End at the next token; the text stays"),
        Binding("escape", "back", "Back", id="generate.back", show=False, tooltip="Back to the prompt"),
        # What can be done with a model stands first in the list of models, and nowhere else.
        Binding(
            "i", "card_here", "Card", id="generate.card_here", tooltip="What is known of this model; rename, export …"
        ),
        Binding(
            "o", "open_here", "Open…", id="generate.open_here", tooltip="Open a model from anywhere, or from the Hub"
        ),
        Binding(
            "t", "train_on_here", "Train on", id="generate.train_on_here", tooltip="Begin a training from this model"
        ),
        Binding(
            "u",
            "untrained_here",
            "Untrained",
            id="generate.untrained_here",
            tooltip="The same net, untrained; or trained",
        ),
        Binding("ctrl+g", "go_on", "Go on", id="generate.go_on", tooltip="Continue from all the text that stands here"),
        Binding("ctrl+r", "again", "Again", id="generate.again", tooltip="The same again, with a new seed"),
        Binding(
            "f5", "microscope", "Look", id="generate.microscope", tooltip="What the model thought of each character"
        ),
        # The prompt's own F6 (select a line) gives way.
        Binding(
            "f6",
            "surprise",
            "Surprise",
            id="generate.surprise",
            show=False,
            priority=True,
            tooltip="Colour by surprise",
        ),
        # The prompt's own (delete to the right, as Del does) gives way where there are senses.
        Binding(
            "ctrl+d",
            "senses",
            "Senses",
            id="generate.senses",
            priority=True,
            tooltip="A backpack's senses: what each says of the next token, and a dial for each",
        ),
        Binding(
            "ctrl+b",
            "branches",
            "Tree",
            id="generate.branches",
            tooltip="All that was written: the branches of this session",
        ),
        Binding("ctrl+o", "models", "Models", id="generate.models", tooltip="Choose another model"),
        Binding("ctrl+t", "sampling", "Sampling", id="generate.sampling", tooltip="Show or hide the sampling settings"),
        Binding("ctrl+s", "sessions", "Sessions", id="generate.sessions", tooltip="Earlier sessions, and a new one"),
        Binding("f9", "save", "Save", id="generate.save", tooltip="Save as text, Markdown or JSON"),
        Binding("f8", "copy", "Copy", id="generate.copy", tooltip="Copy the selected text, or all of it"),
        Binding("ctrl+l", "clear", "Clear", id="generate.clear", tooltip="Clear the output; the text is kept"),
        Binding(
            "f11",
            "open",
            "Open a model",
            id="generate.open",
            show=False,
            tooltip="A file of another program, a folder, or hf:NAME",
        ),
        Binding(
            "f12",
            "card",
            "Card of the model",
            id="generate.card",
            show=False,
            tooltip="What is known of the model; rename, copy, delete, compare, export",
        ),
        Binding(
            "f13",
            "train_on",
            "Train on from this model",
            id="generate.train_on",
            show=False,
            tooltip="The form of a new training that starts from the model in use",
        ),
        Binding(
            "alt+u",
            "untrained",
            "Untrained twin",
            id="generate.untrained",
            show=False,
            tooltip="Write with the same net as it was before its training; or with the trained one again",
        ),
        Binding("slash", "filter", "Filter models", id="generate.filter", show=False, tooltip="Type to filter models"),
        Binding("pageup", "page(-1)", "Page up", id="generate.page_up", show=False, tooltip="Scroll the output up"),
        Binding("pagedown", "page(1)", "Page down", id="generate.page_down", show=False, tooltip="Scroll it down"),
        Binding("ctrl+end", "follow", "Follow", id="generate.follow", show=False, tooltip="Follow the output's end"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._engine_ready = self._engine_told = False
        self._typed_early: str | None = None
        self._keys_for = (False, False, False)

    def compose_body(self) -> ComposeResult:
        """Yield models, output and prompt, sampling."""
        centre = Vertical(
            InspectableOutput(id="glass", window_at=self._window_at),
            StatusLine(id="status"),
            PromptBox(self.workbench.prompts, id="prompt"),
            id="centre",
        )
        remembered = self.workbench.preferences.settings
        wished, self.own_sampling = remembered.show_settings, from_lines(remembered.sampling)
        yield SidePanes(
            ModelPicker(id="models"), centre, SamplingForm(self.own_sampling, id="sampling"), right_wished=wished
        )

    def _window_at(self, offset: int) -> int:
        return self.writing.window.start_at(offset)

    def on_mount(self) -> None:
        """Listen to the engine."""
        self.workbench.bridge.listen(self)
        self.workbench.selection = self._selection

    def _selection(self) -> Selection | None:
        """Return what this tab is about: for Inspect to look into."""
        return None if self.card is None else Selection(self.card.path, self.untrained, self.query_one(PromptBox).text)

    # What the screen knows of itself

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
            case "clear" | "copy" | "save" | "microscope" | "surprise":
                return has_text
            case "open_here":
                return self.query_one(ModelPicker).has_focus_within
            case "card_here":
                picker = self.query_one(ModelPicker)
                return picker.has_focus_within and (picker.resting or self.card) is not None
            case "train_on_here":
                picker = self.query_one(ModelPicker)
                return picker.has_focus_within and picker.resting is None and self._can_be_trained
            case "train_on":
                return self._can_be_trained
            case "untrained_here":
                picker = self.query_one(ModelPicker)
                return picker.list_has_focus and picker.resting is None and self.card is not None
            case "card" | "untrained":
                return self.card is not None
            case "senses":
                return self.has_senses
            case "branches":
                return bool(self.editor.session.branches)
        return True

    # Asking

    @on(SamplingForm.Submitted)
    def action_generate(self) -> None:
        """Write on from what stands in the prompt box."""
        self._generate(self.query_one(PromptBox).text)

    @on(PromptBox.Submitted)
    def _submitted(self, message: PromptBox.Submitted) -> None:
        self._generate(message.prompt)

    def models_known(self) -> None:
        """Generate what was typed before the models were known."""
        if self._typed_early is not None:
            prompt, self._typed_early = self._typed_early, None
            self._generate(prompt)

    def _generate(self, prompt: str) -> None:
        if not self.models.loaded:
            self._typed_early = prompt  # somebody types faster than folders are read
            return
        if self.write_on(Asked(prompt, len(prompt)), partial(self.editor.begin, prompt)):
            self.workbench.remember_prompt(prompt)

    def action_go_on(self) -> None:
        """Write on from all the text there is."""
        self.write_on(Asked(self.output.text, self.output.prompt_end), self.editor.go_on)

    def action_again(self) -> None:
        """Ask the same once more."""
        asked = self.writing.asked
        if asked is not None:
            self.write_on(asked, partial(self.editor.fork, len(asked.text), ""))

    def action_stop(self) -> None:
        """End at the next token; the text stays."""
        self.writing.stop()
        self.look()
        if self.writing.job is not None:
            self._stop(self.writing.job)

    def interrupt(self) -> bool:
        """Stop where text may still come."""
        busy = self.writing.busy
        if busy:
            self.action_stop()
        return busy

    def write_on(self, asked: Asked, begin: Callable[..., int]) -> bool:
        """Send a request, and have `begin` make the branch for its text. Says why where it cannot be."""
        form, card = self.query_one(SamplingForm), self.card
        if card is None or card.problem:
            self.notify(
                card.problem if card else "there is no model yet; train one in the Train tab (F3)", severity="warning"
            )
            return False
        if form.settings is None:
            self.notify(form.problem, title="sampling", severity="error", markup=False)
            self._open_sampling()
            return False
        self.remember_own_sampling()
        begin(msgspec.structs.replace(card, name=self.name_in_use), form.settings, untrained=self.untrained)
        before, self.writing = self.writing, Writing(asked, "reading" if self._engine_ready else "starting")
        if asked.text != self.output.text or asked.prompt_end != self.output.prompt_end:
            self.glass.reset(asked.text, asked.prompt_end)
        self.output.action_follow()
        self.look()
        candidates = 0 if self.glass.colours else None
        job_before = before.job if before.busy else None
        self._request(self.writing, job_before, card.path, form.settings, candidates, self.untrained)
        return True

    @work(exit_on_error=False)
    async def _request(
        self,
        writing: Writing,
        before: int | None,
        model: str,
        sampling: SamplingSettings,
        candidates: int | None,
        untrained: bool,
    ) -> None:
        engine = self.workbench.engine
        if before is not None:
            await engine.stop(before)
        assert writing.asked is not None
        writing.job = await engine.generate(
            model, writing.asked.text, sampling, candidates=candidates, untrained=untrained
        )
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
                self.look()
            elif isinstance(event, EngineFailed):
                self._engine_failed(event)
        self._take(self.writing.mine(message.events))
        super().on_engine_batch(message)

    def _engine_failed(self, event: EngineFailed) -> None:
        if not event.model:
            self._engine_ready = False
        mine = not event.model or (self.card is not None and event.model == self.card.path)
        if mine and self.is_current:  # another tab says it itself
            self.show_error(TinyGPTError(event.message, event.hint))

    def _take(self, events: list[GenerationEvent]) -> None:
        text, tokens, at = "", [], len(self.output.text)
        ended: GenerationEnded | None = None
        for event in events:
            text += self.writing.take(event, at + len(text))
            if isinstance(event, Token):
                tokens.append(event)
            elif isinstance(event, GenerationStarted):
                self._started(event)
            elif isinstance(event, GenerationEnded):
                ended = event
        if not events:
            return
        self.editor.append(text, len(tokens))
        self.glass.append(text, tokens)
        self.output.set_window(self.writing.window.start)
        if ended is not None:
            self.editor.ended(ended.reason)
            if self.writing.failed and self._engine_ready:
                self.show_error(TinyGPTError(ended.message, ended.hint))
        self.look()

    def _started(self, event: GenerationStarted) -> None:
        self.editor.started(event)
        self.show_place(event.seed)
        self.set_title(self.stamp)
        if event.engine == "torch" and self.card is not None and self.card.architecture == "gpt":
            self._tell_of_engine()
        self.output.set_unknown(event.unknown)
        if event.unknown and not self.query_one(PromptBox).border_subtitle:  # which names them already
            self.notify(f"this model knows no {_listed(event.unknown)}; left out", severity="warning", markup=False)

    def _tell_of_engine(self) -> None:
        """Say once why torch writes where a faster engine was built."""
        from tinygpt_tui.native.library import stands_unused

        error = None if self._engine_told else stands_unused()
        self._engine_told = True
        if error is not None:
            text = f"torch writes, slower than the native engine would: {error.message}\n{error.hint}"
            self.notify(text, severity="warning", timeout=15, markup=False)

    def look(self) -> None:
        """Show where the writing stands."""
        self.glass.set_quiet(self.writing.busy and not self.glass.is_open)
        self.query_one(StatusLine).look(self.writing)
        state = (self.writing.busy, bool(self.output.text), self.writing.asked is not None)
        if state != self._keys_for:  # the footer is built anew each time: too dear for every batch
            self._keys_for = state
            self.refresh_bindings()

    # Panes

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
        self.workbench.save_preferences(show_settings=message.wished)

    def on_click(self, event: events.Click) -> None:
        """A click on the output's title, the model's name, is a wish for another."""
        if event.widget is self.output and event.y == 0:
            self.action_models()


def _listed(characters: str) -> str:
    names = ", ".join(f"`{shown(character)}`" for character in characters[:UNKNOWN_SHOWN])
    more = len(characters) - UNKNOWN_SHOWN
    return f"{names} and {more} more" if more > 0 else names
