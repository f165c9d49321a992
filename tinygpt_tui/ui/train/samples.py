"""What the model writes during training: the newest sample, and older ones by key."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from tinygpt_tui.runs.history import SampleText
from tinygpt_tui.words import loss_words


class TrainSamples(VerticalScroll):
    """Follows the newest sample unless an older one is chosen."""

    HELP = """## Samples

At every evaluation the model writes a text with the same random numbers, so that two samples differ only by what it
learned between them. [ and ] show the previous and the next sample; w requests one now.
"""

    def __init__(self) -> None:
        super().__init__(id="samples")
        self._samples: Sequence[SampleText] = ()
        self._place: int | None = None

    def compose(self) -> ComposeResult:
        yield Static("", markup=False)

    @property
    def place(self) -> int:
        """Which sample is shown, from 0; -1 if there is none."""
        newest = len(self._samples) - 1
        return newest if self._place is None else min(self._place, newest)

    @property
    def newest(self) -> bool:
        """Whether the newest sample is shown."""
        return self.place == len(self._samples) - 1

    def show_samples(self, samples: Sequence[SampleText]) -> None:
        """Show the newest of the samples, or the chosen one; the newest comes last."""
        same = len(samples) == len(self._samples) and samples[-1:] == self._samples[-1:]
        if not same or not samples:
            self._samples = list(samples)
            self._draw()

    def follow_newest(self) -> None:
        """Show the newest sample from now on."""
        self._place = None
        self._draw()

    def move(self, direction: int) -> None:
        """Show an older (-1) or newer (1) sample."""
        last = len(self._samples) - 1
        place = max(0, min(last, self.place + direction))
        self._place = None if place == last else place
        self._draw()

    def _draw(self) -> None:
        text = self.query_one(Static)
        if not self._samples:
            text.update("The first sample comes with the first evaluation.")
            self.border_title = "sample"
            return
        shown = self._samples[self.place]
        loss = f", validation {loss_words(shown.loss, shown.tokens)}" if shown.loss is not None else ""
        self.border_title = f"sample {self.place + 1} of {len(self._samples)}: step {shown.step:,}{loss}"
        text.update(shown.text)
        self.scroll_home(animate=False)
