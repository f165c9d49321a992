"""What is known of a text's characters, how surprising each was, and what to ask the engine next; no Textual here."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from tinygpt_tui.events.generation import Candidate, Explained, GenerationEnded, GenerationEvent, Token, TokenSeen

if TYPE_CHECKING:
    from tinygpt_tui.workers.client import Job

STEPS_BITS = (1.0, 2.0, 4.0, 6.0, 9.0)  # surprise below the first is level 1, from the last on level 6
SURPRISING = 5  # the level from which a character is worth a jump: less likely than 1 in 64
NEAR, FAR = 16, 256  # characters asked about at once: at the cursor, which waits, and elsewhere
DETAILED = 10_000  # characters whose candidates are kept; of the others the surprise alone

State = Literal["waiting", "known", "first", "unknown", "failed"]
FIRST, SPLIT = 1, 2  # a token's first character, and a character of several tokens
HALF = "\ufffd"  # what a candidate writes that is a part of a character


class Span(NamedTuple):
    """Characters from, to."""

    start: int
    end: int


class CharInfo(NamedTuple):
    """What is known of one character: the tokens that cover it, if it is `known`.

    `first`: there is no context before it. `unknown`: it is not in the vocabulary. `failed`: `problem` says why.
    """

    offset: int
    state: State
    tokens: tuple[TokenSeen, ...] = ()
    whole: bool = True  # its first token begins with a character, not inside one
    problem: str = ""

    @property
    def start(self) -> int:
        """Where the first of its tokens starts; alternatives start here, too."""
        return self.tokens[0].start if self.tokens else self.offset

    @property
    def end(self) -> int:
        """Where the last of its tokens ends."""
        return self.tokens[-1].end if self.tokens else self.offset + 1

    @property
    def probability(self) -> float:
        """The probability of all its tokens, one after another."""
        return math.prod(token.chance.probability for token in self.tokens if token.chance is not None)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The alternatives, most likely first."""
        chance = self.tokens[0].chance if self.tokens else None
        return chance.candidates if chance is not None else ()

    @property
    def drawn(self) -> tuple[float, ...]:
        """The probability of each alternative by the sampling settings, 0 for what they exclude; empty: not known."""
        chance = self.tokens[0].chance if self.tokens else None
        return chance.drawn if chance is not None else ()

    def other(self, place: int) -> str | None:
        """Return the text of a candidate, by its place from 0; None where there is none, or half a character."""
        if not self.whole or not 0 <= place < len(self.candidates):
            return None
        text = self.candidates[place].text
        return None if not text or HALF in text else text


class Question:
    """One request to the engine, and its `job` once it was sent."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end
        self.job: Job | None = None
        self.until = end  # the text after it has changed meanwhile
        self.reached = start


class SurpriseIndex:
    """Keeps what the model thought of each character of one text, and knows what is missing; one question at a time.

    Flat in memory: six bytes for a character, and all the candidates of the DETAILED latest.
    """

    def __init__(self) -> None:
        self.levels = bytearray()  # of each character, 1 to 6; 0: not known. Always this same array
        self.cuts = bytearray()  # of each character: FIRST of its token, SPLIT in several; 0: neither, or not known
        self.problem = ""
        self.question: Question | None = None
        self._surprises = array("f")  # bits; NaN: not known
        self._explained = bytearray()  # whether it was ever
        self._details: dict[int, tuple[TokenSeen, ...]] = {}
        self._silent = False  # what was written last has not become text yet

    def __len__(self) -> int:
        return len(self.levels)

    def reset(self, length: int = 0) -> None:
        """Start with another text of `length` characters; the job of a question about the last one is stopped."""
        self._stop_question()
        self.problem = ""
        self.resize(0, length)

    def resize(self, same: int, length: int) -> None:
        """The text has `length` characters now; the first `same` are unchanged."""
        if same < len(self):
            del self.levels[same:], self.cuts[same:], self._surprises[same:], self._explained[same:]
            self._details = {offset: tokens for offset, tokens in self._details.items() if offset < same}
            if self.question is not None:
                self.question.until = min(self.question.until, same)
        more = length - len(self)
        self.levels.extend(bytes(more))
        self.cuts.extend(bytes(more))
        self._explained.extend(bytes(more))
        self._surprises.extend([math.nan] * more)

    def surprise(self, offset: int) -> float | None:
        """Return the surprise of a character in bits; None where it is not known, or there was none."""
        bits = self._surprises[offset]
        return None if math.isnan(bits) else bits

    def info(self, offset: int) -> CharInfo:
        """Return what is known of the character at `offset`."""
        tokens = self._details.get(offset)
        if tokens is None:
            return CharInfo(offset, "failed" if self.problem else "waiting", problem=self.problem)
        if not tokens or tokens[0].id < 0:
            return CharInfo(offset, "unknown")
        if tokens[0].chance is None:
            return CharInfo(offset, "first", tokens)
        before = self._details.get(tokens[0].start, tokens)
        return CharInfo(offset, "known", tokens, whole=before[:1] == tokens[:1])

    def forget_draws(self) -> None:
        """The candidates are of other sampling settings; how surprising each character was stays."""
        self._stop_question()
        self._details.clear()

    def _stop_question(self) -> None:
        if self.question is not None and self.question.job is not None:
            self.question.job.stop()
        self.question = None

    # Asking

    def clear_error(self) -> None:
        """Allow questions again after a failure."""
        self.problem = ""

    def ask(self, cursor: int | None, visible: Span) -> Question | None:
        """Return what to ask now, and wait for its answer: first about the cursor's character, then what is visible.

        None while an answer is on its way, when nothing is missing, and after a failure.
        """
        if self.question is not None or self.problem:
            return None
        stretch = self._next_span(cursor, visible)
        if stretch is not None:
            self.question = Question(*stretch)
        return self.question

    def stop_stale(self, cursor: int | None, visible: Span) -> None:
        """Stop the question's job if the rest of its answer is of no use now."""
        question = self.question
        if question is None or question.job is None:
            return
        if cursor is not None and self._lacks(cursor):
            useful = question.reached <= cursor < question.until
        else:
            useful = question.reached < visible.end and question.until > visible.start
        if not useful:
            question.job.stop()

    def apply_events(self, events: Iterable[GenerationEvent]) -> Span | None:
        """Take in events of the question's job; return which characters' colours may have changed."""
        changed: Span | None = None
        for event in events:
            question = self.question
            if question is None:
                break
            if isinstance(event, Explained):
                question.reached = max(question.reached, event.tokens[-1].end if event.tokens else 0)
                changed = _both(changed, self._add(event.tokens, question.start, question.until))
            elif isinstance(event, GenerationEnded):
                self.question = None
                changed = _both(changed, self._end(question, event))
        return changed

    def written(self, tokens: Sequence[Token], at: int) -> Span | None:
        """Take in what tokens say that were just written, the first one's text at `at`; return what changed.

        Where several became text at once (held back, or parts of characters), it is not known which is whose; those
        are left to be asked about. So are the candidates, where the tokens do not bring them.
        """
        changed: Span | None = None
        length = len(self)
        for token in tokens:
            end = at + len(token.text)
            alone = token.index == 0 or not self._silent
            self._silent = not token.text
            if token.text and alone and at < length:
                self.cuts[at] = FIRST
                changed = Span(at, end) if changed is None else Span(changed.start, end)
            if token.text and alone and token.chance is not None:
                seen = (TokenSeen(at, end, token.id, token.chance),) if token.chance.candidates else None
                bits = surprise_bits(token.chance.probability)
                for offset in range(at, min(end, length)):
                    self._know(offset, bits, seen)
                changed = Span(at, end) if changed is None else Span(changed.start, end)
            at = end
        return changed

    # Jumping

    def next_surprising(self, offset: int, direction: int) -> int | None:
        """Return the next surprising character after (1) or before (-1) the token at `offset`; None: there is none.

        A character that was never explained counts, too.
        """
        tokens = self._details.get(offset, ())
        wanted = [bytes((level,)) for level in range(SURPRISING, len(STEPS_BITS) + 2)]
        if direction > 0:
            start = tokens[-1].end if tokens else offset + 1
            found = [self.levels.find(level, start) for level in wanted] + [self._explained.find(0, start)]
            return min((place for place in found if place >= 0), default=None)
        end = tokens[0].start if tokens else offset
        found = [self.levels.rfind(level, 0, end) for level in wanted] + [self._explained.rfind(0, 0, end)]
        place = max(found)
        if place < 0:
            return None
        tokens = self._details.get(place, ())
        return tokens[0].start if tokens else place

    # Inside

    def _lacks(self, offset: int) -> bool:
        return 0 <= offset < len(self) and offset not in self._details

    def _next_span(self, cursor: int | None, visible: Span) -> Span | None:
        first, last = max(0, visible.start), min(visible.end, len(self))
        if cursor is not None:
            if self._lacks(cursor):
                end = min(cursor + NEAR, len(self))
                return Span(cursor, next((at for at in range(cursor, end) if not self._lacks(at)), end))
            gap = self._gap(max(first, cursor), last)
            if gap is not None:
                return gap
        return self._gap(first, last)

    def _gap(self, start: int, end: int) -> Span | None:
        start = self._explained.find(0, start, end)
        if start < 0:
            return None
        known = self._explained.find(1, start, end)
        return Span(start, min(start + FAR, end if known < 0 else known))

    def _add(self, tokens: Sequence[TokenSeen], start: int, end: int) -> Span | None:
        covers: dict[int, list[TokenSeen]] = {}
        for token in tokens:
            for offset in range(max(token.start, start), min(token.end, end)):
                covers.setdefault(offset, []).append(token)
        for offset, those in covers.items():
            chances = [token.chance for token in those if token.chance is not None]
            bits = sum(surprise_bits(chance.probability) for chance in chances) if chances else math.nan
            self._know(offset, bits, tuple(those))
        return Span(min(covers), max(covers) + 1) if covers else None

    def _know(self, offset: int, bits: float, tokens: tuple[TokenSeen, ...] | None) -> None:
        self._surprises[offset] = bits
        self.levels[offset] = 0 if math.isnan(bits) else level_of(bits)
        self._explained[offset] = 1
        if tokens is None:
            return
        if tokens:
            self.cuts[offset] = SPLIT if len(tokens) > 1 else FIRST if tokens[0].start == offset else 0
        self._details.pop(offset, None)  # the latest are kept longest
        self._details[offset] = tokens
        if len(self._details) > DETAILED:
            del self._details[next(iter(self._details))]

    def _end(self, question: Question, event: GenerationEnded) -> Span | None:
        if event.reason == "failed":
            self.problem = event.message or "the engine could not say"
        elif event.reason != "stopped":
            # What no token covers, although it was asked about, must not be asked about for ever.
            for offset in range(question.start, question.until):
                if not self._explained[offset] or (offset >= question.reached and self._lacks(offset)):
                    self._know(offset, math.nan, ())
        return None


def surprise_bits(probability: float) -> float:
    """Return how surprising it is that something so likely happens: one bit for each halving."""
    return -math.log2(max(probability, 1e-300))


def level_of(bits: float) -> int:
    """Return the step of surprise, 1 to 6.

    >>> [level_of(bits) for bits in (0.0, 1.0, 3.9, 12.0)]
    [1, 2, 3, 6]
    """
    return 1 + bisect_right(STEPS_BITS, bits)


def _both(one: Span | None, other: Span | None) -> Span | None:
    if one is None or other is None:
        return one or other
    return Span(min(one.start, other.start), max(one.end, other.end))
