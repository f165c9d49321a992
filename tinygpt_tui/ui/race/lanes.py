"""A race of models: who runs in which lane, where their texts first differ, how much agrees. No Textual here."""

from __future__ import annotations

import secrets
from operator import eq
from typing import Any

import msgspec

from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, GenerationStarted
from tinygpt_tui.settings.fields import written
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.shared.generation_view import Asked, Phase, Writing
from tinygpt_tui.ui.shared.wrapping import shown

FEWEST, MOST = 2, 4  # lanes
SEED_LIMIT = 1 << 32  # a seed that we choose is short enough to be typed again
UNTRAINED = "untrained"
# Reasons after which a text is whole: the model said so, and no limit or failure cut it.
ENDED_ITSELF = ("stop text", "blank line", "end of text")
SIGNS = {"\n": "↵", "\t": "⇥", "": "end"}


class Entrant(msgspec.Struct, frozen=True):
    """What runs in a lane. `model` is its path, empty as long as no model of that `name` was seen."""

    name: str = ""
    model: str = ""
    untrained: bool = False
    sampling: SamplingSettings = SamplingSettings()

    @property
    def title(self) -> str:
        """Who it is, in words."""
        return f"{self.name}, {UNTRAINED}" if self.untrained else self.name


class Lane:
    """An entrant and what it wrote, compared with the first lane. Offsets count the written characters from 0.

    `entrant` runs in the next race; `asked` is who wrote what stands here.
    """

    def __init__(self, entrant: Entrant) -> None:
        self.entrant = entrant
        self.asked: Entrant | None = None
        self.writing = Writing()
        self.text = ""
        self.whole = False
        self.problem = ""
        self.unknown = ""
        self.forget()

    def forget(self) -> None:
        """Forget the comparison; it is made anew from the texts."""
        self.differs_at: int | None = None
        self.compared = self.same = 0

    @property
    def agreement(self) -> float | None:
        """The share of places at which the same character stands as in the first lane, as far as both have come."""
        return self.same / self.compared if self.compared else None

    def compare(self, first: Lane) -> None:
        """Take in what is new in either text; what was compared is not looked at again."""
        until = min(len(first.text), len(self.text))
        if until > self.compared:
            theirs, ours = first.text[self.compared : until], self.text[self.compared : until]
            if self.differs_at is None and theirs != ours:
                self.differs_at = self.compared + list(map(eq, theirs, ours)).index(False)
            self.same += sum(map(eq, theirs, ours))
            self.compared = until
        shorter, longer = sorted((first, self), key=lambda lane: len(lane.text))
        if self.differs_at is None and shorter.whole and len(longer.text) > until:
            self.differs_at = until  # one ends where the other goes on

    def sign_at(self, offset: int) -> str:
        """Return the character at an offset as it is named in a sentence; … where nothing stands yet."""
        if offset >= len(self.text):
            return SIGNS[""] if self.whole else "…"
        character = self.text[offset]
        return f"'{SIGNS.get(character, shown(character))}'"


class Race:
    """Two to four lanes, one prompt and one seed for all. Takes the engine's events and keeps the texts."""

    def __init__(self, entrants: list[Entrant]) -> None:
        self.lanes = [Lane(entrant) for entrant in entrants]
        self.prompt: str | None = None
        self.seed: int | None = None

    @classmethod
    def remembered(cls, written: str) -> Race:
        """Return a race of the lanes that `written` (as `to_remember` makes it) names; of two, where it is nothing."""
        entrants = []
        for line in written.splitlines()[:MOST]:
            kind, _, name = line.partition(" ")
            if name:
                entrants.append(Entrant(name, untrained=kind == UNTRAINED))
        return cls(entrants if len(entrants) >= FEWEST else [Entrant(), Entrant(untrained=True)])

    def to_remember(self) -> str:
        """Return the lanes' models, a line each."""
        return "\n".join(
            f"{UNTRAINED if lane.entrant.untrained else 'trained'} {lane.entrant.name}" for lane in self.lanes
        )

    @property
    def busy(self) -> bool:
        """Whether text may still come in some lane."""
        return any(lane.writing.busy for lane in self.lanes)

    @property
    def first_difference(self) -> int | None:
        """The first offset at which not all lanes have the same."""
        return min((lane.differs_at for lane in self.lanes[1:] if lane.differs_at is not None), default=None)

    def marks(self, index: int) -> tuple[int, ...]:
        """Where a lane leaves the first; in the first lane, where each of the others leaves it."""
        lanes = self.lanes[1:] if index == 0 else [self.lanes[index]]
        return tuple(sorted({lane.differs_at for lane in lanes if lane.differs_at is not None}))

    # Lanes

    def add(self, entrant: Entrant) -> None:
        """Put one more lane at the end."""
        assert len(self.lanes) < MOST
        self.lanes.append(Lane(entrant))

    def remove(self, index: int) -> Lane:
        """Take a lane out and return it; without the first, the others are compared with the second."""
        assert len(self.lanes) > FEWEST
        gone = self.lanes.pop(index)
        if index == 0:
            for lane in self.lanes:
                lane.forget()
        self._compare()
        return gone

    def change(self, index: int, **changes: Any) -> None:
        """Have somebody else run in a lane from the next race on."""
        lane = self.lanes[index]
        lane.entrant = msgspec.structs.replace(lane.entrant, **changes)

    def set_sampling(self, index: int, sampling: SamplingSettings) -> None:
        """Give a lane other settings. The seed is everybody's; the others follow the first where they were like it."""
        before = self.lanes[0].entrant.sampling
        for number, lane in enumerate(self.lanes):
            old = lane.entrant.sampling
            new = msgspec.structs.replace(old, seed=sampling.seed)
            if number == index:
                new = sampling
            elif index == 0:
                followed = [name for name in old.__struct_fields__ if getattr(old, name) == getattr(before, name)]
                new = msgspec.structs.replace(new, **{name: getattr(sampling, name) for name in followed})
            self.change(number, sampling=new)

    # Running

    def start(self, prompt: str, phase: Phase, *, new_seed: bool = False) -> None:
        """Clear all lanes for another race; the settings' seed is taken, or with `new_seed` one is drawn anyway."""
        wished = self.lanes[0].entrant.sampling.seed
        self.prompt = prompt
        self.seed = secrets.randbelow(SEED_LIMIT) if new_seed or wished is None else wished
        for lane in self.lanes:
            lane.writing.stop()
            lane.asked = msgspec.structs.replace(
                lane.entrant, sampling=msgspec.structs.replace(lane.entrant.sampling, seed=self.seed)
            )
            lane.writing = Writing(Asked(prompt, len(prompt)), phase)
            lane.text = lane.problem = lane.unknown = ""
            lane.whole = False
            lane.forget()

    def stop(self) -> None:
        """Stop all lanes at their next token."""
        for lane in self.lanes:
            lane.writing.stop()

    def engine_is_ready(self) -> None:
        """Note in all lanes that the engine reads requests."""
        for lane in self.lanes:
            lane.writing.engine_is_ready()

    def take(self, lane: Lane, events: list[GenerationEvent]) -> str:
        """Take a batch of events of a lane's job; return the new text."""
        new, at = [], len(self.prompt or "") + len(lane.text)
        for event in events:
            new.append(lane.writing.take(event, at))
            at += len(new[-1])
            if isinstance(event, GenerationStarted):
                lane.unknown = event.unknown
            elif isinstance(event, GenerationEnded):
                lane.whole = event.reason in ENDED_ITSELF
                if event.reason == "failed":
                    lane.problem = f"{event.message}; {event.hint}" if event.hint else event.message
        text = "".join(new)
        lane.text += text  # once a batch: a long text is copied each time
        self._compare()
        return text

    def _compare(self) -> None:
        for lane in self.lanes[1:]:
            lane.compare(self.lanes[0])


def differences(sampling: SamplingSettings, first: SamplingSettings) -> str:
    """Return what differs from the first lane's settings, in words; the seed never does."""
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
    """Return the whole race as a text to keep: the prompt, the seed, the verdict, and all lanes one below another."""
    parts = [f"seed {race.seed}; {verdict(race)}"]
    first = race.lanes[0].asked or race.lanes[0].entrant
    for number, lane in enumerate(race.lanes, 1):
        if lane.asked is None:
            continue
        told = differences(lane.asked.sampling, SamplingSettings() if number == 1 else first.sampling)
        facts = [f"{number}. {lane.asked.title}", told, lane.writing.reason, share(lane) if number > 1 else ""]
        parts.append(f"=== {'; '.join(fact for fact in facts if fact)}\n{race.prompt or ''}{lane.text}")
    return "\n\n".join(parts) + "\n"


def share(lane: Lane) -> str:
    """Return how much of a lane is as in the first, in words; nothing where there is nothing to compare."""
    return "" if lane.agreement is None else f"{lane.agreement:.0%} as in 1"


def _in_words(value: object) -> str:
    """Return a value as a user would type it; texts in quotes, so that their spaces are seen."""
    text = written(value)
    if isinstance(value, str | tuple) and not text.isidentifier():
        return f"'{text}'" if text else "none"
    return text
