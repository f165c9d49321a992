"""Show a run: a live chart where stdout and stderr can be drawn on, else plain lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from tinygpt_tui.charts.chart import LossChart
from tinygpt_tui.cli.output import can_draw, is_plain, notify, write
from tinygpt_tui.doctor.examination import Examination, examination_of
from tinygpt_tui.doctor.rounds import remedy_in_words, verdict_words
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.events.training import (
    Evaluation,
    Finding,
    Note,
    Paused,
    Resumed,
    RunEnded,
    RunStarted,
    TrainingEvent,
)
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.aspects import Comparison, chart_of
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.texts import is_here
from tinygpt_tui.words import duration, printable, right_words, steps_words, threads
from tinygpt_tui.workers.examiner import start_examiner

DRAWINGS_PER_S = 4
EXAMINED_POLL_S = 1.0
SMOOTHING = 0.9
NEWEST_LINES = 8  # above a chart; the events of a past run all come at once


Batches = Iterator[Sequence[TrainingEvent]]


def show_run(batches: Batches, run: RunFolder, *, footer: str) -> int:
    """Show the events of a run until it ends; return the exit code. `footer` says what Ctrl-C does to a live run."""
    view = RunView(run)
    if can_draw(sys.stdout, sys.stderr):
        _live(batches, view, Console(stderr=True), footer)  # returns early if the terminal is closed
    elif footer and sys.stderr.isatty():
        notify(footer)
    _plain(batches, view)
    return report_end(view.history, run)


def report_end(history: RunHistory, run: RunFolder) -> int:
    """Print how a run ended; return the exit code."""
    ended, name = history.ended, run.model.name
    if ended is None:
        notify(f"the trainer of {name} was killed or crashed after step {history.step}")
        notify(f"  `{own_command('resume', name)}` continues from the last saved state")
        return int(ExitCode.RUN)
    if ended.reason == "failed":
        notify(f"tinygpt-tui: {ended.message}")
        if ended.hint:
            notify(f"  {ended.hint}")
        return int(ExitCode.RUN)
    if ended.best_loss is None:
        notify(early_end_words(ended, name))
        return int(ExitCode.OK)
    loss = f"loss {history.loss_words(ended.best_loss)}"
    read = f" on {history.read_words(ended.best_tokens)}" if ended.best_tokens else ""
    notify(f"{ended.reason} at step {ended.step}; saved the weights of step {ended.best_step}, validation {loss}{read}")
    if words := history.calibration_words:
        notify(f"calibrated: {words}")
    if words := history.old_text_words:
        notify(f"before and after: {words}")
    notify(f"to write with it: {own_command('generate', name)}")
    return int(ExitCode.OK)


def early_end_words(ended: RunEnded, name: str) -> str:
    """Return how the run `name` ended that measured nothing, and what starts it again."""
    return f"{ended.message or ended.reason}; to start it again: {own_command('resume', name)}"


class RunView:
    """The events of a run so far, and what another process has measured on its text."""

    def __init__(self, run: RunFolder) -> None:
        self._run, self._settings = run, run.read_settings()
        self.history = RunHistory(self._settings.training.steps, self._settings.training.evaluate_every)
        self._examination: Examination | None = None
        self._checked_at = -float("inf")

    def add(self, events: Sequence[TrainingEvent]) -> None:
        """Add events; at the start of a run another process measures its text, if that is on this machine."""
        self.history.add(events)
        if any(isinstance(event, RunStarted) for event in events):
            self._settings = self._run.read_settings()  # the trainer has filled in the size of the vocabulary
            self._examination = examination_of(self._run, self._settings)
            if self._examination is None and is_here(self._settings.corpus):
                start_examiner(self._run)

    @property
    def examination(self) -> Examination | None:
        """The baselines of the text; None until they are measured."""
        now = time.monotonic()
        if self._examination is None and self.history.started and now - self._checked_at > EXAMINED_POLL_S:
            self._checked_at = now
            self._examination = examination_of(self._run, self._settings)
        return self._examination

    @property
    def verdict(self) -> str:
        """The state of the run as a sentence; may be empty."""
        return verdict_words(self.history, self.examination, self._settings.corpus.entropy)

    def chart(self, width: int, height: int) -> LossChart:
        """Return the chart of the losses, as the app and the exported picture show it."""
        floors = self.examination.floors if self.examination else []
        beside = Comparison(floors, self._settings.corpus.entropy, self._settings.training.architecture.vocab_size)
        chart = chart_of(self.history, beside, width=width)
        return replace(chart, title=printable(self._settings.name, lines=False), smoothing=SMOOTHING, height=height)


def _live(batches: Batches, view: RunView, console: Console, footer: str) -> None:
    """Draw a live chart until the batches end or the terminal is closed."""
    drawn_at = -float("inf")
    with Live(console=console, auto_refresh=False, transient=False) as live:
        for events in batches:
            view.add(events)
            for event in events[-NEWEST_LINES:]:
                if line := _line(event):
                    live.console.print(printable(line), markup=False)
            # A step may be as short as drawing a chart: do not draw for each.
            if time.monotonic() - drawn_at > 1 / DRAWINGS_PER_S or view.history.ended:
                live.update(_picture(view, console, footer), refresh=True)
                drawn_at = time.monotonic()
            if not console.is_terminal:
                live.update(Text(""))  # Live draws a last time at its end
                return


def _picture(view: RunView, console: Console, footer: str) -> RenderableType:
    history = view.history
    height = max(8, min(24, console.height - 7))
    sample = printable(history.samples[-1].text).replace("\n", " ⏎ ") if history.samples else ""
    return Group(
        view.chart(console.width, height),
        Text(view.verdict, style="bold", no_wrap=True, overflow="ellipsis"),
        Text("  ".join(numbers(history)), no_wrap=True, overflow="ellipsis"),
        Text(sample, style="dim", no_wrap=True, overflow="ellipsis"),
        *([] if history.ended or not footer else [Text(footer, style="italic")]),
    )


def numbers(history: RunHistory) -> list[str]:
    """Return the state of a run in numbers, each with a word."""
    step, best, evaluation = history.last_step, history.best, history.last_evaluation
    parts = [f"step {history.step}/{history.steps}"]
    if train := history.train_loss(SMOOTHING):
        parts.append(f"train {train[0]:.4f} ({steps_words(train[1])})")
    if evaluation and best:
        read = f" on {evaluation.tokens:,} tokens" if evaluation.tokens else ""
        parts += [
            f"validation {history.loss_words(evaluation.validation_loss)}{read}",
            f"best {best[1]:.4f} at {best[0]}",
        ]
        if evaluation.right is not None:
            parts.append(right_words(evaluation.right))
    if step:
        parts += [f"rate {step.learning_rate:.2g}", f"{step.tokens_per_s:,.0f} tokens/s"]
        parts.append(f"{duration(history.elapsed_s)} gone")
    if history.progress_words:
        parts.append(history.progress_words)
    elif history.remaining_s is not None:
        parts.append(f"{duration(history.remaining_s)} left")
    return parts


def _plain(batches: Batches, view: RunView) -> None:
    """Print a line for each evaluation and each message."""
    said = ""
    for events in batches:
        for event in events:
            view.add([event])
            if line := _line(event, starting=True):
                notify(line)
            elif isinstance(event, Evaluation):
                write(("\n" if is_plain() else "  ").join(numbers(view.history)) + "\n")
                if view.verdict not in ("", said):
                    said = view.verdict
                    notify(said)


def _line(event: TrainingEvent, starting: bool = False) -> str:
    """Return an event as a message; empty for most."""
    match event:
        case RunStarted() if starting:
            return (
                f"{event.parameters:,} parameters, {event.train_tokens:,} training tokens, "
                f"{event.validation_tokens:,} validation tokens; {event.device}, {threads(event.threads)}"
            )
        case Note():
            return event.text
        case Finding() if event.level != "fine":
            helps = f"; try: {remedy_in_words(event)}" if event.remedy else ""
            return f"doctor: {event.text}{helps}"
        case Paused():
            return f"paused at step {event.step}" + (f": {event.reason}" if event.reason else "")
        case Resumed():
            return "resumed"
        case _:
            return ""
