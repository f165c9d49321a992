"""The routes and what each answers."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tinygpt_tui import reading
from tinygpt_tui.checkpoints.card import CONFIG, ModelCard
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.generation.sampler import choose_seed
from tinygpt_tui.reading import Damage
from tinygpt_tui.server.file_threads import FileThreads
from tinygpt_tui.server.guard import Guard
from tinygpt_tui.server.mailbox import Mailbox
from tinygpt_tui.server.models import ServedModels
from tinygpt_tui.server.openapi import document
from tinygpt_tui.server.page import page
from tinygpt_tui.server.problems import Problem, problem_of, unreadable
from tinygpt_tui.server.replies import Answer
from tinygpt_tui.server.requests import ChatRequest, CompletionPlan, CompletionRequest, plan_for, prompts_for
from tinygpt_tui.server.scheduler import Job, Scheduler
from tinygpt_tui.server.shapes import Health, Model, ModelList, ModelNotes
from tinygpt_tui.server.watching import ClientGone, while_there
from tinygpt_tui.settings.serving import ServingSettings
from tinygpt_tui.settings.windows import policy_for
from tinygpt_tui.tokenizers.base import Tokenizer

FRAME_S = 0.03  # between two pieces of a stream: smooth to read, and few enough messages for a fast model
SMOOTH_TEXTS = 8  # with more texts the pieces come less often: sending would cost more than writing
BODY_S = 20.0  # for a request's body to arrive
PATIENCE_S = 30.0  # a client that reads nothing for that long is dropped
CLIENT_CLOSED_REQUEST = 499  # nginx's; no client is there to read it


class Service:
    """The handlers and what they share."""

    def __init__(self, models: ServedModels, scheduler: Scheduler, settings: ServingSettings) -> None:
        self._models, self._scheduler, self._settings = models, scheduler, settings
        self._numbers = itertools.count(1)
        self._threads = FileThreads()

    async def page(self, request: Request) -> Response:
        """Answer GET /."""
        return page()

    async def models(self, request: Request) -> Response:
        """Answer GET /v1/models."""
        cards = await self._threads.run(self._models.cards)
        return _json(ModelList("list", [_model(card) for card in cards]))

    async def model(self, request: Request) -> Response:
        """Answer GET /v1/models/NAME."""
        name = request.path_params["name"]
        for card in await self._threads.run(self._models.cards):
            if card.name == name:
                return _json(_model(card))
        raise Problem(HTTPStatus.NOT_FOUND, f"no model is called {name!r}", param="model", code="model_not_found")

    async def health(self, request: Request) -> Response:
        """Answer GET /health."""
        return _json(Health("ok", self._scheduler.texts))

    async def openapi(self, request: Request) -> Response:
        """Answer GET /openapi.json."""
        return Response(document(), media_type="application/json")

    async def complete(self, request: Request) -> Response:
        """Answer POST /v1/completions."""
        return await self._answer(request, CompletionRequest)

    async def chat(self, request: Request) -> Response:
        """Answer POST /v1/chat/completions."""
        return await self._answer(request, ChatRequest)

    async def _answer(self, request: Request, kind: type[CompletionRequest] | type[ChatRequest]) -> Response:
        body = await self._body(request)
        try:
            asked = plan_for(reading.decode(body, kind), self._settings)
        except Damage as error:
            raise unreadable(error) from None
        self._scheduler.check_room()  # before a model is opened for a request that will be refused
        try:
            job, mailbox, tokenizer = await self._job(asked)
        except TinyGPTError as error:
            raise problem_of(error) from None
        id = ("chatcmpl-" if asked.chat else "cmpl-") + secrets.token_hex(12)
        answer = Answer(asked, tokenizer, id, int(time.time()))
        if asked.stream:
            return Stream(job, mailbox, answer, self._pause)
        try:
            return await while_there(request.receive, _whole(job, mailbox, answer))
        except ClientGone:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        finally:
            job.cancel()

    def _pause(self) -> float:
        """Return how many seconds a stream collects its next piece."""
        return FRAME_S * max(1.0, self._scheduler.texts / SMOOTH_TEXTS)

    async def _job(self, asked: CompletionPlan) -> tuple[Job, Mailbox, Tokenizer]:
        number, mailbox = next(self._numbers), Mailbox()
        job = await self._threads.run(lambda: self._new_job(asked, number, mailbox))
        self._scheduler.submit(job)
        return job, mailbox, job.model.tokenizer

    def _new_job(self, asked: CompletionPlan, number: int, mailbox: Mailbox) -> Job:
        model = self._models.open(asked.model)
        policy_for(asked.sampling.window, model.config.architecture)  # an error here, not in the middle of a stream
        seed = choose_seed() if asked.sampling.seed is None else asked.sampling.seed
        continued = prompts_for(asked, model.tokenizer)
        prompts = [(prompt, seed + choice) for prompt in continued for choice in range(asked.n)]
        texts = [
            model.new_text(
                prompt,
                msgspec.structs.replace(asked.sampling, seed=own),
                job=number,
                sample=sample,
                candidates=asked.candidates,
            )
            for sample, (prompt, own) in enumerate(prompts)
        ]
        job = Job(model, asked.sampling.window, texts, mailbox.put)
        mailbox.when_full = job.cancel
        return job

    async def _body(self, request: Request) -> bytes:
        most = self._settings.body_kib * 1024
        too_large = Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is limited to {most:,} bytes")
        if int(request.headers.get("content-length", 0)) > most:  # a number: the HTTP parser has checked it
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_S):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most:
                        raise too_large
        except TimeoutError:
            raise Problem(HTTPStatus.REQUEST_TIMEOUT, f"the request did not arrive in {BODY_S:.0f} s") from None
        return bytes(body)


class Stream(Response):
    """Server-sent events, as the texts grow; cancels the job if the client leaves."""

    media_type = "text/event-stream"

    def __init__(self, job: Job, mailbox: Mailbox, answer: Answer, pause: Callable[[], float]) -> None:
        """`pause` returns how many seconds to collect what goes into one piece."""
        super().__init__()
        del self.headers["content-length"]
        self._job, self._mailbox, self._answer, self._pause = job, mailbox, answer, pause

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await while_there(receive, self._send(send))
        except (ClientGone, TimeoutError, OSError):
            pass  # the client has left
        finally:
            self._job.cancel()

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        async with asyncio.timeout(PATIENCE_S):
            await send(start)
        await _send_events(send, self._answer.first_chunks())
        while not self._answer.ended:
            self._answer.add(await self._mailbox.receive())
            if self._mailbox.overflowed:
                return
            await _send_events(send, self._answer.next_chunks())
            if not self._answer.ended:
                await asyncio.sleep(self._pause())
        last = b"[DONE]" if self._answer.failed is None else _failure(self._answer).body()
        await _send_events(send, [last])
        async with asyncio.timeout(PATIENCE_S):
            await send({"type": "http.response.body", "body": b""})


async def _send_events(send: Send, events: list[bytes]) -> None:
    if events:
        body = b"".join(b"data: " + event + b"\n\n" for event in events)
        async with asyncio.timeout(PATIENCE_S):
            await send({"type": "http.response.body", "body": body, "more_body": True})


async def _whole(job: Job, mailbox: Mailbox, answer: Answer) -> Response:
    while not answer.ended:
        answer.add(await mailbox.receive())
        if mailbox.overflowed:
            raise Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server is too busy to finish this text")
    if answer.failed is not None:
        raise _failure(answer)
    return Response(answer.whole(), media_type="application/json")


def _failure(answer: Answer) -> Problem:
    assert answer.failed is not None
    message, hint = answer.failed.message, answer.failed.hint
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, f"{message}; {hint}" if hint else message)


def make_app(
    models: ServedModels, scheduler: Scheduler, settings: ServingSettings, token: str | None = None
) -> Starlette:
    """Return the application; `scheduler` must have been started. With a `token`, requests need it."""
    service = Service(models, scheduler, settings)
    get: list[tuple[str, Callable[..., Any]]] = [
        ("/", service.page),
        ("/v1/models", service.models),
        ("/v1/models/{name}", service.model),
        ("/health", service.health),
        ("/openapi.json", service.openapi),
    ]
    post: list[tuple[str, Callable[..., Any]]] = [
        ("/v1/completions", service.complete),
        ("/v1/chat/completions", service.chat),
    ]
    return Starlette(
        routes=[
            *(Route(path, handler, methods=["GET"]) for path, handler in get),
            *(Route(path, handler, methods=["POST"]) for path, handler in post),
        ],
        middleware=[Middleware(Guard, names=(settings.host, *settings.allowed_hosts), token=token)],
        exception_handlers={
            Problem: _on_problem,
            HTTPException: _on_http_error,
            ClientDisconnect: _on_disconnect,
            Exception: _on_unexpected,
        },
    )


def _model(card: ModelCard) -> Model:
    try:
        created = int((Path(card.path) / CONFIG).stat().st_mtime)
    except OSError:
        created = 0
    notes = ModelNotes(card.architecture, card.parameters, card.block_size, card.vocab_size, card.trained)
    return Model(card.name, "model", created, "tinygpt-tui" if card.origin == "shipped" else "you", notes)


def _json(value: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path[:200]}"
    return Problem(HTTPStatus(error.status_code), f"{where}: {error.detail}", headers=error.headers).response()


async def _on_disconnect(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _on_unexpected(request: Request, error: Exception) -> Response:
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the server's own output has the details").response()
