"""The whole app in a browser, by textual-serve: each visitor has a process of their own, with this user's files.

So nobody but this user may come: it listens on this machine alone, and pages of other sites are turned away.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.server import Server

from tinygpt_tui.errors import UsageError
from tinygpt_tui.server.guard import is_ours
from tinygpt_tui.server.run import LOOPBACK, address, listen
from tinygpt_tui.settings.serving import ServingSettings
from tinygpt_tui.workers.process import environment

_RUN = "from tinygpt_tui.ui.app import run; raise SystemExit(run())"  # the command line would miss a terminal


def serve_app(settings: ServingSettings, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; the address is said. Raises UsageError where it cannot listen, or should not."""
    if settings.host not in LOOPBACK:
        raise UsageError(
            f"host {settings.host}: the app can read and write your files, and asks nobody who they are",
            "leave --host out, and reach it through an SSH tunnel",
        )
    with listen(settings) as listener:  # finds a port that is free; textual-serve binds it itself
        url, port = address(settings, listener), listener.getsockname()[1]
    os.environ.update(environment())  # for the apps, which it starts
    AppServer(settings, port, url, say).serve()


class AppServer(Server):
    """Turns away who is not this user's own browser, and says its address in our way."""

    def __init__(self, settings: ServingSettings, port: int, url: str, say: Callable[[str], None]) -> None:
        arguments = [sys.executable, "-P", "-c", _RUN]
        command = subprocess.list2cmdline(arguments) if os.name == "nt" else shlex.join(arguments)
        super().__init__(command, host=settings.host, port=port, title="tinygpt-tui", public_url=url)
        self._names, self._say = settings.allowed_hosts, say
        names = ("localhost", "127.0.0.1", "[::1]", *settings.allowed_hosts)
        self._origins = {f"http://{name}:{port}" for name in names}  # the page may be open under another than it asks
        self._policy = f"style-src 'self' {url} 'unsafe-inline'; font-src 'self' {url} data:; frame-ancestors 'none'"

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    async def on_startup(self, app: web.Application) -> None:
        self._say(self.public_url)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        if not is_ours(host, self._names) or (origin is not None and origin.lower() not in self._origins):
            raise web.HTTPForbidden(text="pages of other sites may not ask")
        response = await handler(request)
        if not response.prepared:  # a socket is
            response.headers["Content-Security-Policy"] = self._policy  # its page would fetch a font from elsewhere
        return response
