"""One client's connection: uvicorn's, with limits on what a client may hold without asking for anything.

uvicorn has no time limit before a request's head is complete, and keeps reading after it has answered a request whose
body has not ended. A few hundred silent clients would lock everyone else out.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 20.0  # for a request's head to arrive
LINGER_S = 5.0  # for a client to read an answer that was sent before its body had ended
ENDED_S = 1.0  # after a client has ended its side, for its answer to start
CONNECTIONS = 512  # in all; more are answered 503
PER_ADDRESS = CONNECTIONS // 2  # from one address; more are closed at once


class Connection(H11Protocol):
    """Closes connections whose request does not arrive, and those above an address's share."""

    _head_timer: asyncio.TimerHandle | None = None
    _linger_timer: asyncio.TimerHandle | None = None
    _ended_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit for the first request."""
        super().connection_made(transport)
        if self.client and sum(_address(other) == self.client[0] for other in self.connections) > PER_ADDRESS:
            transport.abort()
        self._limit_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        for timer in (self._head_timer, self._linger_timer, self._ended_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass `data` on; drop it where its request has been answered already."""
        if self._linger_timer is None:
            super().data_received(data)
            self._limit_head()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Let an answer continue if its client has only ended its own side (`nc -N`); return whether it does.

        A client that has vanished looks the same until something is sent to it: then the connection is reset, and the
        answer ends. So an answer that has not started within a second ends, too.
        """
        if self.cycle is None or self.cycle.response_complete or self._linger_timer is not None:
            return False
        self._ended_timer = self.loop.call_later(ENDED_S, self._end_unless_answered)
        return True

    def _end_unless_answered(self) -> None:
        if not self.cycle.response_started:
            self.transport.abort()

    def on_response_complete(self) -> None:
        """After an answer to an incomplete request, end our side and give the client time to read the answer."""
        incomplete = self.conn.their_state is h11.SEND_BODY
        super().on_response_complete()
        if self._ended_timer is not None:
            self.transport.close()
        elif incomplete and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            # Closing with received bytes unread resets the connection, and the client loses the answer.
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self._linger_timer = self.loop.call_later(LINGER_S, self.transport.abort)
        self._limit_head()

    def shutdown(self) -> None:
        """Close now, or after the answer in progress."""
        if self._linger_timer is None:
            super().shutdown()
        else:
            self.transport.abort()

    def _limit_head(self) -> None:
        waiting = self.conn.their_state is h11.IDLE and not self.transport.is_closing()
        if waiting and self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self.transport.abort)
        elif not waiting and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: uvicorn advises to install a WebSocket library, which would change nothing here."""


def _address(connection: object) -> str | None:
    client = getattr(connection, "client", None)
    return client[0] if client else None
