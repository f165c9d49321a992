"""The line under a race: its pace while it is written, then how often each is right, and how surprised by all texts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual import work
from textual.widgets import Static
from textual.worker import Worker

from tinygpt_tui.ui.race.judging import judge, right_answers, sentence
from tinygpt_tui.ui.shared.failed import pass_to_screen

if TYPE_CHECKING:
    from tinygpt_tui.ui.race.lanes import Race
    from tinygpt_tui.workers.client import Engine

READING = "each model reads all texts…"
KEYS = " · alt+↑ faster · alt+↓ slower"


class JudgementLine(Static):
    """Hidden until there is something to say."""

    DEFAULT_CSS = "JudgementLine { display: none; height: auto; max-height: 2; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__("", id="race-judgement", markup=False)
        self._words = ""
        self._judging: Worker[None] | None = None

    def show_pace(self, dial: str) -> None:
        if self._judging is not None:
            self._judging.cancel()
        self._show_words(f"{dial}{KEYS}")

    def judge(self, engine: Engine, race: Race) -> None:
        self._show_words(READING)
        self._judging = self._judge(engine, race)

    @work(exclusive=True, exit_on_error=False)
    async def _judge(self, engine: Engine, race: Race) -> None:
        right = await asyncio.to_thread(right_answers, race.lanes)
        self._show_words(f"{right}\n{READING}".strip())
        self._show_words(f"{right}\n{sentence(await judge(engine, race.prompt or '', race.lanes))}".strip())

    on_worker_state_changed = pass_to_screen

    def _show_words(self, words: str) -> None:
        if words != self._words:  # drawing is too slow for every batch
            self._words = words
            self.update(words)
            self.display = bool(words)
