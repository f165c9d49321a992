"""Every answer of the server: OpenAI's fields, with ours beside them. The OpenAPI document is made from these."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tinygpt_tui.settings.model_config import TrainedOn

Whole = Annotated[int, Meta(ge=0)]
FinishReason = Literal["length", "stop"]
ErrorType = Literal["invalid_request_error", "authentication_error", "rate_limit_error", "server_error"]


class Error(msgspec.Struct):
    """What went wrong; `param` is the field of the request that caused it."""

    message: str
    type: ErrorType
    param: str | None
    code: str | None


class ErrorAnswer(msgspec.Struct):
    """Every answer that is not 200."""

    error: Error


class ModelNotes(msgspec.Struct):
    """Facts about a model beyond OpenAI's fields."""

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
    """All models."""

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
    """Facts about an answer: the seed, the unknown characters of the prompt, what happens when the window is full."""

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


class CompletionChunkChoice(msgspec.Struct):
    """What is new of one text; the last chunk of a text has its `finish_reason`."""

    index: Whole
    text: str
    finish_reason: FinishReason | None
    logprobs: TokenLogprobs | None


class CompletionChunk(msgspec.Struct):
    """An event of the stream of /v1/completions."""

    id: str
    object: Literal["text_completion"]
    created: Whole
    model: str
    choices: list[CompletionChunkChoice]
    usage: Usage | msgspec.UnsetType | None = msgspec.UNSET
    tinygpt: Notes | msgspec.UnsetType = msgspec.UNSET


class NamedToken(msgspec.Struct):
    """A token and its log probability."""

    token: str
    logprob: float
    bytes: list[Annotated[int, Meta(ge=0, le=255)]]


class ChatToken(NamedToken):
    """A token that was written, with the most likely tokens in its place."""

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


class Delta(msgspec.Struct):
    """What is new of a message."""

    role: Literal["assistant"] | msgspec.UnsetType = msgspec.UNSET
    content: str | msgspec.UnsetType = msgspec.UNSET


class ChatChunkChoice(msgspec.Struct):
    """What is new of one answer; the last chunk of an answer has its `finish_reason`."""

    index: Whole
    delta: Delta
    finish_reason: FinishReason | None
    logprobs: ChatLogprobs | None


class ChatChunk(msgspec.Struct):
    """An event of the stream of /v1/chat/completions."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: Whole
    model: str
    choices: list[ChatChunkChoice]
    usage: Usage | msgspec.UnsetType | None = msgspec.UNSET
    tinygpt: Notes | msgspec.UnsetType = msgspec.UNSET
