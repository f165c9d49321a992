"""Where the parameters of the net in the form would be, part by part, and what the training would cost."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from tinygpt_tui.settings.counting import parameter_budget
from tinygpt_tui.ui.training_draft import CorpusFacts, Draft
from tinygpt_tui.words import bar, ratio

BAR_CELLS = 10
NOTHING = "–"


class TrainBudget(Static):
    """A small table with bars, for screens that have the room; `summary` says the same in one line."""

    DEFAULT_CSS = "TrainBudget { height: auto; padding: 0 1; }"

    def show(self, draft: Draft, facts: CorpusFacts | None) -> None:
        """Show the budget of `draft`, on the text of `facts`."""
        if draft.architecture is None:
            self.update(f"{NOTHING:>12}  parameters")
            return
        budget = parameter_budget(draft.architecture)
        total = sum(budget.values())
        lines = [f"[b]{total:>12,}[/]  parameters", ""]
        for part, count in budget.items():
            if count:
                lines.append(f"{count:>12,}  {part:<18} [$primary]{bar(count / total, BAR_CELLS)}[/]")
        lines += ["", *(f"[$foreground-muted]{line}[/]" for line in _costs(draft, facts))]
        self.update(Content.from_markup("\n".join(lines)))


def summary(draft: Draft, facts: CorpusFacts | None) -> str:
    """The parameters, and what the text means for them, in a line."""
    if draft.parameters is None:
        return "parameters: –"
    parts = [f"{draft.parameters:,} parameters"]
    if facts and draft.settings:
        parts += [f"{ratio(_epochs(draft, facts))} epochs", f"{_per_parameter(draft, facts)} chars/parameter"]
    return " · ".join(parts)


def _costs(draft: Draft, facts: CorpusFacts | None) -> list[str]:
    settings = draft.settings
    if settings is None or facts is None:
        return []
    tokens = settings.batch_size * settings.architecture.training_length
    return [
        f"{tokens:>12,}  characters a step",
        f"{tokens * settings.steps:>12,}  characters in all",
        f"{ratio(_epochs(draft, facts)):>12}  epochs (rounds through the text)",
        f"{_per_parameter(draft, facts):>12}  characters of text per parameter",
        f"{facts.uniform_loss:>12.3f}  loss of pure guessing (ln {facts.vocab_size})",
    ]


def _train_tokens(draft: Draft, facts: CorpusFacts) -> int:
    assert draft.settings is not None
    return max(1, int(facts.reference.characters * (1 - draft.settings.validation_share)))


def _epochs(draft: Draft, facts: CorpusFacts) -> float:
    settings = draft.settings
    assert settings is not None
    return settings.steps * settings.batch_size * settings.architecture.training_length / _train_tokens(draft, facts)


def _per_parameter(draft: Draft, facts: CorpusFacts) -> str:
    return ratio(_train_tokens(draft, facts) / max(1, draft.parameters or 1))
