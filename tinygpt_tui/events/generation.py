"""What happens while text is generated."""

from __future__ import annotations

from typing import Literal

import msgspec


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


class GenerationStarted(msgspec.Struct, frozen=True, tag=True):
    """The prompt is encoded.

    `unknown` are the characters of the prompt that the model does not know, each once, in order; they are left out.
    `seed` is the seed in use, also where none was chosen. `step` and `validation_loss` stamp a model in training.
    """

    job: int
    prompt_tokens: int
    block_size: int
    seed: int
    unknown: str = ""
    step: int | None = None
    validation_loss: float | None = None


class Token(msgspec.Struct, frozen=True, tag=True):
    """Text that became whole with this token.

    `text` may be empty (half a character, or text held back because it may be the start of a stop text) or longer
    than one token (what was held back). `index` counts generated tokens from 0; `context_used` of `block_size` tokens
    were seen to draw it.
    """

    job: int
    index: int
    id: int
    text: str
    context_used: int


EndReason = Literal["length", "stop text", "stopped", "failed"]


class GenerationEnded(msgspec.Struct, frozen=True, tag=True):
    """The last event of a job; always comes.

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


class EngineFailed(msgspec.Struct, frozen=True, tag=True):
    """Something outside a job failed: a model could not be opened, or the engine process died."""

    message: str
    hint: str = ""
    model: str = ""


GenerationEvent = EngineReady | ModelOpened | GenerationStarted | Token | GenerationEnded | EngineFailed
