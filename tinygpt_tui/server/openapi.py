"""GET /openapi.json: the routes, their requests and their answers, in OpenAPI 3.1."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from tinygpt_tui import __version__
from tinygpt_tui.server.requests import ChatRequest, CompletionRequest
from tinygpt_tui.server.shapes import (
    ChatChunk,
    ChatCompletion,
    Completion,
    CompletionChunk,
    ErrorAnswer,
    Health,
    Model,
    ModelList,
)

JSON = "application/json"
STREAM = "text/event-stream"
# What each status code means.
PROBLEMS = {
    400: "the request is invalid; `param` names the field",
    401: "the token is missing or wrong",
    403: "the request came from a page of another site",
    404: "there is no such model",
    408: "the request did not arrive in time",
    413: "the request is too long",
    421: "this server has no such name",
    429: "too many requests; Retry-After says when to try again",
    500: "an error of the server",
}
COMMON = (401, 403, 421, 500)
ASKED = (400, 404, 408, 413, 429)
SHAPES = (
    *(CompletionRequest, ChatRequest, Completion, CompletionChunk, ChatCompletion, ChatChunk),
    *(Model, ModelList, Health, ErrorAnswer),
)


@cache
def document() -> bytes:
    """Return it as JSON."""
    schemas, components = msgspec.json.schema_components(SHAPES, ref_template="#/components/schemas/{name}")
    shapes = dict(zip(SHAPES, schemas, strict=True))
    asked = "Continue the prompt. With `stream` the text comes as server-sent events, the last of them `[DONE]`."
    paths = {
        "/v1/models": {"get": _operation("models", "The models.", shapes, ModelList)},
        "/v1/models/{name}": {
            "get": _operation("model", "One model.", shapes, Model, 404)
            | {"parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]}
        },
        "/health": {"get": _operation("health", "Whether the server answers.", shapes, Health)},
        "/v1/completions": {"post": _post("complete", asked, shapes, CompletionRequest, Completion)},
        "/v1/chat/completions": {
            "post": _post(
                "chat",
                f"{asked} A model that was trained on conversations answers by their roles; for others the prompt is "
                "the contents of all messages.",
                shapes,
                ChatRequest,
                ChatCompletion,
            )
        },
    }
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "tinygpt-tui",
                "version": __version__,
                "description": "Tiny language models behind OpenAI's API.",
            },
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{}, {"token": []}],
        }
    )


def _operation(id: str, summary: str, shapes: dict[Any, Any], answer: Any, *problems: int) -> dict[str, Any]:
    error = {JSON: {"schema": shapes[ErrorAnswer]}}
    responses: dict[str, Any] = {"200": {"description": "done", "content": {JSON: {"schema": shapes[answer]}}}}
    for number in sorted((*problems, *COMMON)):
        responses[str(number)] = {"description": PROBLEMS[number], "content": error}
    return {"operationId": id, "summary": summary, "responses": responses}


def _post(id: str, summary: str, shapes: dict[Any, Any], request: Any, answer: Any) -> dict[str, Any]:
    operation = _operation(id, summary, shapes, answer, *ASKED)
    operation["responses"]["200"]["content"][STREAM] = {}  # 3.1 has no schema of events; see the chunks in components
    operation["responses"]["429"]["headers"] = {"Retry-After": {"schema": {"type": "string"}}}
    operation["requestBody"] = {"required": True, "content": {JSON: {"schema": shapes[request]}}}
    return operation
