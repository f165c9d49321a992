"""Ends a text where a stop text appears, and holds back what may be its beginning."""

from __future__ import annotations


class StopText:
    """Text goes in piece by piece and comes out without the stop text and all behind it."""

    def __init__(self, stop: str) -> None:
        """`stop` may be empty: then nothing is held back and nothing ends."""
        self._stop = stop
        self._held = ""
        self.found = False

    def push(self, text: str) -> str:
        """Return what can be shown for certain now; `found` says that the stop text is complete."""
        if not self._stop:
            return text
        self._held += text
        place = self._held.find(self._stop)
        if place >= 0:
            self.found = True
            shown, self._held = self._held[:place], ""
            return shown
        keep = self._longest_beginning()
        cut = len(self._held) - keep
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def finish(self) -> str:
        """Return what was held back and proved harmless."""
        held, self._held = self._held, ""
        return held

    def _longest_beginning(self) -> int:
        longest = min(len(self._held), len(self._stop) - 1)
        return next((n for n in range(longest, 0, -1) if self._stop.startswith(self._held[-n:])), 0)
