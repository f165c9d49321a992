"""A JoiningEngine over any engine: each text has one of its own, and they are asked in turn, a token each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import UsageError
from tinygpt_tui.generation.base import Engine
from tinygpt_tui.settings.windows import Policy


class OneByOneEngine:
    """As fair as one pass for all, and no faster than one text after another."""

    def __init__(self, new_engine: Callable[[], Engine], texts: int) -> None:
        """At most `texts` texts. Raises what `new_engine` raises."""
        self._new_engine, self._room = new_engine, texts
        self._window = new_engine().window
        self._engines: list[Engine] = []

    @property
    def window(self) -> Policy:
        """See BatchEngine."""
        return self._window

    @property
    def contexts_used(self) -> list[int]:
        """See BatchEngine."""
        return [engine.context_used for engine in self._engines]

    def prefill(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """See BatchEngine."""
        self._engines = []
        return self.join(texts)

    def join(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """See JoiningEngine. Raises UsageError where there is no room for so many."""
        room = self._room - len(self._engines)
        if len(texts) > room:
            raise UsageError(f"{len(texts)} more texts: this engine has room for {room}")
        engines = [self._new_engine() for _ in texts]
        logits = np.stack([engine.prefill(ids) for engine, ids in zip(engines, texts, strict=True)])
        self._engines += engines
        return logits

    def step(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """See BatchEngine."""
        return np.stack([engine.step(id) for engine, id in zip(self._engines, ids, strict=True)])

    def keep(self, rows: Sequence[int]) -> None:
        """See BatchEngine."""
        self._engines = [self._engines[row] for row in rows]
