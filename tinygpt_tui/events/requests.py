"""What can be asked of the engine process."""

from __future__ import annotations

import msgspec

from tinygpt_tui.settings.sampling import SamplingChange, SamplingSettings

EVERY_TOKEN = -1  # in a gain, instead of a token's id
Gain = tuple[int, int, float]  # a token's id, one of its senses, and the factor by which that one is turned up or down


class OpenModel(msgspec.Struct, frozen=True, tag=True):
    """Have this model (a path) ready, so that the first token comes at once."""

    model: str


class JobRequest(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A request that becomes a job: its events carry the number `job`, and the last one is a GenerationEnded.

    `workers.client.Engine.start` sets the number.
    """

    job: int = 0


class Generate(JobRequest, frozen=True):
    """Write on from `prompt` with the model at this path.

    With `candidates` each token carries its TokenProbabilities with that many candidates; None: neither, at no cost.
    `allowed`: how many tokens it may draw until an Allow says otherwise; None: all.
    `untrained` asks for the same model with the weights that its training began with; `at_step` with those that its
    run kept nearest to that step: the answer's GenerationStarted says which step that is. `gains` turn senses of a
    backpack up or down. `changes` to the sampling settings, in order, are applied on the way; with the seed of a text
    and the changes that its SamplingChanged reported, it is the same text.
    """

    model: str
    prompt: str
    sampling: SamplingSettings
    candidates: int | None = None
    untrained: bool = False
    at_step: int | None = None
    gains: tuple[Gain, ...] = ()
    allowed: int | None = None
    changes: tuple[SamplingChange, ...] = ()


class Explain(JobRequest, frozen=True):
    """Say what the model at this path thought of characters `start` to `end` of `text`, as it would have written them.

    Answered by Explained, several times. `window` and `weights` of `sampling` say how the text is read; the others say
    how likely each candidate is to be drawn.
    """

    model: str
    text: str
    start: int
    end: int
    sampling: SamplingSettings
    candidates: int = 10
    untrained: bool = False


class Attribute(JobRequest, frozen=True):
    """Say what the tokens before character `offset` of `text` did for its probability, by the model at this path.

    Answered by Attributed, several times. Only `window` and `weights` of `sampling` count.
    """

    model: str
    text: str
    offset: int
    sampling: SamplingSettings
    untrained: bool = False


class CheckText(JobRequest, frozen=True):
    """Say whether `text` repeats itself, and what of it from character `start` on is in the model's training text.

    Answered by TextChecked, several times. With `quick`, a large training text is left out.
    """

    model: str
    text: str
    start: int = 0
    quick: bool = False


class CompareWeights(JobRequest, frozen=True):
    """Say how far the weights of the model at `other` are from those of the model at `model`.

    Answered by Compared, several times.
    """

    model: str
    other: str


class SaveCopy(JobRequest, frozen=True):
    """Save the copy of the model at this path that has learned from `text` as a model of the user's.

    Answered by Adapted, several times, and CopySaved.
    """

    model: str
    text: str
    untrained: bool = False


class LookAtSenses(JobRequest, frozen=True):
    """Say which senses the tokens of `text` have, and how much of each is meant at its end; of a backpack alone.

    Answered by SensesSeen.
    """

    model: str
    text: str
    candidates: int = 8


class Trace(JobRequest, frozen=True):
    """Show each step of the forward pass of the model at this path over `text`, or as much as it sees at once.

    Answered by TraceStarted and Traced, several times.
    """

    model: str
    text: str
    untrained: bool = False


class StopJob(msgspec.Struct, frozen=True, tag=True):
    """End this job at its next token; what was written stays."""

    job: int


class Allow(msgspec.Struct, frozen=True, tag=True):
    """Let a Generate draw this many tokens in all, and then wait for more; None: as many as it wants, at full speed.

    Fewer than it has drawn: it waits before its next token. A job that waits computes nothing, and can be stopped. With
    `candidates` each of these tokens carries its TokenProbabilities, `drawn` included; 0: what its Generate asked for.
    """

    job: int
    tokens: int | None
    candidates: int = 0


class ChangeSampling(msgspec.Struct, frozen=True, tag=True):
    """Draw the rest of a Generate's tokens with the temperature, top k, top p and min p of `sampling`.

    Answered by SamplingChanged before the next token, unless they are in force already. Any `changes` of the Generate
    that are still to come are dropped.
    """

    job: int
    sampling: SamplingSettings


Control = StopJob | Allow | ChangeSampling  # what is said to a running job
Work = (
    Generate | Explain | Attribute | CheckText | CompareWeights | SaveCopy | LookAtSenses | Trace
)  # what becomes a job
Request = OpenModel | Work | Control
