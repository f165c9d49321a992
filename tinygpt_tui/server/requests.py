"""OpenAI's requests as structs, checked while they are read, and the plan that each is turned into.

Unknown fields are ignored, as clients send many that change nothing. A field that would change the text but is not
supported here is refused, so that no client takes one text for another.
"""

from __future__ import annotations

import typing
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tinygpt_tui.errors import UsageError
from tinygpt_tui.server.problems import Problem
from tinygpt_tui.settings.fields import checked
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.settings.serving import ServingSettings
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer, Turn

DEFAULT_TOKENS = 500  # if the request does not say how many: as everywhere in the program
MOST_CANDIDATES = 20

Tokens = Annotated[int, Meta(ge=0)]
Candidates = Annotated[int, Meta(ge=0, le=MOST_CANDIDATES)]


class StreamOptions(msgspec.Struct, frozen=True):
    """How a stream ends."""

    include_usage: bool | None = None


_NAMED_OTHERWISE = ("max_new_tokens", "seed", "stop", "weights")  # declared below in OpenAI's way; or not supported
_TYPES = {name: kind for name, kind in typing.get_type_hints(SamplingSettings).items() if name not in _NAMED_OTHERWISE}
if TYPE_CHECKING:
    from msgspec import Struct as _Sampling
else:
    _Sampling = msgspec.defstruct(
        "_Sampling", [(name, kind | None, None) for name, kind in _TYPES.items()], frozen=True, kw_only=True
    )


class Common(_Sampling, frozen=True, kw_only=True):
    """The fields of both kinds of request: the settings in SamplingSettings, by their names there, and these."""

    model: str
    n: Annotated[int, Meta(ge=1)] | None = None
    seed: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] | None = None
    stop: str | tuple[str, ...] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None


class CompletionRequest(Common, frozen=True, kw_only=True):
    """POST /v1/completions."""

    prompt: str | tuple[str, ...] = ""
    max_tokens: Tokens | None = None
    logprobs: Candidates | None = None
    echo: bool | None = None
    suffix: str | None = None
    best_of: int | None = None


class TextPart(msgspec.Struct, frozen=True):
    """A part of a message."""

    text: str
    type: Literal["text"] = "text"


class ChatMessage(msgspec.Struct, frozen=True):
    """One message. Its role is used by a model that has it, and ignored by one without roles."""

    role: str
    content: str | tuple[TextPart, ...] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, tuple):
            return "".join(part.text for part in self.content)
        return self.content or ""


class ChatRequest(Common, frozen=True, kw_only=True):
    """POST /v1/chat/completions."""

    messages: tuple[ChatMessage, ...]
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    logprobs: bool | None = None
    top_logprobs: Candidates | None = None
    tools: tuple[Any, ...] | None = None
    response_format: dict[str, Any] | None = None


class CompletionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for: `n` texts from each prompt. `candidates` as for a TextGeneration.

    A chat has `turns`, too: a model with roles answers these instead of the prompt.
    """

    chat: bool
    turns: tuple[Turn, ...] = ()
    model: str
    prompts: tuple[str, ...]
    n: int
    sampling: SamplingSettings
    candidates: int | None
    echo: bool
    stream: bool
    usage_in_stream: bool


def prompts_for(plan: CompletionPlan, tokenizer: Tokenizer) -> tuple[str, ...]:
    """Return what a model with that tokenizer continues. Raises UsageError for a role that it does not have."""
    if plan.chat and isinstance(tokenizer, DialogueTokenizer):
        return (tokenizer.prompt_of(plan.turns),)
    return plan.prompts


def plan_for(request: CompletionRequest | ChatRequest, limits: ServingSettings) -> CompletionPlan:
    """Return the plan for `request`. Raises Problem if it asks for too much, or for what is not supported."""
    _refuse_unsupported(request)
    turns: tuple[Turn, ...] = ()
    if isinstance(request, ChatRequest):
        turns = tuple(Turn(message.role, message.text) for message in request.messages)
        prompts: tuple[str, ...] = ("".join(message.text for message in request.messages),)
        most = request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens
        candidates = (request.top_logprobs or 0) if request.logprobs else None
        echo = False
    else:
        prompts = (request.prompt,) if isinstance(request.prompt, str) else request.prompt
        most, candidates, echo = request.max_tokens, request.logprobs, bool(request.echo)
    n = request.n or 1
    if not prompts:
        raise bad_request("prompt", "at least one text is needed")
    if n * len(prompts) > limits.texts:
        raise bad_request("n", f"at most {limits.texts} texts in one request, not {n * len(prompts)}")
    if most is not None and most > limits.max_tokens:
        raise bad_request("max_tokens", f"at most {limits.max_tokens}, not {most}")
    return CompletionPlan(
        chat=isinstance(request, ChatRequest),
        turns=turns,
        model=request.model,
        prompts=prompts,
        n=n,
        sampling=_sampling(request, min(DEFAULT_TOKENS, limits.max_tokens) if most is None else most),
        candidates=candidates,
        echo=echo,
        stream=bool(request.stream),
        usage_in_stream=bool(request.stream_options and request.stream_options.include_usage),
    )


def _sampling(request: Common, most: int) -> SamplingSettings:
    stop = (request.stop,) if isinstance(request.stop, str) else request.stop or ()
    given = {name: value for name in _TYPES if (value := getattr(request, name)) is not None}
    own = {"temperature": 1.0, "max_new_tokens": most, "stop": stop, "seed": request.seed}
    try:
        return checked(SamplingSettings, own | given)
    except UsageError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, error.message, param=error.setting) from None


def _refuse_unsupported(request: CompletionRequest | ChatRequest) -> None:
    if getattr(request, "adapt", None):
        raise bad_request("adapt", "not supported: the texts of a server share one model")
    for name in ("frequency_penalty", "presence_penalty", "logit_bias"):
        if getattr(request, name):
            raise bad_request(name, "not supported; use repetition_penalty")
    if isinstance(request, CompletionRequest):
        if request.suffix:
            raise bad_request("suffix", "not supported: these models only continue a text")
        if request.best_of is not None and request.best_of > (request.n or 1):
            raise bad_request("best_of", "not supported; ask for n texts and choose")
        if request.echo and request.logprobs is not None:
            raise bad_request("echo", "not together with logprobs")
        return
    if request.tools:
        raise bad_request("tools", "not supported by these models")
    if request.response_format and request.response_format.get("type") not in (None, "text"):
        raise bad_request("response_format", "only text is supported")
    if request.top_logprobs and not request.logprobs:
        raise bad_request("top_logprobs", "needs logprobs: true")


def bad_request(param: str, message: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"{param}: {message}", param=param)
