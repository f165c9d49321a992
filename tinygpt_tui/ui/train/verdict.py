"""The sentence under the chart: how good the loss is, in plain words."""

from __future__ import annotations

from textual.widgets import Static

from tinygpt_tui.doctor.verdict import Verdict

SIGNS = {"none": "▸", "good": "✓", "bad": "!"}


class TrainVerdict(Static):
    """One line, or two if the sentence is long; it says in words what its colour says."""

    DEFAULT_CSS = "TrainVerdict { height: auto; min-height: 1; max-height: 2; }"

    def __init__(self) -> None:
        super().__init__("", id="verdict", markup=False)

    def show_verdict(self, verdict: Verdict) -> None:
        """Show the verdict; an empty one leaves the line empty."""
        self.set_class(verdict.mood == "bad", "-bad")
        self.set_class(verdict.mood == "good", "-good")
        text = verdict.text[:1].upper() + verdict.text[1:]
        self.update(f"{SIGNS[verdict.mood]} {text}." if text else "")
