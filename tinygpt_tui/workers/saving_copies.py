"""Saves a copy of a model that has learned from a text among the user's models."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from tinygpt_tui import paths
from tinygpt_tui.adapting.engine import AdaptiveEngine
from tinygpt_tui.adapting.keeping import adapted_model
from tinygpt_tui.checkpoints.importing import import_model
from tinygpt_tui.events.generation import Adapted, CopySaved, GenerationEnded
from tinygpt_tui.events.requests import SaveCopy
from tinygpt_tui.foreign.hub import folder_name
from tinygpt_tui.generation.text import first_ids
from tinygpt_tui.runs.index import free_name
from tinygpt_tui.tokenizers.base import Tokenizer


class SaveCopyJob:
    """Iterate over it for the events; it continues from what the engine has read of the text."""

    def __init__(self, engine: AdaptiveEngine, tokenizer: Tokenizer, request: SaveCopy) -> None:
        self._engine, self._tokenizer, self._request = engine, tokenizer, request
        self._stopped = False
        engine.in_use = True

    def stop(self) -> None:
        """Save nothing; safe to call from another thread."""
        self._stopped = True

    def __iter__(self) -> Iterator[Adapted | CopySaved | GenerationEnded]:
        """Yield the events. Raises UsageError where there is nothing to keep, StorageError."""
        began, job, engine = time.perf_counter(), self._request.job, self._engine
        ids = self._tokenizer.encode(self._request.text) or first_ids(self._tokenizer)
        try:
            for read in engine.reading(ids):
                if self._stopped:
                    break
                yield Adapted(job, read, len(ids), engine.steps)
            if not self._stopped:
                base = Path(self._request.model)
                model = adapted_model(engine, self._tokenizer, base)
                folder = paths.models_folder() / free_name(f"{folder_name(base)}-adapted")
                import_model(model, folder, base)
                yield CopySaved(job, folder.name)
        finally:
            engine.in_use = False
        yield GenerationEnded(job, "stopped" if self._stopped else "length", 0, time.perf_counter() - began, None)
