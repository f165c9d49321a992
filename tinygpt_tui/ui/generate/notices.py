"""Notifications at the start of a text: unknown characters, a slow engine."""

from __future__ import annotations

from textual.widget import Widget

from tinygpt_tui.events.generation import GenerationStarted
from tinygpt_tui.ui.shared.wrapping import shown

UNKNOWN_SHOWN = 10


class StartNotices:
    """Names characters that the model does not know and, once, why a slower engine than the native one is used."""

    def __init__(self, widget: Widget) -> None:
        """`widget` shows the notifications."""
        self._widget = widget
        self._slow_reported = False

    def report(self, event: GenerationStarted, architecture: str, *, unknown: bool) -> None:
        """Report what there is to say of a start; `unknown`: name the unknown characters, too."""
        if event.unknown and unknown:
            words = f"not in this model's vocabulary, ignored: {_listed(event.unknown)}"
            self._widget.notify(words, severity="warning", markup=False)
        if event.engine == "torch" and architecture == "gpt" and not self._slow_reported:
            self._slow_reported = True
            self._report_slow_engine()

    def _report_slow_engine(self) -> None:
        from tinygpt_tui.native.library import why_unused

        error = why_unused()
        if error is not None:
            text = f"generating with torch, slower than the native engine: {error.message}\n{error.hint}"
            self._widget.notify(text, severity="warning", timeout=15, markup=False)


def _listed(characters: str) -> str:
    names = ", ".join(f"`{shown(character)}`" for character in characters[:UNKNOWN_SHOWN])
    more = len(characters) - UNKNOWN_SHOWN
    return f"{names} and {more} more" if more > 0 else names
