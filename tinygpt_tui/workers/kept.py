"""The models that were used last: they stay open, and are read again where there are newer weights."""

from __future__ import annotations

from pathlib import Path

from tinygpt_tui.workers.opened import OpenedModel, WeightsNow, open_model, open_now, weights_now

OPEN_MODELS = 6  # kept in memory; the one unused longest goes first


class KeptModels:
    """Opens a model once for all who use it. For one thread at a time."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Path, bool], tuple[WeightsNow, OpenedModel]] = {}

    def open(self, path: Path, *, untrained: bool = False) -> OpenedModel:
        """Return the model at `path`, with its newest weights where it is in training; see `open_model`.

        Raises CheckpointError.
        """
        return self.open_or_find(path, untrained=untrained)[0]

    def open_or_find(self, path: Path, *, untrained: bool = False) -> tuple[OpenedModel, bool]:
        """Return the model, and whether it was open already. Raises CheckpointError."""
        now = weights_now(path)
        kept = self._kept.pop((path, untrained), None)
        found = kept is not None and kept[0] == now
        if kept is None or not found:
            kept = (now, open_model(path, untrained=True) if untrained else open_now(path, now))
        self._kept[path, untrained] = kept  # the last of the dict is the one used last
        while len(self._kept) > OPEN_MODELS:
            del self._kept[next(iter(self._kept))]
        return kept[1], found
