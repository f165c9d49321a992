"""From a free port to Ctrl-C."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable

import uvicorn

from tinygpt_tui import platforms
from tinygpt_tui.errors import UsageError
from tinygpt_tui.server.app import make_app
from tinygpt_tui.server.connection import CONNECTIONS, Connection
from tinygpt_tui.server.models import ServedModels
from tinygpt_tui.server.scheduler import Scheduler
from tinygpt_tui.settings.computing import AUTO
from tinygpt_tui.settings.serving import ServingSettings

LOOPBACK = ("127.0.0.1", "::1", "localhost")
FIRST_PORT = 8000
GOODBYE_S = 3  # for answers to arrive after Ctrl-C


class _Server(uvicorn.Server):
    """Ends the texts first, so that clients receive their ends."""

    def __init__(self, config: uvicorn.Config, scheduler: Scheduler) -> None:
        super().__init__(config)
        self._scheduler = scheduler

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._scheduler.close()
        await super().shutdown(sockets)


def new_server(settings: ServingSettings, token: str | None = None, device: str = AUTO) -> uvicorn.Server:
    """Return a server that is ready to run on a socket of `listen`; its models compute on `device`."""
    scheduler = Scheduler(settings.texts, settings.waiting)
    scheduler.start()
    config = uvicorn.Config(
        make_app(ServedModels(device), scheduler, settings, token),
        http=Connection,
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GOODBYE_S,
    )
    return _Server(config, scheduler)


def serve(settings: ServingSettings, token: str | None, say: Callable[[str], None], device: str = AUTO) -> None:
    """Serve until Ctrl-C; the address is reported. Raises UsageError if it cannot listen."""
    with listen(settings) as listener:
        say(address(settings, listener))
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn has closed all by then, and passes it on
            new_server(settings, token, device).run(sockets=[listener])


def listen(settings: ServingSettings) -> socket.socket:
    """Return a socket that listens: on the requested port, else on the first free one."""
    ports = range(FIRST_PORT, FIRST_PORT + 20) if settings.port is None else (settings.port,)
    for port in (*ports, 0) if settings.port is None else ports:
        try:
            return _bound(settings.host, port)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES) or (settings.port is None and not port):
                raise UsageError(f"host {settings.host}: {error.strerror or error}", "try 127.0.0.1") from error
    raise UsageError(f"port {settings.port} is taken, or not yours", "leave --port out, and a free one is chosen")


def address(settings: ServingSettings, listener: socket.socket) -> str:
    """Return where to find the server: `http://127.0.0.1:8000`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only if the protocol is named; without it answers on an open connection are 40 ms late.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if platforms.may_reuse_address():
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
