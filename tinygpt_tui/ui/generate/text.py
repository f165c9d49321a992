"""The Generate tab's text: its session and branches on the disk, what is looked into, copying and saving."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from textual import on, work
from textual.markup import escape

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.sessions.store import Opened
from tinygpt_tui.settings.fields import fields_of, written
from tinygpt_tui.settings.sampling import SamplingSettings, to_lines
from tinygpt_tui.ui.generate.inspectable_output import InspectableOutput
from tinygpt_tui.ui.generate.models import ChoosesModels
from tinygpt_tui.ui.generate.session_editor import SessionEditor
from tinygpt_tui.ui.generate.status_line import StatusLine
from tinygpt_tui.ui.jobs.messages import EngineBatch
from tinygpt_tui.ui.shared.generation_view import Asked, Writing
from tinygpt_tui.ui.shared.microscope import Microscope
from tinygpt_tui.ui.shared.output_text import OutputText
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shared.sampling_form import SamplingForm
from tinygpt_tui.ui.shared.surprise_index import Question
from tinygpt_tui.ui.shell.unexpected import log_unexpected

SAVE_EVERY_S = 0.5  # how often it is asked whether the session should be written; see sessions/autosave.py


class ShowsText(ChoosesModels):
    """The part of the Generate screen that holds the text: whatever was written stays, as a branch of the session."""

    def __init__(self) -> None:
        super().__init__()
        self.writing = Writing()
        self.editor = SessionEditor()
        self.own_sampling = SamplingSettings()  # as the user left it, whatever a session brings
        self._reading = ("auto", "fp32")  # how the model reads the text

    def on_mount(self) -> None:
        """Write the session now and then, and before the app is quit."""
        self.set_interval(SAVE_EVERY_S, self._keep)
        self.workbench.save_text = self._save_all

    def on_unmount(self) -> None:
        """Write what is not on the disk yet."""
        error = self.editor.close()
        if error is not None:
            log_unexpected(error)
            self.workbench.unsaved = error

    @property
    def output(self) -> OutputText:
        """The output pane."""
        return self.query_one(OutputText)

    @property
    def glass(self) -> InspectableOutput:
        """The output with its microscope."""
        return self.query_one(InspectableOutput)

    @property
    def sampling(self) -> SamplingSettings:
        """What the settings say; the defaults while they cannot be."""
        return self.query_one(SamplingForm).settings or SamplingSettings()

    def action_stop(self) -> None:
        """End at the next token; the text stays."""
        raise NotImplementedError

    def write_on(self, asked: Asked, begin: Callable[..., int]) -> bool:
        """Ask for text after `asked`; `begin` makes the branch for it, if it can be asked for."""
        raise NotImplementedError

    def look(self) -> None:
        """Show where the writing stands."""
        raise NotImplementedError

    # The disk

    def remember_own_sampling(self) -> None:
        """Keep the user's sampling settings for the next start."""
        self.workbench.save_preferences(sampling=to_lines(self.own_sampling))

    async def _save_all(self) -> TinyGPTError | None:
        self.workbench.remember_prompt(self.query_one(PromptBox).text)  # typed, and perhaps not used yet
        self.remember_own_sampling()
        return await asyncio.to_thread(self.editor.save_all(time.monotonic()))

    def _keep(self) -> None:
        self.query_one(StatusLine).show_unsaved(self.editor.error)
        save = self.editor.save_soon(time.monotonic())
        if save is not None:
            self._save(save)

    @work(thread=True, group="session", exit_on_error=False)
    def _save(self, save: Callable[[], TinyGPTError | None]) -> None:
        error = save()
        if error is not None:
            self.app.call_from_thread(self.show_error, error)

    # Looking into it

    def use(self, card: ModelCard | None, *, untrained: bool = False) -> None:
        """What another model thought is another matter."""
        before = None if self.card is None else (self.card.path, self.untrained)
        another = card is not None and before is not None and before != (card.path, untrained)
        super().use(card, untrained=untrained)
        if another:
            self.glass.forget()
        if self.editor.current is not None and self.output.text:
            self.show_place(self.editor.current.seed)

    @on(SamplingForm.Changed)
    def _read_otherwise(self, message: SamplingForm.Changed) -> None:
        if message.typed and message.settings is not None:
            self.own_sampling = message.settings
        reading = (self.sampling.window, self.sampling.weights)
        if reading != self._reading:
            self._reading = reading
            self.glass.forget()

    def action_microscope(self) -> None:
        """Walk through the text, or leave it."""
        if self.glass.is_open:
            self.glass.close()
        else:
            self.glass.open()

    def action_surprise(self) -> None:
        """Colour the text by surprise, or no more."""
        self.glass.set_colours(not self.glass.colours)

    @property
    def has_senses(self) -> bool:
        """Whether the model is a backpack that can be looked into."""
        card = self.card
        return card is not None and card.architecture == "backpack" and not card.problem and not self.untrained

    def action_senses(self) -> None:
        """Look at the senses of the text, up to the microscope's cursor where it is open; of the prompt without one."""
        self.query_one(PromptBox).call_later(self._open_senses)  # behind what was typed and has not come there yet

    def _open_senses(self) -> None:
        from tinygpt_tui.ui.senses.screen import SensesScreen

        cursor, text = self.output.cursor, self.output.text or self.query_one(PromptBox).text
        if self.card is not None:
            text = text if cursor is None else text[: cursor + 1]
            self.app.push_screen(SensesScreen(self.card, text, self.sampling))

    @on(InspectableOutput.Toggled)
    def _toggled(self, message: InspectableOutput.Toggled) -> None:
        self.set_class(message.is_open, "-looking")
        if not message.is_open and self.output.has_focus:
            self.query_one(PromptBox).focus()

    @on(InspectableOutput.Ask)
    def _asked_why(self, message: InspectableOutput.Ask) -> None:
        if self.card is not None and not self.card.problem:
            self._explain(self.card.path, message.question, message.text, self.sampling, self.untrained)

    @work(exit_on_error=False)
    async def _explain(
        self, model: str, question: Question, text: str, sampling: SamplingSettings, untrained: bool
    ) -> None:
        engine = self.workbench.engine
        job = await engine.explain(model, text, question.start, question.end, sampling, untrained=untrained)
        self.glass.asked(question, job)

    @on(InspectableOutput.Unneeded)
    async def _unneeded(self, message: InspectableOutput.Unneeded) -> None:
        await self.workbench.engine.stop(message.job)

    def on_engine_batch(self, message: EngineBatch) -> None:
        """Show what was explained."""
        self.glass.take(message.events)

    @on(Microscope.Fork)
    def _fork(self, message: Microscope.Fork) -> None:
        text = self.output.text[: message.offset] + message.text
        asked = Asked(text, min(self.output.prompt_end, message.offset))
        if self.write_on(asked, partial(self.editor.fork, message.offset, message.text)):
            self.output.mark_fork(message.offset)

    # Branches and sessions

    def action_branches(self) -> None:
        """Show all that was written in this session."""
        from tinygpt_tui.ui.generate.branches import BranchesScreen

        paths = [card.path for card in self.models.cards]
        self.app.push_screen(BranchesScreen(self.editor, paths), self._branch_chosen)

    def _branch_chosen(self, another: bool | None) -> None:
        if another:
            self._show_branch()

    def action_sessions(self) -> None:
        """Show the sessions that are kept."""
        from tinygpt_tui.ui.generate.sessions import SessionsScreen

        names = [card.name for card in self.models.cards]
        self.app.push_screen(SessionsScreen(self.editor, names), self._session_chosen)

    def _session_chosen(self, opened: Opened | None) -> None:
        if opened is None:
            return
        self._end_writing()
        self.editor.open(opened)
        self._show_branch()
        if opened.notice:
            self.notify(opened.notice, severity="warning", markup=False)

    def _show_branch(self) -> None:
        """Show the session's current branch, with the model and the settings that wrote it."""
        branch = self.editor.current
        if branch is not None and branch.id == self.editor.writing:
            return  # it is on the screen already
        self._end_writing()
        if branch is None:
            self.writing = Writing()
            self.glass.reset()
            self.query_one(SamplingForm).set_values(self.own_sampling)
        else:
            text = self.editor.full_text()
            self.writing = Writing(Asked(text[: branch.begins_at], branch.prompt_end))
            self.glass.reset(text, branch.prompt_end)
            if news := _differences(self.sampling, branch.sampling):
                self.notify(f"The settings of this text are in use: {news}", markup=False)
            self.query_one(SamplingForm).set_values(branch.sampling)
            card = next((card for card in self.models.cards if card.path == branch.model_path), None)
            if card is not None and (card is not self.card or branch.untrained != self.untrained):
                self.use(card, untrained=branch.untrained)
        self.output.action_follow()
        self.show_place(None if branch is None else branch.seed)
        self.set_title(self.stamp)
        self.look()

    @property
    def stamp(self) -> str:
        """Where the training of a model stood that wrote the text while it learnt; nothing of a finished one."""
        branch = self.editor.current
        return f" · {branch.stamp}" if branch is not None and branch.in_training else ""

    def _end_writing(self) -> None:
        """Stop, and wait for no more text."""
        self.action_stop()
        self.editor.ended("stopped")

    def show_place(self, seed: int | None) -> None:
        """Write under the output who wrote it, where the title names another model, with which seed, and its branch."""
        parts = [] if seed is None else [f"seed {seed}"]
        session, current = self.editor.session, self.editor.current
        if current is not None and current.tokens and current.model not in ("", self.name_in_use):
            parts.insert(0, f"by {escape(current.model)}")
        if session.current is not None and len(session.branches) > 1:
            place = list(session.branches).index(session.current) + 1
            parts.append(f"branch {place} of {len(session.branches)}")
        self.output.border_subtitle = " · ".join(parts)

    # The text

    def action_clear(self) -> None:
        """Clear the output; the prompt stays, and the text is still a branch of the session."""
        self._end_writing()
        self.writing = Writing()
        self.glass.reset()
        self.output.border_subtitle = ""
        self.set_title()
        self.look()

    def action_copy(self) -> None:
        """Copy the selection, or all."""
        selected = self.get_selected_text()
        text = selected or self.output.text
        # A terminal takes UTF-8 alone, which has no halves of surrogate pairs.
        self.app.copy_to_clipboard(text.encode("utf-8", "replace").decode("utf-8"))
        self.notify(f"copied {'the selection' if selected else 'all'}: {len(text)} characters", timeout=3)

    def action_save(self) -> None:
        """Ask for a file and save the text there."""
        from tinygpt_tui.sessions.export import exports_of
        from tinygpt_tui.ui.shared.save_dialog import SaveScreen

        current = self.editor.current
        name = f"{self.card.name if self.card else 'text'}-{(current.seed if current else None) or 0}"
        if current is not None and current.in_training and current.step is not None:
            name += f"-step-{current.step}"  # a plain text says nothing else of it
        exports = None if current is None else exports_of(self.editor.session, current.id)
        self.app.push_screen(SaveScreen(f"{name}.txt", self.output.text, exports), self._saved)

    def _saved(self, path: Path | None) -> None:
        if path is not None:
            self.notify(f"saved to {path}", markup=False)

    def action_page(self, direction: int) -> None:
        """Scroll the output by a page."""
        if direction < 0:
            self.output.scroll_page_up(animate=False)
        else:
            self.output.scroll_page_down(animate=False)

    def action_follow(self) -> None:
        """Follow the output's end again."""
        self.output.action_follow()


def _differences(before: SamplingSettings, after: SamplingSettings) -> str:
    """Return in which settings `after` differs, in words."""
    values = (
        (field, getattr(before, name), getattr(after, name)) for name, field in fields_of(SamplingSettings).items()
    )
    return ", ".join(f"{field.title} {written(new) or 'none'}" for field, old, new in values if new != old)
