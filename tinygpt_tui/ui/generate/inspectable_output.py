"""The output with its microscope: a text with a cursor, explained and coloured; requests missing explanations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from tinygpt_tui.events.generation import GenerationEvent, Token
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.generate import microscope_keys
from tinygpt_tui.ui.generate.surprise_legend import SurpriseLegend
from tinygpt_tui.ui.generate.text_colours import ColouredBy, TextColours
from tinygpt_tui.ui.generate.why_line import WhyLine, WhyQuestion
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.microscope import KEYS, Microscope
from tinygpt_tui.ui.shared.output_text import OutputText
from tinygpt_tui.ui.shared.sampling_words import draw_words
from tinygpt_tui.ui.shared.surprise_index import Question, Span, SurpriseIndex

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Job

ROOM_FOR_LIVE, ROOM_FOR_TALL = 13, 28  # lines of output and microscope together
DOCKED_FROM = 140  # columns of the terminal from which the microscope is always open
LAST_DRAW = "F5 looks at any character"
AT_FULL_SPEED = "Alt+↓ slows down: then each draw appears here"
NOTHING_YET = "The probabilities of each draw appear here"


class InspectableOutput(Vertical):
    """Holds OutputText and Microscope and synchronises them; the widget around it talks to the engine."""

    HELP = microscope_keys.HELP
    DEFAULT_CSS = """
    InspectableOutput {
        height: 1fr;
        & Microscope, & SurpriseLegend { display: none; }
        &.-coloured SurpriseLegend { display: block; }
        &.-why SurpriseLegend { display: none; }
        &.-open Microscope, &.-live Microscope, &.-docked Microscope { display: block; }
        &.-open.-tall Microscope { height: 15; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = microscope_keys.BINDINGS

    class Ask(Message):
        """Requests an explanation of some characters of `text`; answered by `asked`, then `apply_events`."""

        question: Question
        text: str

    class AskWhy(Message):
        """Requests what made a character likely; answered by `why.follow`."""

        question: WhyQuestion

    class AttentionWanted(Message):
        """Show the attention with which the model wrote the character at `offset`."""

        offset: int

    class Toggled(Message):
        """The microscope was opened or closed."""

        is_open: bool

    def __init__(self, *, id: str | None = None, window_at: Callable[[int], int] = lambda _offset: 0) -> None:
        """`window_at` returns where the model's window started when it wrote a character."""
        super().__init__(id=id)
        self.index = SurpriseIndex()
        self._window_at = window_at
        self.output = OutputText(id="output")
        self._text_colours = TextColours(self.output, self.index)
        self.microscope = Microscope(id="microscope")
        self.why = WhyLine(self.output)
        self._quiet = False
        self._live = False  # each draw is shown
        self._redrawing = False  # what is shown is of other sampling settings; the answer is on its way
        self._drawn_by = draw_words(SamplingSettings())

    def compose(self) -> ComposeResult:
        self.set_class(self._docked, "-docked")
        yield self.output
        yield SurpriseLegend(self.output)
        yield self.why
        yield self.microscope

    @property
    def is_open(self) -> bool:
        return self.output.cursor is not None

    @property
    def colours(self) -> bool:
        return self._text_colours.by == "surprise"

    @property
    def _docked(self) -> bool:
        return self.app.size.width >= DOCKED_FROM

    @property
    def _place(self) -> int | None:
        """The character that the microscope shows: under the cursor, or the one that was written last."""
        output = self.output
        if output.cursor is not None:
            return output.cursor
        seen = self._live or (self._docked and not self._quiet)
        return len(output.text) - 1 if seen and len(output.text) > output.prompt_end else None

    # The text

    def reset(self, text: str = "", prompt_end: int | None = None) -> None:
        """Show another text; see OutputText.reset. Closes the microscope."""
        self.close()
        self.output.reset(text, prompt_end)
        self.forget()

    def append(self, text: str, tokens: Sequence[Token] = ()) -> None:
        """Add text at the end; `tokens` are the ones it is made of, in order, with their probabilities if known."""
        at = len(self.output.text)
        self.output.append(text)
        self.index.resize(at, at + len(text))
        self._recolour(self.index.written(tokens, at))
        self.look_on()

    def forget(self) -> None:
        """Forget all explanations: another model is used, or another way of reading."""
        self._redrawing = False
        self.index.reset(len(self.output.text))
        self.output.levels_changed(0, len(self.output.text))
        self.why.forget()
        self.look_on()

    # The microscope

    def open(self, offset: int | None = None) -> bool:
        """Open the microscope at `offset`, or at the first visible generated character. False without a text."""
        output = self.output
        if not output.text:
            return False
        if offset is None:
            start, end = output.in_sight
            offset = output.prompt_end if start <= output.prompt_end < end else start
        self.add_class("-open")
        output.walk(offset)
        output.focus()
        self.post_message(self.Toggled(True))
        # The panel takes lines from the text only with the next layout.
        self.call_after_refresh(output.keep_in_sight)
        self.look_on()
        self.refresh_bindings()
        return True

    def ask_why(self) -> None:
        """Open the microscope and show what made its character likely."""
        if self.open() and not self.why.is_on:
            self.action_why()

    def close(self) -> None:
        """Close the microscope; the colours stay."""
        if not self.is_open:
            return
        self.output.stop_walking()
        self.remove_class("-open")
        self._stop_asking_why()
        self.post_message(self.Toggled(False))
        self.look_on()
        self.refresh_bindings()

    def set_colours(self, on: bool) -> None:
        """Colour the text by surprise, or stop that."""
        self._colour_by("surprise" if on else "")

    def action_tokens(self) -> None:
        """Mark where each token begins, or stop that."""
        self._colour_by("" if self._text_colours.by == "token" else "token")

    def _colour_by(self, what: ColouredBy) -> None:
        self._text_colours.by = what
        self.set_class(self.colours, "-coloured")
        self._stop_asking_why()
        self._text_colours.draw()
        self.look_on()

    def set_pace(self, *, writing: bool, slow: bool) -> None:
        """While it is `writing` nothing is requested: the engine has more important work. `slow`: show each draw."""
        self._quiet, self._live = writing, slow
        self._make_room()
        self.look_on()

    def set_sampling(self, sampling: SamplingSettings) -> None:
        """Explain with the temperature and the filters of these settings."""
        words = draw_words(sampling)
        if words != self._drawn_by:
            self._drawn_by, self._redrawing = words, True
            self.index.forget_draws()
            if self.is_mounted:
                self.look_on()

    # Questions and answers

    def asked(self, question: Question, job: Job) -> None:
        question.job = job
        self.look_on()

    def apply_events(self, events: Iterable[GenerationEvent]) -> None:
        """Take in events of the question's job."""
        self._recolour(self.index.apply_events(events))
        self.look_on()

    def look_on(self) -> None:
        """Show the character under the cursor, and request missing explanations."""
        output, index, place = self.output, self.index, self._place
        output.set_cursor_window(self._window_at(place) if self.is_open and place is not None else None)
        self._show_char_at(place)
        if self._quiet and not self.is_open:
            return
        if self.is_open or self._text_colours.by:
            visible = Span(*output.in_sight)
        elif place is not None:
            visible = Span(place, place + 1)
        else:
            return
        index.stop_stale(place, visible)
        if index.question is None and (question := index.ask(place, visible)) is not None:
            self.post_message(self.Ask(question, output.text))

    def _show_char_at(self, place: int | None) -> None:
        """Show a character in the microscope; one that is explained again stays until it is."""
        glass = self.microscope
        self._show_title()
        if place is None:
            glass.show_char(None, hint=AT_FULL_SPEED if self._quiet and not self._live else NOTHING_YET)
            return
        look = self.index.info(place)
        self._redrawing = self._redrawing and look.state == "waiting"
        if not self._redrawing:
            self.output.set_token(look.start, look.end)
            glass.show_char(look, self.output.text[look.start : look.end], None if self.is_open else LAST_DRAW)
        if self.is_open and self.why.is_on and (wanted := self.why.show_char(look)) is not None:
            self.post_message(self.AskWhy(wanted))

    def _show_title(self) -> None:
        name = "microscope" if self.is_open else "last draw"
        sampling = ", ".join(word for word, _ in self._drawn_by)
        self.microscope.border_title = f"{name}: model → with {sampling}"

    def _recolour(self, changed: Span | None) -> None:
        if not self.why.is_on:
            self._text_colours.levels_changed(changed)

    def _stop_asking_why(self) -> None:
        if self.why.is_on:
            self.remove_class("-why")
            self.why.switch_off()
            self._text_colours.draw()

    # Keys and events

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The keys belong to the microscope while it is open."""
        if action in ("fork", "pick", "jump", "why", "attention", "leave"):
            return self.is_open
        return bool(self.output.text) if action == "tokens" else True

    def on_key(self, event: events.Key) -> None:
        if self.is_open and self.output.has_focus and event.character and event.character in KEYS:
            self.microscope.pick(KEYS.index(event.character))
            event.stop()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height >= ROOM_FOR_TALL, "-tall")
        self.set_class(self._docked, "-docked")
        self._make_room()

    def _make_room(self) -> None:
        self.set_class(self._live and self.size.height >= ROOM_FOR_LIVE, "-live")  # else it leaves the text two lines

    def action_fork(self) -> None:
        self.microscope.fork()

    def action_pick(self, direction: int) -> None:
        self.microscope.pick_next(direction)

    def action_jump(self, direction: int) -> None:
        cursor = self.output.cursor
        place = None if cursor is None else self.index.next_surprising(cursor, direction)
        if place is None:
            self.app.bell()
        else:
            self.output.walk(place)

    def action_why(self) -> None:
        """Show what made the character under the cursor likely, or stop that."""
        if self.why.is_on:
            self._stop_asking_why()
        else:
            self.add_class("-why")
            self.why.switch_on()
            self.look_on()
        self.call_after_refresh(self.output.keep_in_sight)

    def action_attention(self) -> None:
        """Show the attention with which the character under the cursor was written."""
        if self.output.cursor is not None:
            self.post_message(self.AttentionWanted(self.output.cursor))

    def action_leave(self) -> None:
        """Stop explaining why; then close the microscope."""
        if self.why.is_on:
            self.action_why()
        else:
            self.close()

    @on(OutputText.Walked)
    def _walked(self) -> None:
        self.index.clear_error()
        self.look_on()

    @on(OutputText.Scrolled)
    def _scrolled(self, message: OutputText.Scrolled) -> None:
        message.stop()
        self.look_on()
