"""What is answered, as OpenAI's API has it, with what is ours beside it: the shapes that the OpenAPI document names.

`replies` writes them without building these; the tests hold both together.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tinygpt_tui.settings.model_config import TrainedOn

Whole = Annotated[int, Meta(ge=0)]
FinishReason = Literal["length", "stop"]


class Error(msgspec.Struct):
    """What went wrong; `param` is the field that it went wrong with."""

    message: str
    type: Literal["invalid_request_error", "authentication_error", "rate_limit_error", "server_error"]
    param: str | None
    code: str | None


class ErrorAnswer(msgspec.Struct):
    """Every answer that is not 200."""

    error: Error


class ModelNotes(msgspec.Struct):
    """What there is to say of a model beyond OpenAI's fields."""

    architecture: str
    parameters: Whole
    block_size: Whole
    vocab_size: Whole
    trained: TrainedOn | None


class Model(msgspec.Struct):
    """A model that can be named in a request."""

    id: str
    object: Literal["model"]
    created: Whole
    owned_by: Literal["tinygpt-tui", "you"]
    tinygpt: ModelNotes


class ModelList(msgspec.Struct):
    """All of them."""

    object: Literal["list"]
    data: list[Model]


class Health(msgspec.Struct):
    """Whether the server answers, and how many texts are being written."""

    status: Literal["ok"]
    texts: Whole


class Usage(msgspec.Struct):
    """Tokens read and written."""

    prompt_tokens: Whole
    completion_tokens: Whole
    total_tokens: Whole


class Notes(msgspec.Struct):
    """What is ours to say of an answer: the seed in use, what was left out, how a full window is read."""

    seed: Whole
    unknown: str
    window: str
    prompt: str | msgspec.UnsetType = msgspec.UNSET


class TokenLogprobs(msgspec.Struct):
    """The tokens of a completion; `text_offset` counts characters."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[Whole]


class CompletionChoice(msgspec.Struct):
    """One text."""

    index: Whole
    text: str
    finish_reason: FinishReason
    logprobs: TokenLogprobs | None


class Completion(msgspec.Struct):
    """The answer of /v1/completions."""

    id: str
    object: Literal["text_completion"]
    created: Whole
    model: str
    choices: list[CompletionChoice]
    usage: Usage
    tinygpt: Notes


class NamedToken(msgspec.Struct):
    """A token and what the model gave it."""

    token: str
    logprob: float
    bytes: list[Annotated[int, Meta(ge=0, le=255)]]


class ChatToken(NamedToken):
    """A token that was written, with its likeliest alternatives."""

    top_logprobs: list[NamedToken]


class ChatLogprobs(msgspec.Struct):
    """The tokens of a chat's answer."""

    content: list[ChatToken]
    refusal: None


class Message(msgspec.Struct):
    """What was written."""

    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(msgspec.Struct):
    """One answer."""

    index: Whole
    message: Message
    finish_reason: FinishReason
    logprobs: ChatLogprobs | None


class ChatCompletion(msgspec.Struct):
    """The answer of /v1/chat/completions."""

    id: str
    object: Literal["chat.completion"]
    created: Whole
    model: str
    choices: list[ChatChoice]
    usage: Usage
    tinygpt: Notes
