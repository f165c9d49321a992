"""What a learner did, as plain data: texts from sessions, runs from their journals, and what was looked at."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Wrote(msgspec.Struct, frozen=True, tag=True):
    """A text that was generated since the lesson was opened, with its prompt; `tokens` were added last,
    with these settings.

    `window` is how many tokens its model sees (0: no limit); `unknown` the prompt's characters that it does not know.
    """

    model: str
    text: str
    tokens: int
    temperature: float = 0.8
    top_p: float = 1.0
    untrained: bool = False
    window: int = 0
    unknown: str = ""
    prompt: str = ""


class Looked(msgspec.Struct, frozen=True, tag=True):
    """A character under the microscope: its probability, its rank, and the probability of the best guess.

    `untrained`: written and read by the untrained copy of `model`. `old`: of a text from before the lesson.
    """

    offset: int
    text: str
    probability: float
    rank: int
    top: float
    bits: float
    untrained: bool = False
    model: str = ""
    old: bool = False


class Coloured(msgspec.Struct, frozen=True, tag=True):
    """A text was coloured by surprise. `old`: it is from before the lesson."""

    characters: int
    old: bool = False


class Inspected(msgspec.Struct, frozen=True, tag=True):
    """A forward pass in a view of Inspect.

    `back` is, for each head as (layer, head), counted from 1, the weight that the selected token gives to the token
    before it. `guesses` are the best guesses for the selected token's successor: before block 1, after block 1, …
    """

    view: str
    model: str
    tokens: int
    untrained: bool = False
    back: tuple[tuple[int, int, float], ...] = ()
    guesses: tuple[str, ...] = ()


class RunViewed(msgspec.Struct, frozen=True, tag=True):
    """A run on the Train tab: which pane, which curves, which published results behind them."""

    run: str
    pane: str
    curves: str = "loss"
    yardsticks: bool = True
    overlays: tuple[str, ...] = ()


class Raced(msgspec.Struct, frozen=True, tag=True):
    """A race in which every pane has written; `models` are their names."""

    prompt: str
    models: tuple[str, ...]


Seen = Looked | Coloured | Inspected | RunViewed | Raced


class Trained(msgspec.Struct, frozen=True):
    """One of the user's own runs that has ended; losses are in nats per character, None where nothing was measured.

    `floors` are the baselines by order (1: letters, 2: bigram, 3: trigram, 5: 5-gram). `overfits_from` is the step of
    the best weights where the run overfits. `own_text`: the text is not one of the catalogue's. `recipe` is equal for
    two runs that differ at most in their learning rates and their seed.
    """

    name: str
    corpus: str
    created: float
    steps: int
    seconds: float
    learning_rate: float
    vocabulary: int
    recipe: str = ""
    characters: int = 0
    own_text: bool = False
    start: str = ""
    first_loss: float | None = None
    best_loss: float | None = None
    overfits_from: int | None = None
    floors: dict[int, float] = {}


class Model(NamedTuple):
    """A model on this machine. `loss` is on its validation split, `parts` its parameters by the name of the part."""

    parameters: int
    window: int
    vocabulary: int
    loss: float | None
    floors: dict[int, float]
    parts: dict[str, int]


class Facts(msgspec.Struct, frozen=True):
    """All that a check may look at; the newest text, sight and run come last."""

    wrote: tuple[Wrote, ...] = ()
    seen: tuple[Seen, ...] = ()
    trained: tuple[Trained, ...] = ()
    models: dict[str, Model] = {}
