"""Facts under a text: loops, unknown words, passages copied from the training text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.text import Text
from textual import work
from textual.widget import Widget

from tinygpt_tui.events.generation import GenerationEnded, TextChecked
from tinygpt_tui.ui.generate.fact_words import brief, sentences
from tinygpt_tui.ui.generate.status_line import shortened
from tinygpt_tui.ui.shared.output_text import OutputText
from tinygpt_tui.ui.shell.keys import shown_key

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Job

SHORTEST = 40  # characters that were written, of which a line is shown without being asked
MOST_LINES = 9


class Written(NamedTuple):
    """A text, written from `start` on; `greedy` and `window` as in fact_words.sentences."""

    text: str = ""
    start: int = 0
    greedy: bool = False
    window: int = 0


class TextFacts(Widget):
    """One line when a text has been written; all of it, and what is copied underlined, when the user opens it."""

    ALLOW_SELECT = False
    DEFAULT_CSS = f"""
    TextFacts {{ height: auto; max-height: {MOST_LINES}; padding: 0 1; color: $text-muted; display: none; }}
    TextFacts.-brief, TextFacts.-open {{ display: block; }}
    TextFacts.-open {{ border-top: solid $border; border-title-color: $accent; border-title-style: bold;
        color: $foreground; }}
    """

    def __init__(self, output: OutputText, check: Callable[[Written, bool], Job | None]) -> None:
        """`check` starts the check of a text, a quick one or a full one; None: there is no model."""
        super().__init__()
        self.border_title = "facts"
        self._output, self._check = output, check
        self._written = Written()
        self._busy = False
        self._found: TextChecked | None = None
        self._quick = False
        self._job: Job | None = None
        self._problem = ""

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    def show_text(self, written: Written, busy: bool) -> None:
        """Be about this text; once it is no longer `busy` being written, check it."""
        ended, self._busy = self._busy and not busy, busy
        if written.text != self._written.text and (self._job or self._found or self._problem):
            self._forget()
        self._written = written
        if ended and not self.is_open and len(written.text) - written.start >= SHORTEST:
            self._start(quick=True)
        elif not self._problem:
            self._complete()

    def toggle(self) -> None:
        """Show all facts, or none."""
        self.set_class(not self.is_open, "-open")
        self._complete()
        self._redraw()

    def recheck(self) -> None:
        """Forget what was found: another model is used."""
        self._forget()
        self._complete()

    def _complete(self) -> None:
        """While all facts are shown, check the text, unless that is done, and not only quickly."""
        found, quick = self._found, self._quick
        done = found is not None and found.done == 1 and not (quick and found.missing)
        running = self._job is not None and not quick
        if self.is_open and not self._busy and self._written.text and not (done or running):
            self._start(quick=False)

    def _forget(self) -> None:
        if self._job is not None:
            self._job.stop()
        self._job = self._found = None
        self._problem = ""
        self._redraw()

    def _start(self, quick: bool) -> None:
        self._forget()
        self._quick, self._job = quick, self._check(self._written, quick)
        if self._job is not None:
            self._follow(self._job)

    @work(exit_on_error=False)
    async def _follow(self, job: Job) -> None:
        async for events in job:
            if job is not self._job:
                return
            for event in events:
                if isinstance(event, TextChecked):
                    self._found = event
                elif isinstance(event, GenerationEnded) and event.reason == "failed":
                    self._problem = event.message
            self._redraw()
        if job is self._job:
            self._job = None

    def _redraw(self) -> None:
        found = self._found
        copied = None
        if self.is_open and found is not None and found.copied:
            copied = bytearray(len(self._written.text))
            for start, end in found.copied:
                copied[start:end] = b"\1" * (end - start)
        self.set_class(not self.is_open and bool(self._brief()), "-brief")
        self._output.set_copied(copied)
        self.refresh(layout=True)

    def _brief(self) -> str:
        return brief(self._found) if self._found is not None and self._found.done == 1 else ""

    def render(self) -> Text:
        if not self.is_open:
            key = f"  {shown_key(self.app, 'generate.facts', 'ctrl+f')} more"
            return Text(shortened(self._brief(), self.content_size.width - cell_len(key)) + key, no_wrap=True)
        return Text("\n".join(self._lines()))

    def _lines(self) -> list[str]:
        found, written = self._found, self._written
        if self._problem:
            return [self._problem]
        if found is None or found.done < 1:
            share = f" {found.done:.0%}" if found is not None else ""
            return ["The text is still being written…" if self._busy else f"Comparing with the training text…{share}"]
        return list(sentences(found, *written))
