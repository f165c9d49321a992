"""The whole app in a browser, by textual-serve: each window has a process of its own, with this user's files.

It listens on this machine only, but a machine may have other users, and a browser other pages: each visitor needs the
token in the printed address, which a cookie then carries.
"""

from __future__ import annotations

import getpass
import html
import logging
import os
import secrets
import sys
from collections.abc import Callable
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.server import Server

from tinygpt_tui import platforms
from tinygpt_tui.errors import UsageError
from tinygpt_tui.server.guard import is_from, is_ours, is_secret
from tinygpt_tui.server.run import LOOPBACK, address, listen
from tinygpt_tui.settings.computing import AUTO
from tinygpt_tui.settings.serving import ServingSettings
from tinygpt_tui.workers.process import environment

# The command line would miss a terminal.
_RUN = "import sys; from tinygpt_tui.ui.app import run; raise SystemExit(run(sys.argv[1]))"


def serve_app(settings: ServingSettings, token: str | None, say: Callable[[str], None], device: str = AUTO) -> None:
    """Serve until Ctrl-C; the address is reported, with a new token if none is given. Models compute on `device`.

    Raises UsageError if it cannot listen, or should not.
    """
    if settings.host not in LOOPBACK:
        raise UsageError(
            f"host {settings.host}: the app can read and write your files, so only this machine may reach it",
            "leave --host out, and reach it through an SSH tunnel",
        )
    with listen(settings) as listener:  # finds a port that is free; textual-serve binds it itself
        url, port = address(settings, listener), listener.getsockname()[1]
    os.environ.update(environment())  # for the apps, which it starts
    AppServer(settings, port, url, token, say, device).serve()


class AppServer(Server):
    """Asks for the token, refuses pages of other sites, and limits how many apps run at once."""

    def __init__(
        self,
        settings: ServingSettings,
        port: int,
        url: str,
        token: str | None,
        say: Callable[[str], None],
        device: str = AUTO,
    ) -> None:
        arguments = [sys.executable, "-P", "-c", _RUN, device]
        command = platforms.command_line(*arguments)
        title = f"tinygpt-tui, with the files of {_user()}"
        super().__init__(command, host=settings.host, port=port, title=title, public_url=url)
        self._names, self._say, self._most = settings.allowed_hosts, say, settings.windows
        self._token, self._printed = token or secrets.token_urlsafe(24), token is None
        self._cookie = f"tinygpt_tui_{port}"  # cookies are shared by all ports of a host
        self._windows = 0

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    async def on_startup(self, app: web.Application) -> None:
        self._say(f"{self.public_url}/?token={quote(self._token) if self._printed else '…'}")

    def initialize_logging(self) -> None:
        logging.basicConfig(level=logging.WARNING)  # a log of requests would hold the token

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        self._windows += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._windows -= 1

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get("Host", "")
        if not is_ours(host, self._names) or not is_from(request.headers.get("Origin"), host):
            raise web.HTTPForbidden(text="pages of other sites may not ask")
        if request.path == "/" and is_secret(request.query.get("token", ""), self._token):
            welcome = web.HTTPSeeOther("/")
            welcome.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict")
            raise welcome
        if not is_secret(request.cookies.get(self._cookie, ""), self._token):
            return _page(web.HTTPUnauthorized.status_code, self._asks_for_token())
        if self._windows >= self._most and request.path in ("/", "/ws"):
            return _page(
                web.HTTPServiceUnavailable.status_code,
                f"<p>{self._windows} windows are open already. Close one and reload this page, or start the server "
                "with a larger --windows.</p>",
            )
        response = await handler(request)
        if isinstance(response, web.Response) and response.content_type == "text/html" and response.text:
            # The page names its own address, which is another one at the end of a tunnel.
            ours = self.public_url.partition("//")[2]
            response.text = response.text.replace(f"//{ours}/", f"//{host}/")
            # Without this the page would fetch a font from elsewhere.
            response.headers["Content-Security-Policy"] = (
                "style-src 'self' 'unsafe-inline'; font-src 'self' data:; frame-ancestors 'none'"
            )
        return response

    def _asks_for_token(self) -> str:
        return (
            f"<p>This page opens the whole app. It can read and write the files of {html.escape(_user())}.</p>"
            "<p>Open the address that <code>tinygpt-tui serve --app</code> printed, or enter its token.</p>"
            '<form><input name="token" type="password" aria-label="Token" autofocus> <button>Open</button></form>'
        )


def _page(status: int, body: str) -> web.Response:
    text = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>tinygpt-tui</title><h1>tinygpt-tui</h1>{body}'
    policy = "default-src 'none'; form-action 'self'; frame-ancestors 'none'"
    return web.Response(status=status, text=text, content_type="text/html", headers={"Content-Security-Policy": policy})


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name is known for this number
        return "the user who started it"
