"""What the engine is asked about the text that is shown: the model in use and its settings, added to a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygpt_tui.events.requests import Attribute, CheckText, Explain
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.generate.facts import Written
from tinygpt_tui.ui.generate.model_chooser import ModelInUse
from tinygpt_tui.ui.generate.why_line import WhyQuestion
from tinygpt_tui.ui.shared.surprise_index import Question

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Engine, Job


class Questions:
    """Starts the jobs; None without a model that can answer."""

    def __init__(self, engine: Engine) -> None:
        self.model: ModelInUse | None = None
        self.sampling = SamplingSettings()
        self._engine = engine

    def explain(self, question: Question, text: str) -> Job | None:
        """Ask for the probabilities of some characters of the text."""
        if (path := self._path) is None:
            return None
        start, end = question.start, question.end
        return self._engine.start(Explain(path, text, start, end, self.sampling, untrained=self._untrained))

    def attribute(self, question: WhyQuestion) -> Job | None:
        """Ask what made a character likely."""
        if (path := self._path) is None:
            return None
        text, offset = question
        return self._engine.start(Attribute(path, text, offset, self.sampling, self._untrained))

    def check(self, written: Written, quick: bool) -> Job | None:
        """Ask for what can be said of a text; `quick`: without what takes long."""
        path = self._path
        return None if path is None else self._engine.start(CheckText(path, written.text, written.start, quick))

    @property
    def _path(self) -> str | None:
        return None if self.model is None or self.model.card.problem else self.model.card.path

    @property
    def _untrained(self) -> bool:
        return self.model is not None and self.model.untrained
