"""The selected run's curve and its newest sample, below the table on large terminals."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from tinygpt_tui.runs.aspects import Comparison
from tinygpt_tui.runs.facts import RunFacts, settings_of
from tinygpt_tui.runs.folder import RunFolder, RunSettings
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.ui.shared.failed import pass_to_screen
from tinygpt_tui.ui.shared.loss_chart import TrainChart

PAUSE_S = 0.15  # after which the run under a moving cursor is read
UPDATES = 50  # of a live run


class PreviewChart(TrainChart, can_focus=False):
    """A chart without keys."""


class RunPreview(Horizontal):
    """Reads a run's journal in a thread when the run, or what it has reached, changes."""

    DEFAULT_CSS = """
    RunPreview {
        height: 16;
        & > PreviewChart { width: 1fr; padding: 0 1; }
        & > VerticalScroll { width: 44; padding: 0 1; scrollbar-size-vertical: 1; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._version: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield PreviewChart(RunHistory())
        with VerticalScroll(can_focus=False):
            yield Static("", markup=False)

    def show_run(self, facts: RunFacts | None) -> None:
        """Show a run; None shows nothing."""
        version = _version(facts)
        if not self.display or version == self._version:
            return
        self._version = version
        if facts is None:
            self._show_history(RunHistory(), None)
        else:
            self._read(facts)

    @work(exclusive=True, group="preview", exit_on_error=False)
    async def _read(self, facts: RunFacts) -> None:
        await asyncio.sleep(PAUSE_S)
        history, settings = await asyncio.to_thread(_read_run, facts)
        if _version(facts) == self._version and self.is_attached:
            self._show_history(history, settings)

    def _show_history(self, history: RunHistory, settings: RunSettings | None) -> None:
        beside = Comparison()
        if settings is not None:
            beside = Comparison(entropy=settings.corpus.entropy, vocab_size=settings.training.architecture.vocab_size)
        self.query_one(PreviewChart).show_run(history, beside, "no steps yet")
        sample = history.samples[-1] if history.samples else None
        box = self.query_one(VerticalScroll)
        box.border_title = f"sample at step {sample.step:,}" if sample else "sample"
        self.query_one(Static).update(sample.text if sample else "No sample yet.")
        box.scroll_home(animate=False)

    on_worker_state_changed = pass_to_screen


def _version(facts: RunFacts | None) -> tuple[object, ...]:
    """Return what differs when the run should be read again; a long journal takes a while."""
    if facts is None:
        return ()
    card = facts.card
    return card.path, card.state, card.step * UPDATES // max(1, card.steps)


def _read_run(facts: RunFacts) -> tuple[RunHistory, RunSettings | None]:
    settings = settings_of(facts.card)
    history = RunHistory(settings.training.steps, settings.training.evaluate_every) if settings else RunHistory()
    history.add(read_journal(RunFolder(Path(facts.card.path)).events))
    return history, settings
