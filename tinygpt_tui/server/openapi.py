"""GET /openapi.json: the addresses, what they take and what they answer, in OpenAPI 3.1."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from tinygpt_tui import __version__
from tinygpt_tui.server.requests import ChatRequest, CompletionRequest
from tinygpt_tui.server.shapes import ChatCompletion, Completion, ErrorAnswer, Health, Model, ModelList

JSON = "application/json"
STREAM = "text/event-stream"
# What an answer's number means, wherever it may come.
PROBLEMS = {
    400: "what was asked is wrong, and where",
    401: "the token is missing or wrong",
    403: "a page of another site asked",
    404: "no model is called so",
    408: "the request did not arrive in time",
    413: "the request is too long",
    421: "this server is not called so",
    429: "all places are taken; Retry-After says when to come again",
    500: "the server's own fault",
}
COMMON = (401, 403, 421, 500)
ASKED = (400, 404, 408, 413, 429)
SHAPES = (CompletionRequest, ChatRequest, Completion, ChatCompletion, Model, ModelList, Health, ErrorAnswer)


@cache
def document() -> bytes:
    """Return it as JSON."""
    schemas, components = msgspec.json.schema_components(SHAPES, ref_template="#/components/schemas/{name}")
    shapes = dict(zip(SHAPES, schemas, strict=True))
    asked = "The text goes on from the prompt. With `stream` it comes as server-sent events, the last of them `[DONE]`."
    paths = {
        "/v1/models": {"get": _operation("models", "The models there are.", shapes, ModelList)},
        "/v1/models/{name}": {
            "get": _operation("model", "One of them.", shapes, Model, 404)
            | {"parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]}
        },
        "/health": {"get": _operation("health", "Whether the server is there.", shapes, Health)},
        "/v1/completions": {"post": _post("complete", asked, shapes, CompletionRequest, Completion)},
        "/v1/chat/completions": {
            "post": _post(
                "chat",
                f"{asked} The prompt is the contents of all messages, one after the other; roles are ignored.",
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
    operation["responses"]["200"]["content"][STREAM] = {"schema": {"type": "string"}}
    operation["responses"]["429"]["headers"] = {"Retry-After": {"schema": {"type": "string"}}}
    operation["requestBody"] = {"required": True, "content": {JSON: {"schema": shapes[request]}}}
    return operation
