"""The moments of runs that were opened last: somebody walks to and fro among them."""

from __future__ import annotations

from pathlib import Path

from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.timeline import nearest
from tinygpt_tui.workers.opened import OpenedModel, open_moment

ROOM = 64_000_000  # parameters kept in memory; one moment always is


class OpenedMoments:
    """Opens a moment once, and forgets the ones unused longest where there are too many."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._opened: dict[Path, tuple[int, OpenedModel]] = {}

    def open(self, folder: Path, step: int) -> OpenedModel:
        """Return the model of `folder` as it was at the step that its run kept nearest to `step`.

        Raises NotFoundError where none was kept, CheckpointError, StorageError.
        """
        moment = nearest(RunFolder(folder), step)
        # A run that began anew writes other weights into a file of the same name.
        changed_at = moment.path.stat().st_mtime_ns if moment.path.exists() else 0
        kept = self._opened.pop(moment.path, None)
        if kept is None or kept[0] != changed_at:
            kept = (changed_at, open_moment(folder, moment))
        self._opened[moment.path] = kept  # the last of the dict is the one used last
        while len(self._opened) > 1 and self._size() > self._room:
            del self._opened[next(iter(self._opened))]
        return kept[1]

    def _size(self) -> int:
        return sum(opened.config.parameters for _, opened in self._opened.values())
