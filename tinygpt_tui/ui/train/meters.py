"""The numbers of a run: as a table if there is room, else in two lines."""

from __future__ import annotations

import math

from textual.content import Content
from textual.widgets import Static

from tinygpt_tui.events.training import RunStarted
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.words import duration, loss_words, steps_words, threads

NOTHING = "–"


class TrainMeters(Static, can_focus=True):
    """Shows a history's numbers as a table or as two lines."""

    DEFAULT_CSS = "TrainMeters { height: auto; }"
    HELP = """## Numbers

Losses are nats per character, and where tokens are longer also per token and in bits per character. *train loss* is
the end of the train curve, the mean of the newest steps (M on the chart); *validation loss* is measured on text that
the model is not trained on.
Of a text of pairs, questions with answers, the loss is that of the answers, and *right answers* are those without a
single wrong character.
Interim evaluations read a fixed sample of that text, to save time; a loss measured on it has a ≈ before it. The final
evaluation reads all of it. *time left* is estimated from the last steps, evaluations included. Pauses do not count as
*time spent*.
"""

    def show_numbers(self, history: RunHistory, smoothing: float, *, live: bool, table: bool) -> None:
        """Show the numbers as they are now; `smoothing` is that of the chart."""
        numbers = numbers_of(history, smoothing)
        if not live:
            numbers["time left"] = NOTHING
        self.update(_table(numbers) if table else _lines(numbers))


def numbers_of(history: RunHistory, smoothing: float) -> dict[str, str]:
    """Return the numbers by their names, in words; the train loss as a chart with this `smoothing` draws it."""
    step, evaluation, started, best = history.last_step, history.last_evaluation, history.started, history.best
    remaining, speed, train = history.remaining_s, history.tokens_per_s, history.train_loss(smoothing)
    return {
        "train loss": f"{train[0]:.4f} ({steps_words(train[1])})" if train else NOTHING,
        "validation loss": loss_words(evaluation.validation_loss, evaluation.tokens) if evaluation else NOTHING,
        **_per_token(history),
        **_right(history),
        **_read(history),
        "best": f"{loss_words(best[1], evaluation.best_tokens)} at step {best[0]:,}"
        if evaluation and best
        else NOTHING,
        "learning rate": f"{step.learning_rate:.3g}" if step else NOTHING,
        "gradient norm": f"{step.gradient_norm:.3g}" if step else NOTHING,
        "tokens/s": f"{speed:,.0f}" if speed else NOTHING,
        "time spent": duration(history.elapsed_s),
        "time left": f"about {duration(remaining)}" if remaining is not None else NOTHING,
        "parameters": f"{started.parameters:,}" if started else NOTHING,
        "device": _device(started) if started else NOTHING,
    }


def _per_token(history: RunHistory) -> dict[str, str]:
    """Return the newest loss in other units where tokens are longer than characters."""
    evaluation, characters = history.last_evaluation, history.characters_per_token
    if evaluation is None or characters == 1.0:
        return {}
    loss = evaluation.validation_loss
    return {"nats a token": f"{loss * characters:.4f}", "bits a character": f"{loss / math.log(2):.4f}"}


def _right(history: RunHistory) -> dict[str, str]:
    """Return how many answers are right, where the text is of pairs."""
    evaluation = history.last_evaluation
    return {} if evaluation is None or evaluation.right is None else {"right answers": f"{evaluation.right:.1%}"}


def _read(history: RunHistory) -> dict[str, str]:
    """Return how much of the validation text the newest loss was measured on, if not on all of it."""
    evaluation, started = history.last_evaluation, history.started
    if evaluation is None or started is None or not evaluation.tokens:
        return {}
    return {"on tokens": f"{evaluation.tokens:,} of {started.validation_tokens:,}"}


def _device(started: RunStarted) -> str:
    return f"cpu, {threads(started.threads)}" if started.device == "cpu" else started.device


def _table(numbers: dict[str, str]) -> Content:
    """One number a line, with a gap after the losses and after the speeds."""
    lines = []
    for name, value in numbers.items():
        if name in ("learning rate", "time spent", "parameters"):
            lines.append(Content(""))
        lines.append(Content.from_markup("[$foreground-muted]$name[/] $value", name=f"{name:<16}", value=value))
    return Content("\n").join(lines)


def _lines(numbers: dict[str, str]) -> Content:
    """The most wanted numbers in two lines."""
    rows = (("train loss", "best"), ("validation loss", "tokens/s", "time left"))
    widths = (35, 17, 0)
    lines = []
    for row in rows:
        cells = []
        for name, width in zip(row, widths, strict=False):
            value = numbers[name]
            room = " " * max(1, width - len(name) - len(value) - 1)
            cells.append(
                Content.from_markup("[$foreground-muted]$name[/] $value$room", name=name, value=value, room=room)
            )
        lines.append(Content("").join(cells))
    return Content("\n").join(lines)
