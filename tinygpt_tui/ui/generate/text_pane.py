"""The middle of the Generate tab: the session's text with its microscope, the status line and the prompt."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.checkpoints.vocabulary import characters_of, known_tokenizer
from tinygpt_tui.sessions.document import Branch
from tinygpt_tui.sessions.store import Opened
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer
from tinygpt_tui.ui.generate.branch_list import VERY_WIDE, BranchesBeside
from tinygpt_tui.ui.generate.chat_turns import ChatTurns
from tinygpt_tui.ui.generate.facts import TextFacts, Written
from tinygpt_tui.ui.generate.inspectable_output import InspectableOutput
from tinygpt_tui.ui.generate.model_chooser import ModelInUse
from tinygpt_tui.ui.generate.output_border import OutputBorder
from tinygpt_tui.ui.generate.questions import Questions
from tinygpt_tui.ui.generate.session_editor import SessionEditor
from tinygpt_tui.ui.generate.session_saver import SessionSaver
from tinygpt_tui.ui.generate.status_line import StatusLine
from tinygpt_tui.ui.generate.text_writer import TextWriter
from tinygpt_tui.ui.generate.welcome import Welcome, opening_for
from tinygpt_tui.ui.shared.generation_view import Asked, GenerationView
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.output_text import OutputText
from tinygpt_tui.ui.shared.pacer import Pacer
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shared.prompt_history import PromptHistory
from tinygpt_tui.ui.shared.sampling_words import draw_words
from tinygpt_tui.ui.shared.surprise_index import Question
from tinygpt_tui.ui.shell.selection import TextPlace
from tinygpt_tui.words import parameters

if TYPE_CHECKING:
    from tinygpt_tui.ui.generate.attention_beside import AttentionBeside
    from tinygpt_tui.workers.client import Engine, Job

FIRST_HINT = "Type some text and press Enter. {name} continues it."
CHAT_HINT = "Say something and press Enter. {name} answers."


class TextPane(Vertical):
    """Writes and shows one text at a time; all of them are branches of the editor's session."""

    class Changed(Message):
        """What can be done now may have changed."""

    class BranchShown(Message):
        """Another branch is shown; None: an empty text."""

        branch: Branch | None

    def __init__(self, engine: Engine, prompts: PromptHistory, pace: str = "full", *, id: str | None = None) -> None:
        """`pace` as for a Pacer."""
        super().__init__(id=id)
        self.editor = SessionEditor()
        self.writing = GenerationView()
        self.glass = InspectableOutput(id="glass", window_at=lambda offset: self.writing.window.start_at(offset))
        self.welcome = Welcome(id="welcome")
        self.branches = BranchesBeside(self.editor, id="beside")
        self._attention: AttentionBeside | None = None  # beside the text instead of the branches, once asked for
        self._questions = Questions(engine)
        self.facts = TextFacts(self.output, self._questions.check)
        self.status = StatusLine(id="status")
        self.prompt = PromptBox(prompts, id="prompt")
        self.turns = ChatTurns(self.output, self.prompt)
        self.pacer = Pacer(pace)
        self.model: ModelInUse | None = None
        self.sampling = SamplingSettings()  # how the text is read
        self._engine = engine
        self._border = OutputBorder(self.editor, self.output, self.welcome, self.status)
        self._state: tuple[bool, ...] = ()
        self.writer = TextWriter(self, engine, self._border)
        self._hint = ""
        self.add_class("-welcome")  # before the first layout, so that the first picture is right at once

    def compose(self) -> ComposeResult:
        """Yield text, status and prompt; before there is a text, the first screen."""
        yield self.welcome
        yield self.glass
        yield self.facts
        yield self.status
        yield self.prompt
        yield SessionSaver(self.editor, self.status)
        yield self.pacer

    @property
    def output(self) -> OutputText:
        return self.glass.output

    def on_resize(self) -> None:
        """Have the branches beside the text from the first time on that it is so wide."""
        if self.app.size.width >= VERY_WIDE and not self.branches.is_attached:
            self.mount(self.branches)

    @property
    def is_new(self) -> bool:
        """Whether nothing was written or typed yet: the first screen is shown."""
        return not self.output.text and not self.editor.session.branches and self.prompt.is_untouched

    def update_welcome(self) -> None:
        """Show the first screen, or the text."""
        self.set_class(self.is_new and not self._hint, "-welcome")

    def show_hint(self, hint: str) -> None:
        """Show this in the place of a text and of the first screen, until there is a model."""
        self._hint = hint
        self.output.set_hint(hint)
        self.update_welcome()

    @property
    def can_retry(self) -> bool:
        return self.writing.asked is not None and not self.writing.busy

    # Model and settings

    def set_model(self, model: ModelInUse) -> None:
        before, self.model = self.model, model
        self._questions.model = model
        if before is not None and (before.card.path, before.untrained) != (model.card.path, model.untrained):
            self.glass.forget()
            self.facts.recheck()
        card = model.card
        self._hint = ""
        if before is None or before.card.path != card.path:
            self.turns.set_dialogue(None)
        self.output.set_hint(FIRST_HINT.format(name=card.name))
        if self.is_new:
            self.prompt.fill_in(opening_for(card.name, card.origin))
        self.update_welcome()
        size, block, vocabulary = parameters(card.parameters), card.block_size, card.vocab_size
        self.status.set_idle(f"{size} {card.architecture} · block size {block} · vocabulary {vocabulary}")
        self._border.set_model(model.name)
        self._read_vocabulary(card)

    @work(exclusive=True, group="characters", exit_on_error=False)
    async def _read_vocabulary(self, card: ModelCard) -> None:
        known = await asyncio.to_thread(known_tokenizer, Path(card.path)) if card.layout == "native" else None
        if self.model is not None and self.model.card.path == card.path:
            self.prompt.set_known(characters_of(known))
            self.turns.set_dialogue(known if isinstance(known, DialogueTokenizer) else None)
            if self.turns.dialogue is not None:
                self.output.set_hint(CHAT_HINT.format(name=card.name))
            self.post_message(self.Changed())

    def set_sampling(self, sampling: SamplingSettings) -> None:
        """Draw and explain with these settings; another window or other weights need new explanations."""
        before, self.sampling = self.sampling, sampling
        self._questions.sampling = sampling
        if (before.window, before.weights) != (sampling.window, sampling.weights):
            self.glass.forget()
        self.glass.set_sampling(sampling)
        if (job := self.writing.job) is not None and job.running and draw_words(before) != draw_words(sampling):
            job.change_sampling(sampling)
        self._border.set_dials(sampling, self.pacer.dial)

    def open_model(self, card: ModelCard) -> None:
        """Have the engine open a model, so that the first token comes sooner."""
        self._engine.open(card.path)

    @on(BranchesBeside.Chosen)
    def _branch_chosen(self, message: BranchesBeside.Chosen) -> None:
        message.stop()
        if message.branch != self.editor.session.current:
            self.editor.choose(message.branch)
            self.show_branch()

    @on(PromptBox.Changed)
    def _typed(self) -> None:
        self.update_welcome()

    # Writing

    @work(exit_on_error=False)
    async def follow(self, writing: GenerationView, job: Job) -> None:
        """Have the writer apply the job's events, until another text is written."""
        async for events in job:
            if writing is not self.writing:
                return
            self.writer.apply(events)

    def stop(self) -> None:
        """End at the next token; the text stays."""
        self.writing.stop()
        self.pacer.end()
        self.update_status()

    def show_engine_ready(self) -> None:
        self.writing.engine_is_ready()
        self.update_status()

    # Explanations

    @on(InspectableOutput.Ask)
    def _asked_why(self, message: InspectableOutput.Ask) -> None:
        message.stop()
        question = message.question
        if question is self.glass.index.question and (job := self._questions.explain(question, message.text)):
            self.glass.asked(question, job)
            self._follow_answer(question, job)

    @work(exit_on_error=False)
    async def _follow_answer(self, question: Question, job: Job) -> None:
        async for events in job:
            if question is not self.glass.index.question:
                return
            self.glass.apply_events(events)

    @on(InspectableOutput.AskWhy)
    def _asked_influences(self, message: InspectableOutput.AskWhy) -> None:
        message.stop()
        if job := self._questions.attribute(message.question):
            self.glass.why.follow(message.question, job)

    # Attention

    @on(InspectableOutput.AttentionWanted)
    def _attention_wanted(self, message: InspectableOutput.AttentionWanted) -> None:
        """Show it beside the text if there is room; else it is the screen's."""
        if self.app.size.width < VERY_WIDE or self.model is None:
            return
        from tinygpt_tui.ui.generate.attention_beside import AttentionBeside

        message.stop()
        if self._attention is None:
            self._attention = AttentionBeside(self._engine, id="attention")
            self.mount(self._attention)
        self.add_class("-attending")
        self._show_attention(message.offset)
        self.call_after_refresh(self._attention.map.focus)

    def _show_attention(self, offset: int) -> None:
        if self._attention is not None and self.model is not None and self.has_class("-attending"):
            card, untrained = self.model.card, self.model.untrained
            self._attention.show_place(TextPlace(card.path, untrained, self.output.text, offset))

    @on(OutputText.Walked)
    def _walked(self, message: OutputText.Walked) -> None:
        message.stop()
        self._show_attention(message.offset)

    @on(InspectableOutput.Toggled)
    def _toggled(self, message: InspectableOutput.Toggled) -> None:
        if not message.is_open:
            self.remove_class("-attending")

    def on_attention_beside_done(self) -> None:
        self.output.focus()

    # The session

    def open_session(self, opened: Opened) -> None:
        """Show another session, at its place if it has one."""
        self._end()
        self.editor.open(opened)
        branch, at = opened.place or (None, 0)
        if branch in self.editor.session.branches:  # it may be another one than on the disk
            self.editor.choose(branch)
            self.call_after_refresh(self.output.show_place, at)
        self.show_branch()
        if opened.notice:
            self.notify(opened.notice, severity="warning", markup=False)

    def show_branch(self) -> None:
        branch = self.editor.current
        if branch is not None and branch.id == self.editor.writing:
            return  # it is shown already
        self._end()
        if branch is None:
            self.writing = GenerationView()
            self.glass.reset()
        else:
            text = self.editor.full_text()
            self.writing = GenerationView(Asked(text[: branch.begins_at], branch.prompt_end))
            self.glass.reset(text, branch.prompt_end)
        self.output.action_follow()
        self._border.show_text()
        self.update_status()
        self.post_message(self.BranchShown(branch))

    def clear(self) -> None:
        """Clear the text; it stays a branch of the session."""
        self.turns.take_edited()
        self._end()
        self.writing = GenerationView()
        self.glass.reset()
        self._border.clear()
        self.update_status()

    def _end(self) -> None:
        self.stop()
        self.editor.ended("stopped")

    # Words

    def update_status(self) -> None:
        pacer, busy = self.pacer, self.writing.busy
        self.writing.paused = pacer.paused
        self.glass.set_pace(writing=busy and not pacer.paused, slow=pacer.slow)
        self.status.show_progress(self.writing)
        self._show_facts()
        self.update_welcome()
        state = (busy, pacer.active, pacer.paused, bool(self.output.text), self.writing.asked is not None)
        if state != self._state:  # the keys are found again each time: too slow for every batch
            self._state = state
            self.post_message(self.Changed())

    @on(Pacer.Changed)
    def _pace_changed(self, message: Pacer.Changed) -> None:
        message.stop()
        self._border.set_dials(self.sampling, self.pacer.dial)
        self.update_status()

    def _show_facts(self) -> None:
        branch = self.editor.current
        greedy = branch is not None and branch.last_sampling.temperature == 0
        window = self.writing.window.block_size if self.writing.policy == "exact" else 0
        self.facts.show_text(Written(self.output.text, self.output.prompt_end, greedy, window), self.writing.busy)
