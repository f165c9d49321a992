"""What a moment's model writes, shown from its start, which is compared from moment to moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import work

from tinygpt_tui.events.generation import GenerationEnded, Token
from tinygpt_tui.events.requests import Generate
from tinygpt_tui.ui.shared.failed import pass_to_screen
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.output_text import OutputText
from tinygpt_tui.ui.timeline.time_machine import MomentRequest

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Engine, Job

STALE_AFTER_S = 0.4  # from then on the text of another step is dim


class MomentText(OutputText):
    """The same lines stay visible whatever text they have."""

    DEFAULT_CSS = "MomentText.-stale { text-opacity: 50%; }"
    HELP = (
        "What the model of this step writes: your prompt in bold, then its own text. Every step uses the same random "
        "numbers, so the texts differ only by what it had learned by then."
    )

    class Ended(Message):
        """The text of a request is complete, or failed."""

        request: MomentRequest
        text: str
        failed: bool

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._job: Job | None = None
        self._has_started = False

    def show_written(self, request: MomentRequest, written: str) -> None:
        self._stop()
        self._show_text(request, written)

    def write(self, request: MomentRequest, engine: Engine, model: str) -> None:
        """Have the engine write a text; the previous one stays until the first character arrives."""
        self._stop()
        self._has_started = False
        job = self._job = engine.start(Generate(model, request.prompt, request.sampling, at_step=request.step))
        self.set_timer(STALE_AFTER_S, lambda: self._dim(job))
        self._follow(request, job)

    @work(exit_on_error=False)
    async def _follow(self, request: MomentRequest, job: Job) -> None:
        written = ""
        async for batch in job:
            if job is not self._job:
                return
            new = "".join(event.text for event in batch if isinstance(event, Token | GenerationEnded))
            if written:
                self.append(new)
            elif new:
                self._show_text(request, new)
            written += new
            if isinstance(ended := batch[-1], GenerationEnded):
                self._end(request, written, ended)

    def _end(self, request: MomentRequest, written: str, ended: GenerationEnded) -> None:
        failed = ended.reason == "failed"
        if failed:
            self._show_text(request, "")
            self.reset()
            self.set_hint(f"{ended.message}. {ended.hint}")
        elif not written:
            self._show_text(request, "")
        if ended.reason != "stopped":
            self.post_message(self.Ended(request, written, failed))

    on_worker_state_changed = pass_to_screen

    def _show_text(self, request: MomentRequest, written: str) -> None:
        self._has_started = True
        self.remove_class("-stale")
        self.reset(request.prompt + written, len(request.prompt))

    def _dim(self, job: Job) -> None:
        """Dim the previous step's text if this one's takes long."""
        if job is self._job and not self._has_started:
            self.add_class("-stale")

    def _stop(self) -> None:
        self.set_hint("")
        if self._job is not None:
            self._job.stop()
            self._job = None

    def _to_end(self) -> None:
        """Do not follow the end."""

    def action_follow(self) -> None:
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
