"""For a room: a large curve, a few large numbers, one sentence, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Digits, Static

from tinygpt_tui.ui.shared.binding import bind

DRAWN_EVERY_S = 0.5


class ProjectorScreen(Screen[None]):
    """Shows what the screen below follows; a subclass gives the curve and says what is true now in `update_view`."""

    HELP = """## Projector

For a class: the curve, large numbers and one sentence. *loss* is the validation loss in nats; *as if among N* is the
perplexity: the model is as unsure as if it chose among N equally likely characters.

Ctrl+N changes between dark and light. Esc leaves.
"""
    DEFAULT_CSS = """
    ProjectorScreen {
        padding: 1 2;
        & > #projector-numbers { height: 5; }
        & > #projector-numbers > Vertical { width: 1fr; height: 5; }
        & Digits { width: auto; text-style: bold; color: $accent; }
        & .-label { height: 1; text-style: bold; }
        & > #projector-sentence { height: auto; max-height: 6; min-height: 1; margin: 1 0 0 0; text-style: bold; }
        & .train-chart--train, & .moment-chart--train { color: $primary; }
        & .train-chart--validation, & .moment-chart--validation { color: $warning; }
        & .train-chart--level, & .train-chart--ghost { color: $foreground; }
        & .moment-chart--cursor { color: $accent; }
    }
    """
    BINDINGS = [
        bind("P,escape", "leave", "Projector", "projector.leave", "Leave the projector mode"),
    ]

    def compose(self) -> ComposeResult:
        with Horizontal(id="projector-numbers"):
            for number in range(3):
                with Vertical():
                    yield Digits("", id=f"projector-{number}")
                    yield Static("", classes="-label", id=f"projector-label-{number}", markup=False)
        yield self.chart()
        yield Static("", id="projector-sentence", markup=False)

    def chart(self) -> Widget:
        raise NotImplementedError

    def update_view(self) -> None:
        """Show what is true now."""
        raise NotImplementedError

    def on_mount(self) -> None:
        self.set_interval(DRAWN_EVERY_S, self.update_view)
        self.update_view()

    def show_numbers(self, numbers: Mapping[str, str], sentence: str) -> None:
        """Show at most three numbers, each with its label, and the sentence."""
        for place, (label, number) in enumerate(numbers.items()):
            self.query_one(f"#projector-{place}", Digits).update(number)
            self.query_one(f"#projector-label-{place}", Static).update(label)
        self.query_one("#projector-sentence", Static).update(sentence)

    def action_leave(self) -> None:
        self.dismiss(None)


def numbers_of(step: int, loss: float | None) -> dict[str, str]:
    """Return the three numbers of a model after `step` steps; `loss` in nats, if it was measured."""
    among = "-" if loss is None else f"{math.exp(min(loss, 20.0)):.1f}"
    return {"step": f"{step:,}", "loss": "-" if loss is None else f"{loss:.2f}", "as if among N": among}
