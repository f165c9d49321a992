"""The snapshots of runs that were opened last, as the time machine moves between them."""

from __future__ import annotations

from pathlib import Path

from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.timeline import nearest
from tinygpt_tui.settings.computing import AUTO
from tinygpt_tui.workers.model_cache import LRUCache
from tinygpt_tui.workers.models import OpenedModel, open_moment

ROOM = 64_000_000  # parameters in memory; one snapshot always stays


class SnapshotCache:
    """Opens a snapshot once; the least recently used ones go if there are too many."""

    def __init__(self, room: int = ROOM, device: str = AUTO) -> None:
        self._device = device
        self._snapshots = LRUCache[Path, int, OpenedModel](
            lambda moments: sum(moment.config.parameters for moment in moments) > room
        )

    def open(self, folder: Path, step: int) -> OpenedModel:
        """Return the model of `folder` as it was at the saved step nearest to `step`.

        Raises NotFoundError if none was saved, CheckpointError, StorageError.
        """
        moment = nearest(RunFolder(folder), step)
        # A run that was restarted writes other weights to a file of the same name.
        changed_at = moment.path.stat().st_mtime_ns if moment.path.exists() else 0
        return self._snapshots.open(moment.path, changed_at, lambda: open_moment(folder, moment, self._device))[0]
