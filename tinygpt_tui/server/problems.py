"""Errors of a request, in the shape that OpenAI's API gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from tinygpt_tui.errors import MissingPackageError, NotFoundError, TinyGPTError, UsageError
from tinygpt_tui.reading import Damage
from tinygpt_tui.server.shapes import Error, ErrorAnswer, ErrorType

# Of msgspec's messages: what is wrong, and where: "Expected `int`, got `str` - at `$.max_tokens`".
_PLACE = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")

_TYPES: dict[HTTPStatus, ErrorType] = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}


class Problem(Exception):
    """A request that ends in an error."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.headers = status, message, param, code, headers

    def body(self) -> bytes:
        """Return it as JSON."""
        kind: ErrorType = "server_error" if self.status >= 500 else "invalid_request_error"
        return msgspec.json.encode(
            ErrorAnswer(Error(self.message, _TYPES.get(self.status, kind), self.param, self.code))
        )

    def response(self) -> Response:
        headers = dict(self.headers or {})
        return Response(self.body(), int(self.status), headers, media_type="application/json")


def problem_of(error: TinyGPTError) -> Problem:
    message = f"{error.message}; {error.hint}" if error.hint else error.message
    if isinstance(error, NotFoundError):
        return Problem(HTTPStatus.NOT_FOUND, message, param="model", code="model_not_found")
    if isinstance(error, UsageError):
        return Problem(HTTPStatus.BAD_REQUEST, message)
    if isinstance(error, MissingPackageError):
        return Problem(HTTPStatus.NOT_IMPLEMENTED, message, param="model", code="missing_package")
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, message)


def unreadable(error: Damage) -> Problem:
    """Return the problem for a body that does not have the expected shape."""
    message = str(error)
    place = _PLACE.search(message)
    if place is None:
        return Problem(HTTPStatus.BAD_REQUEST, f"the request cannot be read: {message}")
    param = place.group(1).partition("[")[0] or None
    return Problem(HTTPStatus.BAD_REQUEST, f"{param or 'request'}: {message[: place.start()]}", param=param)
