"""A race of models: their lanes, where the texts first differ, how much agrees. It knows nothing of Textual."""

from __future__ import annotations

import secrets
from operator import eq, ne
from typing import Any

import msgspec

from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, GenerationStarted
from tinygpt_tui.settings.fields import written
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.shared.generation_view import Asked, GenerationView, Phase
from tinygpt_tui.ui.shared.wrapping import shown

FEWEST, MOST = 2, 4  # lanes
SEED_LIMIT = 1 << 32  # so that a drawn seed is short enough to type
UNTRAINED = "untrained"
# Reasons after which a text is complete: the model ended it, not a limit or a failure.
ENDED_ITSELF = ("stop text", "blank line", "end of text")
SIGNS = {"\n": "↵", "\t": "⇥", "": "end"}


class Contender(msgspec.Struct, frozen=True):
    """A model in a lane. `model` is its path, empty until a model of that `name` is found."""

    name: str = ""
    model: str = ""
    untrained: bool = False
    sampling: SamplingSettings = SamplingSettings()

    @property
    def title(self) -> str:
        """Its name, and whether it is untrained."""
        return f"{self.name}, {UNTRAINED}" if self.untrained else self.name


class Lane:
    """A contender and its text, compared with the first lane. Offsets count the written characters from 0.

    `contender` runs in the next race; `asked` wrote the text that is here now.
    """

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self.asked: Contender | None = None
        self.writing = GenerationView()
        self.text = ""
        self.whole = False
        self.problem = ""
        self.unknown = ""
        self.reset_comparison()

    def reset_comparison(self) -> None:
        """Reset the comparison; it is computed again from the texts."""
        self.differs_at: int | None = None
        self.compared = self.same = 0
        self.differs = bytearray()  # of each compared character: 1 where it differs, else 0

    @property
    def agreement(self) -> float | None:
        """The share of characters that equal the first lane's, as far as both have come."""
        return self.same / self.compared if self.compared else None

    def compare(self, first: Lane) -> None:
        """Compare what is new in either text."""
        until = min(len(first.text), len(self.text))
        if until > self.compared:
            theirs, ours = first.text[self.compared : until], self.text[self.compared : until]
            if self.differs_at is None and theirs != ours:
                self.differs_at = self.compared + list(map(eq, theirs, ours)).index(False)
            self.differs += bytes(map(ne, theirs, ours))
            self.same = self.differs.count(0)
            self.compared = until
        shorter, longer = sorted((first, self), key=lambda lane: len(lane.text))
        if self.differs_at is None and shorter.whole and len(longer.text) > until:
            self.differs_at = until  # one ends where the other continues

    def sign_at(self, offset: int) -> str:
        """Return the character at an offset as it is named in a sentence; … if there is none yet."""
        if offset >= len(self.text):
            return SIGNS[""] if self.whole else "…"
        character = self.text[offset]
        return f"'{SIGNS.get(character, shown(character))}'"


class Race:
    """Two to four lanes, with one prompt and one seed for all. Holds the texts."""

    def __init__(self, contenders: list[Contender]) -> None:
        self.lanes = [Lane(contender) for contender in contenders]
        self.prompt: str | None = None
        self.seed: int | None = None

    @classmethod
    def remembered(cls, written: str) -> Race:
        """Return a race of the lanes in `written` (by `to_remember`); of two lanes if it is empty."""
        contenders = []
        for line in written.splitlines()[:MOST]:
            kind, _, name = line.partition(" ")
            if name:
                contenders.append(Contender(name, untrained=kind == UNTRAINED))
        return cls(contenders if len(contenders) >= FEWEST else [Contender(), Contender(untrained=True)])

    def to_remember(self) -> str:
        """Return the lanes' models, one per line."""
        return "\n".join(
            f"{UNTRAINED if lane.contender.untrained else 'trained'} {lane.contender.name}" for lane in self.lanes
        )

    @property
    def busy(self) -> bool:
        return any(lane.writing.busy for lane in self.lanes)

    def allows(self, action: str) -> bool:
        """Return whether an action of the race's screen does something now."""
        match action:
            case "stop":
                return self.busy
            case "again":
                return self.prompt is not None and not self.busy
            case "copy" | "save":
                return self.prompt is not None
            case "mark":
                return self.first_difference is not None
            case "add":
                return len(self.lanes) < MOST
            case "remove":
                return len(self.lanes) > FEWEST
        return True

    @property
    def first_difference(self) -> int | None:
        return min((lane.differs_at for lane in self.lanes[1:] if lane.differs_at is not None), default=None)

    def marks(self, index: int) -> tuple[int, ...]:
        """Return where a lane first differs from the first one; for the first lane, where each of the others does."""
        lanes = self.lanes[1:] if index == 0 else [self.lanes[index]]
        return tuple(sorted({lane.differs_at for lane in lanes if lane.differs_at is not None}))

    def colours(self, index: int) -> bytearray:
        """Return where a lane differs from the first one; for the first, from the second if there are only two."""
        if index == 0:
            return self.lanes[1].differs if len(self.lanes) == FEWEST else bytearray()
        return self.lanes[index].differs

    # Lanes

    def add(self, contender: Contender) -> None:
        assert len(self.lanes) < MOST
        self.lanes.append(Lane(contender))

    def remove(self, index: int) -> Lane:
        """Remove a lane and return it; without the first, the others are compared with the second."""
        assert len(self.lanes) > FEWEST
        gone = self.lanes.pop(index)
        if index == 0:
            for lane in self.lanes:
                lane.reset_comparison()
        self._compare()
        return gone

    def change(self, index: int, **changes: Any) -> None:
        """Change a lane's contender from the next race on."""
        lane = self.lanes[index]
        lane.contender = msgspec.structs.replace(lane.contender, **changes)

    def set_sampling(self, index: int, sampling: SamplingSettings) -> None:
        """Change a lane's settings. All share the seed; settings of others that equalled the first lane's follow it."""
        before = self.lanes[0].contender.sampling
        for number, lane in enumerate(self.lanes):
            old = lane.contender.sampling
            new = msgspec.structs.replace(old, seed=sampling.seed)
            if number == index:
                new = sampling
            elif index == 0:
                followed = [name for name in old.__struct_fields__ if getattr(old, name) == getattr(before, name)]
                new = msgspec.structs.replace(new, **{name: getattr(sampling, name) for name in followed})
            self.change(number, sampling=new)

    # Running

    def start(self, prompt: str, phase: Phase, *, new_seed: bool = False) -> None:
        """Clear all lanes for another race with the settings' seed; with `new_seed`, or if there is none, draw one."""
        chosen = self.lanes[0].contender.sampling.seed
        self.prompt = prompt
        self.seed = secrets.randbelow(SEED_LIMIT) if new_seed or chosen is None else chosen
        for lane in self.lanes:
            lane.writing.stop()
            lane.asked = msgspec.structs.replace(
                lane.contender, sampling=msgspec.structs.replace(lane.contender.sampling, seed=self.seed)
            )
            lane.writing = GenerationView(Asked(prompt, len(prompt)), phase)
            lane.text = lane.problem = lane.unknown = ""
            lane.whole = False
            lane.reset_comparison()

    def stop(self) -> None:
        """Stop all lanes at their next token."""
        for lane in self.lanes:
            lane.writing.stop()

    def engine_is_ready(self) -> None:
        for lane in self.lanes:
            lane.writing.engine_is_ready()

    def apply_events(self, lane: Lane, events: list[GenerationEvent]) -> str:
        """Apply a batch of events of a lane's job; return the new text."""
        new, at = [], len(self.prompt or "") + len(lane.text)
        for event in events:
            new.append(lane.writing.apply_event(event, at))
            at += len(new[-1])
            if isinstance(event, GenerationStarted):
                lane.unknown = event.unknown
            elif isinstance(event, GenerationEnded):
                lane.whole = event.reason in ENDED_ITSELF
                if event.reason == "failed":
                    lane.problem = f"{event.message}; {event.hint}" if event.hint else event.message
        text = "".join(new)
        lane.text += text  # once per batch, because it copies the text
        self._compare()
        return text

    def _compare(self) -> None:
        for lane in self.lanes[1:]:
            lane.compare(self.lanes[0])


def differences(sampling: SamplingSettings, first: SamplingSettings) -> str:
    """Return which settings differ from the first lane's, without the seed."""
    return " · ".join(
        f"{name.replace('_', ' ')} {_in_words(getattr(sampling, name))}"
        for name in sampling.__struct_fields__
        if name != "seed" and getattr(sampling, name) != getattr(first, name)
    )


def verdict(race: Race) -> str:
    """Return the first difference as a sentence."""
    offset = race.first_difference
    if offset is None:
        same = min((lane.compared for lane in race.lanes[1:] if lane.asked is not None), default=0)
        so_far = " so far" if race.busy else ""
        return f"the same{so_far}: {same} characters" if same else "nothing to compare yet"
    signs = " / ".join(lane.sign_at(offset) for lane in race.lanes if lane.asked is not None)
    return f"first differs at character {offset + 1}: {signs}"


def report(race: Race) -> str:
    """Return the race as a text: prompt, seed, verdict, and all lanes one below another."""
    parts = [f"seed {race.seed}; {verdict(race)}"]
    first = race.lanes[0].asked or race.lanes[0].contender
    for number, lane in enumerate(race.lanes, 1):
        if lane.asked is None:
            continue
        told = differences(lane.asked.sampling, SamplingSettings() if number == 1 else first.sampling)
        facts = [f"{number}. {lane.asked.title}", told, lane.writing.reason, share(lane) if number > 1 else ""]
        parts.append(f"=== {'; '.join(fact for fact in facts if fact)}\n{race.prompt or ''}{lane.text}")
    return "\n\n".join(parts) + "\n"


def share(lane: Lane) -> str:
    """Return how much of a lane equals the first, in words; empty if there is nothing to compare."""
    return "" if lane.agreement is None else f"{lane.agreement:.0%} same as 1"


def _in_words(value: object) -> str:
    """Return a value as a user would type it; texts in quotes, so that spaces are visible."""
    text = written(value)
    if isinstance(value, str | tuple) and not text.isidentifier():
        return f"'{text}'" if text else "none"
    return text
