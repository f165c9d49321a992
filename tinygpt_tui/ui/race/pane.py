"""A pane of the race: the model, what differs from the first pane, the text, and the progress."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events, getters
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.markup import escape
from textual.widgets import Static

from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.race.lanes import Lane, differences, share
from tinygpt_tui.ui.shared.compared_text import RaceText
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.wrapping import shown

WORDS = {"starting": "starting the engine…", "reading": "reading the prompt…", "stopping": "stopping…"}
FRAME = 6  # cells of the border and of the spaces around its words


class RacePane(Vertical):
    """Shows one lane; the title names the model, a note above the text has problems and differences."""

    DEFAULT_CSS = """
    RacePane {
        height: 1fr; width: 1fr;
        border: round $border-blurred;
        border-subtitle-align: left;
        & > .-note { display: none; height: auto; max-height: 50%; padding: 0 1; }
        & > .-note.-said { display: block; }
    }
    """
    output = getters.query_one(RaceText)

    class ModelWanted(Message):
        """The title was clicked to choose another model."""

        pane: RacePane

    def __init__(self) -> None:
        super().__init__()
        self._note = ""
        self._progress: tuple[int, Lane] | None = None

    def compose(self) -> ComposeResult:
        yield Static("", classes="-note", markup=False)
        yield RaceText()

    @property
    def note(self) -> str:
        return self._note

    def show_lane(self, number: int, lane: Lane, first: SamplingSettings, *, chosen: bool) -> None:
        """Show a lane, numbered from 1; `first` are the first lane's settings; the keys apply to the `chosen` pane."""
        who = lane.asked or lane.contender
        self.set_class(chosen, "-chosen")
        self.border_title = escape(f"{'▸' if chosen else ' '}{number} {who.title or '…'}")
        told = differences(who.sampling, first) if number > 1 else ""
        notes = [lane.problem and f"✗ {lane.problem}", told]
        if lane.unknown:
            notes.append(f"unknown characters left out: {' '.join(dict.fromkeys(shown(lane.unknown)))}")
        if lane.asked is not None and not _alike(lane):
            follows = differences(lane.contender.sampling, first) if number > 1 else ""
            notes.append(f"next: {lane.contender.title}{' · ' if follows else ''}{follows}")
        self._show_note("\n".join(note for note in notes if note), failed=bool(lane.problem))
        self.show_progress(number, lane)

    def show_progress(self, number: int, lane: Lane) -> None:
        """Show the progress, in the longest form that fits."""
        self._progress = (number, lane)
        room = self.size.width + 2 - FRAME
        self.border_subtitle = escape(next((form for form in _forms(number, lane) if cell_len(form) <= room), ""))

    def on_resize(self) -> None:
        if self._progress is not None:
            self.show_progress(*self._progress)

    def on_click(self, event: events.Click) -> None:
        if event.widget is self and event.y == 0:
            self.post_message(self.ModelWanted(self))

    def _show_note(self, note: str, *, failed: bool) -> None:
        if note != self._note:
            self._note = note
            widget = self.query_one(".-note", Static)
            widget.update(note)
            widget.set_class(bool(note), "-said")
            widget.set_class(failed, "-failed")
            widget.tooltip = note or None


def _alike(lane: Lane) -> bool:
    """Return whether the next race uses the same model and settings here as the last one, apart from the seed."""
    assert lane.asked is not None
    now, then = lane.contender, lane.asked
    same_one = (now.model, now.untrained) == (then.model, then.untrained)
    return same_one and not differences(now.sampling, then.sampling)


def _forms(number: int, lane: Lane) -> Sequence[str]:
    """Return the progress in ever shorter forms."""
    writing = lane.writing
    if writing.phase == "idle":
        return [""]
    words = "failed" if writing.failed else writing.reason or WORDS.get(writing.phase, "")
    speed, same = writing.tokens_per_s, share(lane) if number > 1 else ""
    counted = f"{writing.tokens} tokens" if writing.tokens and "token" not in words else ""
    short = f"{writing.tokens} tok" if writing.tokens else ""
    per_s = f"{speed:.0f}" if speed is not None else ""
    numbers = [
        (words, counted, per_s and f"{per_s} tokens/s", same),
        (words, counted and short, per_s and f"{per_s}/s", same),
        (short, per_s and f"{per_s}/s", same),
        (short, same),
        (words,),
        (short,),
    ]
    return [" · ".join(part for part in parts if part) for parts in numbers]
