"""Access: the Host, the Origin and the token of each request are checked first.

A page of another site cannot reach the server through the user's browser: with DNS rebinding its request has another
host name, with a plain form or fetch another Origin, and no answer allows another origin.
"""

from __future__ import annotations

import contextlib
import hmac
import ipaddress
import re
from collections.abc import Collection
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tinygpt_tui.server.problems import Problem

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
OPEN_TO_ALL = ("/", "/health")  # without a token: the page asks for it
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Za-z._-]+))(?::\d{1,5})?")  # RFC 9110: host and port, nothing else


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, *, names: Collection[str], token: str | None) -> None:
        """`names` are allowed as Host besides localhost and addresses; with a `token`, requests need it."""
        self._app, self._names, self._token = app, names, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed; add our headers to every answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope["path"], Headers(scope=scope))
        except Problem as problem:
            await problem.response()(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _check(self, path: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if not is_ours(host, self._names):
            raise Problem(
                HTTPStatus.MISDIRECTED_REQUEST, f"this server has no name {host[:100]!r}; see --allowed-hosts"
            )
        if not is_from(headers.get("origin"), host):
            raise Problem(HTTPStatus.FORBIDDEN, "pages of other sites may not ask")
        if self._token is None or path in OPEN_TO_ALL:
            return
        if not is_secret(headers.get("authorization", ""), f"Bearer {self._token}"):
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "the token is missing or wrong: Authorization: Bearer TOKEN",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )


def is_ours(host: str, names: Collection[str] = ()) -> bool:
    """Whether a Host header is an address, localhost or one of `names`: a name can be rebound, an address cannot."""
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = (found[1] or found[2]).lower()
    if found[1] is None and (name == "localhost" or name in {allowed.lower() for allowed in names}):
        return True
    try:
        return (ipaddress.ip_address(name).version == 6) == (found[1] is not None)
    except ValueError:
        return False


def is_from(origin: str | None, host: str) -> bool:
    """Whether an Origin header is that of our own page; None: no header, so not a browser's page."""
    return origin is None or origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())


def is_secret(given: str, secret: str) -> bool:
    """Compare in constant time; clients write a header's text in UTF-8 or in Latin-1."""
    raw = given.encode("latin-1", "surrogateescape")  # the bytes as received: servers decode headers this way
    encoded = [secret.encode()]
    with contextlib.suppress(UnicodeEncodeError):
        encoded.append(secret.encode("latin-1"))
    return any(hmac.compare_digest(raw, one) for one in encoded)
