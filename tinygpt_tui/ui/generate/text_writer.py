"""Has the engine write one text at a time into the text pane, as a branch of the pane's session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, GenerationStarted, SamplingChanged, Token
from tinygpt_tui.events.requests import Generate
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.generate.model_chooser import ModelInUse
from tinygpt_tui.ui.generate.notices import StartNotices
from tinygpt_tui.ui.generate.output_border import OutputBorder
from tinygpt_tui.ui.generate.requests import Request
from tinygpt_tui.ui.shared.failed import Failed
from tinygpt_tui.ui.shared.generation_view import GenerationView

if TYPE_CHECKING:
    from tinygpt_tui.ui.generate.text_pane import TextPane
    from tinygpt_tui.workers.client import Engine


class TextWriter:
    """Sends requests and applies the events of the one that the pane shows."""

    def __init__(self, pane: TextPane, engine: Engine, border: OutputBorder) -> None:
        self._pane, self._engine, self._border = pane, engine, border
        self._notices = StartNotices(pane)

    def write(self, request: Request, model: ModelInUse, settings: SamplingSettings, *, at_once: bool = False) -> None:
        """Generate: add the branch, show its beginning, send the request; `at_once`: at full speed."""
        pane, asked = self._pane, request.asked
        named = msgspec.structs.replace(model.card, name=model.name)
        request.add_branch(named, settings, untrained=model.untrained)
        pane.writing.stop()
        pane.writing = writing = GenerationView(asked, "reading" if self._engine.is_ready else "starting")
        if asked.text != pane.output.text or asked.prompt_end != pane.output.prompt_end:
            pane.glass.reset(asked.text, asked.prompt_end)
        pane.output.action_follow()
        pane.update_status()
        if request.fork_at is not None:
            pane.output.mark_fork(request.fork_at)
        candidates = 0 if pane.glass.colours else None
        allowed = pane.pacer.first_permits(at_once)
        self._border.repeats = request.repeats is not None
        changes = request.repeats.changes if request.repeats is not None else ()
        wanted = Generate(model.card.path, asked.text, settings, candidates, model.untrained)
        job = self._engine.start(msgspec.structs.replace(wanted, allowed=allowed, changes=changes))
        writing.job = job
        pane.pacer.follow(job)
        pane.follow(writing, job)

    def apply(self, events: list[GenerationEvent]) -> None:
        """Take in events of the text that the pane shows."""
        pane = self._pane
        text, tokens, at = "", [], len(pane.output.text)
        ended: GenerationEnded | None = None
        for event in events:
            text += pane.writing.apply_event(event, at + len(text))
            if isinstance(event, Token):
                tokens.append(event)
            elif isinstance(event, GenerationStarted):
                self._started(event)
            elif isinstance(event, SamplingChanged):
                pane.editor.settings_changed(event.change)
                self._border.show_text()
            elif isinstance(event, GenerationEnded):
                ended = event
        pane.editor.append(text, len(tokens))
        pane.glass.append(text, tokens)
        pane.output.set_window(pane.writing.window.start)
        pane.pacer.shown(pane.writing.tokens)
        if ended is not None:
            pane.pacer.end()
            pane.editor.ended(ended.reason)
            self._border.show_text()
            if pane.writing.failed and self._engine.is_ready:
                pane.post_message(Failed(TinyGPTError(ended.message, ended.hint)))
        pane.update_status()

    def _started(self, event: GenerationStarted) -> None:
        pane = self._pane
        pane.editor.started(event)
        self._border.show_text()
        pane.output.set_unknown(event.unknown)
        architecture = "" if pane.model is None else pane.model.card.architecture
        self._notices.report(event, architecture, unknown=not pane.prompt.border_subtitle)  # which names them already
