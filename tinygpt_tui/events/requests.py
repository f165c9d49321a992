"""What can be asked of the engine process."""

from __future__ import annotations

import msgspec

from tinygpt_tui.settings.sampling import SamplingSettings

EVERY_TOKEN = -1  # in a gain, instead of a token's id
Gain = tuple[int, int, float]  # a token's id, one of its senses, and the factor by which that one is turned up or down


class OpenModel(msgspec.Struct, frozen=True, tag=True):
    """Have this model (a path) ready, so that the first token comes at once."""

    model: str


class Generate(msgspec.Struct, frozen=True, tag=True):
    """Write on from `prompt` with the model at this path; `job` is the asker's number for it.

    With `candidates` each token carries its TokenProbabilities with that many candidates; None: neither, at no cost.
    `untrained` asks for the same model with the weights that its training began with; `at_step` with those that its
    run kept nearest to that step: the answer's GenerationStarted says which step that is. `gains` turn senses of a
    backpack up or down.
    """

    job: int
    model: str
    prompt: str
    sampling: SamplingSettings
    candidates: int | None = None
    untrained: bool = False
    at_step: int | None = None
    gains: tuple[Gain, ...] = ()


class Explain(msgspec.Struct, frozen=True, tag=True):
    """Say what the model at this path thought of characters `start` to `end` of `text`, as it would have written them.

    Answered by Explained, several times, and a GenerationEnded. Only `window` and `weights` of `sampling` count.
    """

    job: int
    model: str
    text: str
    start: int
    end: int
    sampling: SamplingSettings
    candidates: int = 10
    untrained: bool = False


class CompareWeights(msgspec.Struct, frozen=True, tag=True):
    """Say how far the weights of the model at `other` are from those of the model at `model`.

    Answered by Compared, several times, and a GenerationEnded.
    """

    job: int
    model: str
    other: str


class LookAtSenses(msgspec.Struct, frozen=True, tag=True):
    """Say which senses the tokens of `text` have, and how much of each is meant at its end; of a backpack alone.

    Answered by SensesSeen and a GenerationEnded.
    """

    job: int
    model: str
    text: str
    candidates: int = 8


class Trace(msgspec.Struct, frozen=True, tag=True):
    """Show each step of the forward pass of the model at this path over `text`, or as much as it sees at once.

    Answered by TraceStarted, Traced, several times, and a GenerationEnded.
    """

    job: int
    model: str
    text: str
    untrained: bool = False


class StopJob(msgspec.Struct, frozen=True, tag=True):
    """End this job at its next token; what was written stays."""

    job: int


Request = OpenModel | Generate | Explain | CompareWeights | LookAtSenses | Trace | StopJob
