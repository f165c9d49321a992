"""A training in a plain terminal: a live chart where stderr is one, plain lines where it is not."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from tinygpt_tui.charts import BLUE, ORANGE, Level, LossChart, Series
from tinygpt_tui.cli.output import say
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.events.training import (
    Evaluation,
    Note,
    Paused,
    Resumed,
    RunEnded,
    RunStarted,
    TrainingEvent,
)
from tinygpt_tui.runs.folder import RunSettings
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.words import duration, threads

DRAWINGS_PER_S = 4
SMOOTHING = 0.9


def show(events: Iterator[TrainingEvent], settings: RunSettings) -> int:
    """Pull `events` to their end and show them; return the exit code."""
    console = Console(stderr=True)
    ended = _live(events, settings, console) if console.is_terminal else _plain(events)
    if ended is None:
        return int(ExitCode.RUN)
    if ended.reason == "failed":
        say(f"tinygpt-tui: {ended.message}")
        if ended.hint:
            say(f"  {ended.hint}")
        return int(ExitCode.RUN)
    loss = f"{ended.best_loss:.4f}" if ended.best_loss is not None else "not measured"
    say(f"{ended.reason} at step {ended.step}; best validation loss {loss} at step {ended.best_step} is kept")
    say(f"talk to it: tinygpt-tui generate {settings.name}")
    return int(ExitCode.OK)


def chart_of(history: RunHistory, settings: RunSettings, height: int | None = None) -> LossChart:
    """Return the chart of a run's losses, as the terminal, the app and the exported picture show it."""
    entropy = settings.corpus.entropy
    return LossChart(
        series=(
            Series("train", *history.losses, style=BLUE),
            Series("validation", *history.validation_losses, style=ORANGE, kind="points"),
        ),
        levels=() if entropy is None else (Level("entropy of the grammar", entropy),),
        best=history.best,
        title=settings.name,
        smoothing=SMOOTHING,
        height=height,
    )


def _live(events: Iterator[TrainingEvent], settings: RunSettings, console: Console) -> RunEnded | None:
    history = RunHistory()
    drawn_at = -float("inf")
    with Live(console=console, auto_refresh=False, transient=False) as live:
        for event in events:
            history.add([event])
            if isinstance(event, Note | Paused | Resumed):
                live.console.print(_line(event))
            # A drawing costs milliseconds and a step may too: the loop must never wait for the screen.
            if time.monotonic() - drawn_at > 1 / DRAWINGS_PER_S or isinstance(event, RunEnded):
                live.update(_picture(history, settings, console), refresh=True)
                drawn_at = time.monotonic()
    return history.ended


def _picture(history: RunHistory, settings: RunSettings, console: Console) -> RenderableType:
    height = max(8, min(24, console.height - 6))
    sample = history.samples[-1].text.replace("\n", " ⏎ ") if history.samples else ""
    return Group(
        chart_of(history, settings, height),
        Text(numbers(history), no_wrap=True, overflow="ellipsis"),
        Text(sample, style="dim", no_wrap=True, overflow="ellipsis"),
        Text("Ctrl-C stops and keeps the best weights", style="italic"),
    )


def numbers(history: RunHistory) -> str:
    """Return where a run stands in one line."""
    step, best, evaluation = history.last_step, history.best, history.last_evaluation
    parts = [f"step {history.step}/{history.steps}"]
    if step:
        parts.append(f"train {evaluation.train_loss if evaluation else step.loss:.3f}")
    if evaluation and best:
        parts += [f"val {evaluation.validation_loss:.4f}", f"best {best[1]:.4f} at {best[0]}"]
    if step:
        parts += [f"rate {step.learning_rate:.2g}", f"{step.tokens_per_s:,.0f} tokens/s"]
        parts.append(f"{duration(history.elapsed_s)} gone")
    if history.remaining_s is not None:
        parts.append(f"{duration(history.remaining_s)} left")
    return "  ".join(parts)


def _plain(events: Iterator[TrainingEvent]) -> RunEnded | None:
    history = RunHistory()
    for event in events:
        history.add([event])
        if isinstance(event, RunStarted | Note | Paused | Resumed):
            say(_line(event))
        elif isinstance(event, Evaluation):
            print(numbers(history), file=sys.stdout, flush=True)
    return history.ended


def _line(event: TrainingEvent) -> str:
    match event:
        case RunStarted():
            return (
                f"{event.parameters:,} parameters, {event.train_tokens:,} tokens to learn from, "
                f"{event.validation_tokens:,} to be judged by; {event.device}, {threads(event.threads)}"
            )
        case Note():
            return event.text
        case Paused():
            return f"paused at step {event.step}" + (f": {event.reason}" if event.reason else "")
        case _:
            return "going on"
