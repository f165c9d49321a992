"""A run in a plain terminal: a live chart where stdout and stderr are one, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from tinygpt_tui.charts import LossChart
from tinygpt_tui.cli.output import say, write
from tinygpt_tui.doctor.examination import Examination, kept_of
from tinygpt_tui.doctor.rounds import remedy_in_words, verdict_words
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.events.training import (
    Evaluation,
    Finding,
    Note,
    Paused,
    Resumed,
    RunStarted,
    TrainingEvent,
)
from tinygpt_tui.platforms import own_command
from tinygpt_tui.runs.aspects import Comparison, chart_of
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.words import duration, printable, threads
from tinygpt_tui.workers.examiner import is_here, start_examiner

DRAWINGS_PER_S = 4
EXAMINED_LOOK_S = 1.0
SMOOTHING = 0.9
NEWEST_LINES = 8  # above a chart: a past run is read at once, with all it has said


Batches = Iterator[Sequence[TrainingEvent]]


def show(batches: Batches, run: RunFolder, *, footer: str) -> int:
    """Show the events of a run as they come, to their end; return the exit code. `footer` is for a live chart."""
    console = Console(stderr=True)
    seen = Seen(run)
    if console.is_terminal and sys.stdout.isatty():
        _live(batches, seen, console, footer)  # returns early where the terminal is closed
    _plain(batches, seen)
    return tell_end(seen.history, run)


def tell_end(history: RunHistory, run: RunFolder) -> int:
    """Say how a run ended; return the exit code."""
    ended, name = history.ended, run.model.name
    if ended is None:
        say(f"the trainer of {name} was killed or crashed after step {history.step}")
        say(f"  `{own_command('resume', name)}` continues from the last saved state")
        return int(ExitCode.RUN)
    if ended.reason == "failed":
        say(f"tinygpt-tui: {ended.message}")
        if ended.hint:
            say(f"  {ended.hint}")
        return int(ExitCode.RUN)
    loss = f"{ended.best_loss:.4f}" if ended.best_loss is not None else "not measured"
    read = f" on {history.read_words(ended.best_tokens)}" if ended.best_tokens else ""
    say(f"{ended.reason} at step {ended.step}; best validation loss {loss}{read} at step {ended.best_step} is kept")
    say(f"talk to it: {own_command('generate', name)}")
    return int(ExitCode.OK)


class Seen:
    """A run as far as its events are known, and what another process has measured of its text."""

    def __init__(self, run: RunFolder) -> None:
        self._run, self._settings = run, run.read_settings()
        self.history = RunHistory(self._settings.training.steps, self._settings.training.evaluate_every)
        self._examination: Examination | None = None
        self._looked_at = -float("inf")

    def add(self, events: Sequence[TrainingEvent]) -> None:
        """Add events; with the first of a run its text is measured by another process, where it is here."""
        self.history.add(events)
        if any(isinstance(event, RunStarted) for event in events):
            self._settings = self._run.read_settings()  # the trainer has filled in the size of the vocabulary
            self._examination = kept_of(self._run, self._settings)
            if self._examination is None and is_here(self._settings.corpus):
                start_examiner(self._run)

    @property
    def examination(self) -> Examination | None:
        """The yardsticks of the text, once they are there."""
        now = time.monotonic()
        if self._examination is None and self.history.started and now - self._looked_at > EXAMINED_LOOK_S:
            self._looked_at = now
            self._examination = kept_of(self._run, self._settings)
        return self._examination

    @property
    def verdict(self) -> str:
        """Where the run stands, as a sentence; empty where there is nothing to say."""
        return verdict_words(self.history, self.examination, self._settings.corpus.entropy)

    def chart(self, width: int, height: int) -> LossChart:
        """The chart of the losses, as the app and the exported picture show it."""
        floors = self.examination.floors if self.examination else []
        beside = Comparison(floors, self._settings.corpus.entropy, self._settings.training.architecture.vocab_size)
        chart = chart_of(self.history, beside, width=width)
        return replace(chart, title=printable(self._settings.name, lines=False), smoothing=SMOOTHING, height=height)


def _live(batches: Batches, seen: Seen, console: Console, footer: str) -> None:
    """Draw a live chart until the batches end or the terminal is closed."""
    drawn_at = -float("inf")
    with Live(console=console, auto_refresh=False, transient=False) as live:
        for events in batches:
            seen.add(events)
            for event in events[-NEWEST_LINES:]:
                if line := _line(event):
                    live.console.print(printable(line), markup=False)
            # A drawing costs milliseconds and a step may too: the loop must never wait for the screen.
            if time.monotonic() - drawn_at > 1 / DRAWINGS_PER_S or seen.history.ended:
                live.update(_picture(seen, console, footer), refresh=True)
                drawn_at = time.monotonic()
            if not console.is_terminal:
                live.update(Text(""))  # it draws once more where it ends
                return


def _picture(seen: Seen, console: Console, footer: str) -> RenderableType:
    history = seen.history
    height = max(8, min(24, console.height - 7))
    sample = printable(history.samples[-1].text).replace("\n", " ⏎ ") if history.samples else ""
    return Group(
        seen.chart(console.width, height),
        Text(seen.verdict, style="bold", no_wrap=True, overflow="ellipsis"),
        Text(numbers(history), no_wrap=True, overflow="ellipsis"),
        Text(sample, style="dim", no_wrap=True, overflow="ellipsis"),
        *([] if history.ended else [Text(footer, style="italic")]),
    )


def numbers(history: RunHistory) -> str:
    """Return where a run stands in one line."""
    step, best, evaluation = history.last_step, history.best, history.last_evaluation
    parts = [f"step {history.step}/{history.steps}"]
    if step:
        parts.append(f"train {evaluation.train_loss if evaluation else step.loss:.3f}")
    if evaluation and best:
        read = f" on {evaluation.tokens:,} tokens" if evaluation.tokens else ""
        parts += [f"val {evaluation.validation_loss:.4f}{read}", f"best {best[1]:.4f} at {best[0]}"]
    if step:
        parts += [f"rate {step.learning_rate:.2g}", f"{step.tokens_per_s:,.0f} tokens/s"]
        parts.append(f"{duration(history.elapsed_s)} gone")
    if history.progress_words:
        parts.append(history.progress_words)
    elif history.remaining_s is not None:
        parts.append(f"{duration(history.remaining_s)} left")
    return "  ".join(parts)


def _plain(batches: Batches, seen: Seen) -> None:
    """Print a line for each evaluation, and what there is to say besides."""
    said = ""
    for events in batches:
        for event in events:
            seen.add([event])
            if line := _line(event, starting=True):
                say(line)
            elif isinstance(event, Evaluation):
                write(numbers(seen.history) + "\n")
                if seen.verdict not in ("", said):
                    said = seen.verdict
                    say(said)


def _line(event: TrainingEvent, starting: bool = False) -> str:
    """What there is to say of an event in words; empty for most."""
    match event:
        case RunStarted() if starting:
            return (
                f"{event.parameters:,} parameters, {event.train_tokens:,} tokens to learn from, "
                f"{event.validation_tokens:,} to be judged by; {event.device}, {threads(event.threads)}"
            )
        case Note():
            return event.text
        case Finding() if event.level != "fine":
            helps = f"; what helps: {remedy_in_words(event)}" if event.remedy else ""
            return f"doctor: {event.text}{helps}"
        case Paused():
            return f"paused at step {event.step}" + (f": {event.reason}" if event.reason else "")
        case Resumed():
            return "going on"
        case _:
            return ""
