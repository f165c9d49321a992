"""What may be asked: OpenAI's requests as structs, checked while they are read, and what they come to here.

Unknown fields are let pass, since clients send many that change nothing. What would change the text and is not done
here is refused, so that nobody takes one text for the other.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tinygpt_tui.errors import UsageError
from tinygpt_tui.server.problems import Problem
from tinygpt_tui.settings.fields import checked
from tinygpt_tui.settings.sampling import SamplingSettings, Window
from tinygpt_tui.settings.serving import ServingSettings

PLAIN = 500  # tokens where nobody said how many: the program's own default
MOST_CANDIDATES = 20

Tokens = Annotated[int, Meta(ge=0)]
Candidates = Annotated[int, Meta(ge=0, le=MOST_CANDIDATES)]


class StreamOptions(msgspec.Struct, frozen=True):
    """How a stream ends."""

    include_usage: bool | None = None


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """What both kinds of request have. `top_k`, `min_p`, `repetition_penalty` and `window` are our own."""

    model: str
    n: Annotated[int, Meta(ge=1)] | None = None
    seed: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] | None = None
    stop: str | tuple[str, ...] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    window: Window | None = None
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
    """One message. Its role is not seen by a model that knows of none."""

    role: str
    content: str | tuple[TextPart, ...] | None = None

    @property
    def text(self) -> str:
        """What stands in it."""
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
    """What a request comes to: `n` texts from each prompt. `candidates` as for a GenerationJob."""

    chat: bool
    model: str
    prompts: tuple[str, ...]
    n: int
    sampling: SamplingSettings
    candidates: int | None
    echo: bool
    stream: bool
    usage_in_stream: bool


def plan_for(request: CompletionRequest | ChatRequest, limits: ServingSettings) -> CompletionPlan:
    """Return what `request` comes to. Raises Problem where it asks for too much, or for what there is not."""
    _refuse_what_is_not_done(request)
    if isinstance(request, ChatRequest):
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
        raise bad_request("n", f"at most {limits.texts} texts are written at once, not {n * len(prompts)}")
    if most is not None and most > limits.max_tokens:
        raise bad_request("max_tokens", f"at most {limits.max_tokens}, not {most}")
    return CompletionPlan(
        chat=isinstance(request, ChatRequest),
        model=request.model,
        prompts=prompts,
        n=n,
        sampling=_sampling(request, min(PLAIN, limits.max_tokens) if most is None else most),
        candidates=candidates,
        echo=echo,
        stream=bool(request.stream),
        usage_in_stream=bool(request.stream_options and request.stream_options.include_usage),
    )


def _sampling(request: Common, most: int) -> SamplingSettings:
    stop = (request.stop,) if isinstance(request.stop, str) else request.stop or ()
    given = {
        "temperature": 1.0 if request.temperature is None else request.temperature,
        "max_new_tokens": most,
        "stop": stop,
        "seed": request.seed,
    }
    for name in ("top_p", "top_k", "min_p", "repetition_penalty", "window"):
        if getattr(request, name) is not None:
            given[name] = getattr(request, name)
    try:
        return checked(SamplingSettings, given)
    except UsageError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, error.message, param=error.setting) from None


def _refuse_what_is_not_done(request: CompletionRequest | ChatRequest) -> None:
    for name in ("frequency_penalty", "presence_penalty", "logit_bias"):
        if getattr(request, name):
            raise bad_request(name, "not done here; repetition_penalty is")
    if isinstance(request, CompletionRequest):
        if request.suffix:
            raise bad_request("suffix", "these models write on, and cannot fill in")
        if request.best_of is not None and request.best_of > (request.n or 1):
            raise bad_request("best_of", "not done here; ask for n texts and choose")
        if request.echo and request.logprobs is not None:
            raise bad_request("echo", "not together with logprobs")
        return
    if request.tools:
        raise bad_request("tools", "these models call none")
    if request.response_format and request.response_format.get("type") not in (None, "text"):
        raise bad_request("response_format", "text alone")
    if request.top_logprobs and not request.logprobs:
        raise bad_request("top_logprobs", "needs logprobs: true")


def bad_request(param: str, message: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"{param}: {message}", param=param)
