"""The parameters of the model in the form, part by part, what its training would take, and warnings."""

from __future__ import annotations

import math

from textual.content import Content
from textual.widgets import Static

from tinygpt_tui.exports.forms import destinations
from tinygpt_tui.planning.estimate import units
from tinygpt_tui.planning.machine import Machine
from tinygpt_tui.runs.text_facts import CorpusFacts
from tinygpt_tui.ui.train.draft import Draft
from tinygpt_tui.words import bar, duration, ratio, size

BAR_CELLS = 10
NOTHING = "–"


class TrainBudget(Static):
    """A small table with bars, for wide screens; `summary` is the same in one line."""

    DEFAULT_CSS = "TrainBudget { height: auto; padding: 0 1; }"

    def show_draft(self, draft: Draft, facts: CorpusFacts | None, machine: Machine) -> None:
        """Show the budget of `draft`, on the text of `facts`."""
        if draft.architecture is None:
            self.update(f"{NOTHING:>12}  parameters")
            return
        budget = draft.architecture.parameter_budget()
        total = sum(budget.values())
        lines = [f"[b]{total:>12,}[/]  parameters", ""]
        for part, count in budget.items():
            if count:
                lines.append(f"{count:>12,}  {part:<18} [$primary]{bar(count / total, BAR_CELLS)}[/]")
        lines += ["", *(f"[$foreground-muted]{line}[/]" for line in _costs(draft, facts, machine))]
        lines += ["", f"[$foreground-muted]export: {destinations(draft.architecture)}[/]"]
        content = Content.from_markup("\n".join(lines))
        for warning in draft.warnings(facts, machine):
            content += Content("\n\n") + Content(f"! {warning}")
        self.update(content)


def summary(draft: Draft, facts: CorpusFacts | None, machine: Machine) -> str:
    """Return the parameters, and what the training would take, in a line."""
    if draft.parameters is None:
        return "parameters: –"
    parts = [f"{draft.parameters:,} parameters"]
    expected = draft.expected(facts, machine)
    if expected and draft.settings:
        about = "" if draft.settings.minutes else "about "
        parts += [f"{about}{duration(expected.seconds)}", size(expected.memory), f"{ratio(expected.epochs)} epochs"]
    return " · ".join(parts)


def _costs(draft: Draft, facts: CorpusFacts | None, machine: Machine) -> list[str]:
    settings, found = draft.settings, draft.expected(facts, machine)
    if settings is None or facts is None or found is None:
        return []
    vocabulary = settings.architecture.vocab_size
    how = "by the clock" if settings.minutes else "as measured here" if machine.measured else "a rough guess"
    return [
        f"{duration(found.seconds):>12}  of time, {how}",
        f"{size(found.memory):>12}  of memory, plus PyTorch",
        f"{found.steps:>12,}  steps of {found.tokens_per_step:,} {units(settings)}",
        f"{ratio(found.epochs):>12}  epochs (passes over the text)",
        f"{ratio(found.tokens_per_parameter):>12}  {units(settings)} of text per parameter",
        f"{math.log(vocabulary):>12.3f}  loss of pure guessing (ln {vocabulary})",
    ]
