"""What happens while text is generated."""

from __future__ import annotations

from typing import Literal

import msgspec

from tinygpt_tui.events.tracing import Traced, TraceStarted
from tinygpt_tui.settings.sampling import SamplingChange


class EngineReady(msgspec.Struct, frozen=True, tag=True):
    """The engine process has imported what it needs and takes requests."""

    pid: int
    versions: dict[str, str]


class ModelOpened(msgspec.Struct, frozen=True, tag=True):
    """A model's weights are in the engine.

    `model` is the path that was asked for; `seconds` how long it took.
    """

    model: str
    block_size: int
    vocab_size: int
    parameters: int
    seconds: float


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """A token that could have come next; `text` is what it writes (half a character: the replacement character)."""

    id: int
    text: str
    probability: float


class TokenProbabilities(msgspec.Struct, frozen=True, array_like=True):
    """The model's own probability of a token given what comes before it, without temperature and filters.

    `rank` counts from 1; `entropy` of the whole distribution in nats; `candidates` are the most likely ones. `drawn`,
    where requested, has for each candidate the probability with which the sampling settings draw it; 0: excluded.
    """

    probability: float
    rank: int
    entropy: float
    candidates: tuple[Candidate, ...] = ()
    drawn: tuple[float, ...] = ()


class GenerationStarted(msgspec.Struct, frozen=True, tag=True):
    """The prompt is encoded.

    `unknown` are the characters of the prompt that the model does not know, each once, in order; they are left out.
    `seed` is the seed in use, also if none was chosen. `step` and `validation_loss` are those of the weights, if known;
    `in_training` says that these are the latest ones of a run in training.
    `window`, `weights` and `engine` are what `auto` came to: see settings/sampling.py; `native` or `torch`. `sample` as
    in Token.
    """

    job: int
    prompt_tokens: int
    block_size: int
    seed: int
    unknown: str = ""
    step: int | None = None
    validation_loss: float | None = None
    in_training: bool = False
    window: str = "exact"
    weights: str = "fp32"
    engine: str = ""
    sample: int = 0


class Token(msgspec.Struct, frozen=True, tag=True):
    """Text that became whole with this token.

    `text` may be empty (half a character, or text held back because it may be the start of a stop text) or longer
    than one token (what was held back). `index` counts generated tokens from 0; `context_used` of `block_size` tokens
    were seen to draw it. `chance` is there where it was asked for. `sample` counts the texts of one job from 0.
    """

    job: int
    index: int
    id: int
    text: str
    context_used: int
    chance: TokenProbabilities | None = None
    sample: int = 0


class SamplingChanged(msgspec.Struct, frozen=True, tag=True):
    """The job draws its next tokens with other settings than those before."""

    job: int
    change: SamplingChange


class LearnedWord(msgspec.Struct, frozen=True, array_like=True):
    """A word or name of a text: what it cost when it was first predicted, and the last time, in bits a letter."""

    text: str
    first: float
    now: float


def learned_in_words(word: LearnedWord) -> str:
    """Say what was learned of a word.

    >>> learned_in_words(LearnedWord("Aunt Vera", 3.12, 0.4))
    "knows 'Aunt Vera' now: 3.1 → 0.4 bits a letter"
    """
    return f"knows '{word.text}' now: {word.first:.1f} → {word.now:.1f} bits a letter"


class Adapted(msgspec.Struct, frozen=True, tag=True):
    """A copy of the model has read `read` of the prompt's `of` tokens, and learned from them.

    `steps` are its gradient steps so far; `words` what it learned most, the greatest gain first.
    """

    job: int
    read: int
    of: int
    steps: int
    words: tuple[LearnedWord, ...] = ()


class CopySaved(msgspec.Struct, frozen=True, tag=True):
    """A copy that has learned from a text was saved as the model `name`."""

    job: int
    name: str


class TokenSeen(msgspec.Struct, frozen=True, array_like=True):
    """A token of an existing text: its characters `start` to `end`.

    `chance` is None for the first token, which nothing came before, and for what the model does not know (id -1).
    """

    start: int
    end: int
    id: int
    chance: TokenProbabilities | None


class Explained(msgspec.Struct, frozen=True, tag=True):
    """Some tokens of the text that an Explain asked about, in order of the text; more may follow."""

    job: int
    tokens: tuple[TokenSeen, ...]


class Attribution(msgspec.Struct, frozen=True, array_like=True):
    """A token, characters `start` to `end` of a text, and how far it changed the probability of a later one.

    `bits` is log2 of that probability over what it is without this token: 1 where the token doubles it, -1 where it
    halves it. What "without" means is in insight/attribution.py.
    """

    start: int
    end: int
    bits: float


class Attributed(msgspec.Struct, frozen=True, tag=True):
    """What the token that an Attribute asked about owes to some tokens before it, the nearest first.

    `probability` is its own with all of them; `left` is how many tokens of the window are still to come.
    """

    job: int
    probability: float
    left: int
    tokens: tuple[Attribution, ...]


SHORTEST_COPY = 16  # characters of a passage that counts as copied: shorter ones are common phrases


class CopiedPassage(msgspec.Struct, frozen=True, array_like=True):
    """Characters `start` to `end` of a text, word for word in line `line` (from 1) of the training text."""

    start: int
    end: int
    line: int


class TextChecked(msgspec.Struct, frozen=True, tag=True):
    """What a CheckText has found by now; `done` is 1 in the last one, and the fields after `source` count only there.

    From character `loop_start` to its end the text repeats `loop_period` characters; 0: it does not. `source` is the
    name of the training text, empty if it is not known; `missing` says why the text was not compared with it. `copied`
    are the passages of SHORTEST_COPY or more characters that it has word for word; `unknown` the words that it has
    nowhere, each once.
    """

    job: int
    done: float
    loop_start: int = 0
    loop_period: int = 0
    source: str = ""
    missing: str = ""
    words: int = 0
    known_words: int = 0
    unknown: tuple[str, ...] = ()
    copied: tuple[tuple[int, int], ...] = ()
    longest: CopiedPassage | None = None


class TensorCompared(msgspec.Struct, frozen=True, array_like=True):
    """A tensor of two models. `distance` is how far the other's is, as a share of the first's length.

    A shape is None where a model has no such tensor; distance and cosine are None where the shapes are not the same.
    """

    name: str
    shape: tuple[int, ...] | None
    other_shape: tuple[int, ...] | None
    distance: float | None = None
    cosine: float | None = None


class Compared(msgspec.Struct, frozen=True, tag=True):
    """Some tensors of the two models that a CompareWeights asked about; more may follow."""

    job: int
    tensors: tuple[TensorCompared, ...]


class Sense(msgspec.Struct, frozen=True, array_like=True):
    """What one sense of a token alone predicts: the most likely next tokens, and the least likely ones."""

    candidates: tuple[Candidate, ...]
    against: tuple[str, ...]


class SenseToken(msgspec.Struct, frozen=True, array_like=True):
    """A token of a text, characters `start` to `end` of it.

    `meant` says of each sense which share of the text's last weights it has: those of one sense are 1 over all tokens.
    """

    start: int
    end: int
    id: int
    meant: tuple[float, ...]


class SensesSeen(msgspec.Struct, frozen=True, tag=True):
    """The tokens of a text that are still in sight at its end, and the senses of each by its id."""

    job: int
    tokens: tuple[SenseToken, ...]
    senses: dict[int, tuple[Sense, ...]]


EndReason = Literal["length", "stop text", "blank line", "end of text", "stopped", "failed"]


class GenerationEnded(msgspec.Struct, frozen=True, tag=True):
    """The last event of a job (of each of its texts, where it writes several); always comes.

    `text` is what was still held back and belongs to the output. `seconds_to_first` is from request to first token,
    `seconds` from request to end.
    """

    job: int
    reason: EndReason
    tokens: int
    seconds: float
    seconds_to_first: float | None
    text: str = ""
    message: str = ""
    hint: str = ""
    sample: int = 0


class EngineFailed(msgspec.Struct, frozen=True, tag=True):
    """Something outside a job failed: a model could not be opened, or the engine process died."""

    message: str
    hint: str = ""
    model: str = ""


GenerationEvent = (
    EngineReady
    | ModelOpened
    | GenerationStarted
    | Token
    | SamplingChanged
    | Adapted
    | CopySaved
    | Explained
    | Attributed
    | TextChecked
    | Compared
    | SensesSeen
    | TraceStarted
    | Traced
    | GenerationEnded
    | EngineFailed
)
