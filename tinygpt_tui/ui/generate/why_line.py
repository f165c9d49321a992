"""Why this letter? A sentence under the text, and what the colours of the text mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text
from textual import work
from textual.widget import Widget

from tinygpt_tui.events.generation import Attributed, GenerationEnded
from tinygpt_tui.ui.generate.influences import STEPS_BITS, Influences, fact_of, sentence
from tinygpt_tui.ui.shared.output_text import OutputText
from tinygpt_tui.ui.shared.surprise_index import CharInfo

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Job

LINES = 2  # of the sentence, at most


class WhyQuestion(NamedTuple):
    """The influences on the character at `offset` of `text`."""

    text: str
    offset: int


class WhyLine(Widget):
    """Colours in the output which characters before the cursor's made it likely, and says it.

    What `show_char` wants to know is answered by `follow` with the job.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    WhyLine { height: auto; padding: 0 1; display: none; }
    WhyLine.-on { display: block; }
    """

    def __init__(self, output: OutputText) -> None:
        super().__init__()
        self._output = output
        self._asked: WhyQuestion | None = None
        self._influences = Influences()
        self._look: CharInfo | None = None
        self._job: Job | None = None

    @property
    def is_on(self) -> bool:
        return self.has_class("-on")

    def switch_on(self) -> None:
        """Show the sentence from the next `show_char` on, and the colours."""
        self.add_class("-on")
        self._output.set_levels(self._influences.levels, "influence")

    def switch_off(self) -> None:
        """Hide the sentence and stop computing; the colours are the caller's again."""
        self.remove_class("-on")
        self.forget()

    def forget(self) -> None:
        """Forget the answer: another model is used, or another way of reading."""
        if self._job is not None:
            self._job.stop()
        self._job = self._asked = None

    def show_char(self, look: CharInfo) -> WhyQuestion | None:
        """Explain this character; return what to ask if that is another one than before."""
        question = WhyQuestion(self._output.text, look.start)
        self._look = look
        self.refresh(layout=True)
        if self._asked == question:
            return None
        self.forget()
        self._asked = question
        self._influences = Influences(look.start, len(question.text))
        self._output.set_levels(self._influences.levels, "influence")
        return question if look.state != "first" else None

    def follow(self, question: WhyQuestion, job: Job) -> None:
        """Show the answer as it comes, if it is still wanted."""
        if self._asked == question:
            self._job = job
            self._follow(job)
        else:
            job.stop()

    @work(exit_on_error=False)
    async def _follow(self, job: Job) -> None:
        async for events in job:
            if job is not self._job:
                return
            changed = self._influences.add(event for event in events if isinstance(event, Attributed))
            for event in events:
                if isinstance(event, GenerationEnded) and event.reason == "failed":
                    self._influences.problem = event.message
            if changed is not None:
                self._output.levels_changed(*changed)
            self.refresh(layout=True)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Return the lines of the sentence, and one for the legend."""
        return min(LINES, max(1, len(self._sentence().wrap(self.app.console, max(1, width))))) + 1

    def render(self) -> Text:
        width = self.content_size.width
        lines = self._sentence().wrap(self.app.console, max(1, width))[:LINES]
        return Text("\n", no_wrap=True, overflow="crop").join([*lines, self._legend()])

    def _sentence(self) -> Text:
        if self._look is None:
            return Text("")
        if self._look.state == "first":
            return Text("There is nothing before this character that it could depend on.")
        return Text(sentence(self._output.text, fact_of(self._look, self._output.text), self._influences))

    def _legend(self) -> Text:
        parts: list[Text | str] = []
        for title, first in (("more likely by ", 1), ("   less likely by ", 1 + len(STEPS_BITS))):
            parts.append(title)
            for level, bits in enumerate(STEPS_BITS, first):
                parts.append(Text(f" {bits:g} ", self._output.level_style(level, "influence")))
        return Text.assemble(*parts, " bits", no_wrap=True, overflow="crop")
