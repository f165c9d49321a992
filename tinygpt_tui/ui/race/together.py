"""The pace of a race: its jobs are written in step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Job


class Together:
    """The jobs of a race, each of which may draw the same number of tokens."""

    def __init__(self, jobs: list[Job]) -> None:
        self._jobs = jobs

    def allow(self, tokens: int | None, candidates: int = 0) -> None:
        """Let each job draw this many tokens in all, without candidates."""
        for job in self._jobs:
            job.allow(tokens)
