"""The reliability strip: by ten bars, how sure a model says it is, and how often it is right."""

from __future__ import annotations

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.doctor.sureness import sureness_finding
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.words import shortened
from tinygpt_tui.workers.reliability import Measured, ReliabilityProcess

CELLS = 30  # of a bar
_SAID = "┃"  # where a bar would end if the model were as often right as it says


class ReliabilityStrip(VerticalScroll):
    """The ten bars."""

    HELP = """## How sure it is

The model predicted each token (character) of its validation text once. They are in ten rows by the probability of the
most likely token: up to 10 %, up to 20 %, and so on. The bar is how often that token came, the line in it how probable
the model said it was. Where the bar ends before the line, the model is too sure; where it
passes the line, it is not sure enough.

The *expected calibration error* is the mean distance between the two. `tinygpt-tui calibrate NAME` makes it small
by one factor for all logits, without training.
"""


class ReliabilityScreen(Dialog[None]):
    """Has the model measured, and shows the strip."""

    DEFAULT_CSS = """
    ReliabilityScreen {
        & > DialogBox { width: 76; }
        & ReliabilityStrip { height: auto; max-height: 100%; background: $surface; }
    }
    """

    def __init__(self, model: ModelCard) -> None:
        super().__init__(f"how sure is {shortened(model.name, 40)}?", "esc: back")
        self._model = model
        self._process: ReliabilityProcess | None = None

    def compose_body(self) -> ComposeResult:
        with ReliabilityStrip():
            yield Static("measuring …", id="reliability-strip", markup=False)
        yield Static("", id="reliability-note", classes="-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(ReliabilityStrip).focus()
        self._measure()

    def on_unmount(self) -> None:
        if self._process is not None:
            self._process.close()

    @work(thread=True, exit_on_error=False)
    def _measure(self) -> None:
        try:
            process = self._process = ReliabilityProcess(self._model.path)
        except OSError as error:
            self.app.call_from_thread(
                self._show_measured, Measured(done=1.0, problem=f"it could not be measured: {error}")
            )
            return
        for measured in process:
            if not self.is_attached:
                process.close()
                return
            self.app.call_from_thread(self._show_measured, measured)

    def _show_measured(self, measured: Measured) -> None:
        if not self.is_attached:
            return
        strip, note = self.query_one("#reliability-strip", Static), self.query_one("#reliability-note", Static)
        if measured.problem:
            strip.update("")
            note.update(f"{measured.problem}\n{measured.hint}".strip())
            note.add_class("-warning")
        elif not measured.tokens:
            strip.update(f"measuring … {measured.done:.0%}")
        else:
            strip.update(strip_of(measured))
            note.update(sentence_of(measured, self._model.name))


def strip_of(measured: Measured) -> Text:
    """Return the bars, a line each."""
    text = Text()
    text.append(f"how sure     said  right{'tokens':>{CELLS + 11}}", style="bold")
    for place, (count, sure, right) in enumerate(zip(measured.tokens, measured.sure, measured.right, strict=True)):
        text.append(f"\n{place * 10:>3}–{place * 10 + 10:<3} %  ")
        if sure is None or right is None:
            text.append(f"{'–':>4}   {'–':>4}  {'':{CELLS}}{count:>11,}", style="dim")
        else:
            text.append(f"{sure:>4.0%}   {right:>4.0%}  {bar_of(sure, right)}{count:>11,}")
    return text


def bar_of(said: float, right: float) -> str:
    """Return a bar of `CELLS` cells for how often it was right, with a line where it would end as the model says.

    >>> bar_of(0.5, 0.9).count("█"), bar_of(0.5, 0.9).index("┃"), len(bar_of(1.0, 0.1))
    (26, 15, 30)
    """
    cells = list("█" * round(right * CELLS) + " " * (CELLS - round(right * CELLS)))
    cells[min(CELLS - 1, round(said * CELLS))] = _SAID
    return "".join(cells)


def sentence_of(measured: Measured, name: str) -> str:
    """Say what the bars come to, and what to do about it."""
    finding = sureness_finding(name, measured.confidence, measured.accuracy)
    text = f"{name}: {finding.text}; expected calibration error {measured.error:.1%}"
    return f"{text}\n{finding.why}" if finding.why else text
