"""What a client may hold of the server without asking for anything, and how early answers arrive."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from makers import wait_until

from tinygpt_tui.server import connection, models
from tinygpt_tui.server.run import listen, new_server
from tinygpt_tui.settings.serving import ServingSettings

ENDLESS = 1_000_000  # minutes for the recurrent model


@pytest.fixture
def served(models: None) -> Iterator[tuple[str, int]]:
    """Serve from a thread on a free port; end within the time that answers have to arrive."""
    settings = ServingSettings(port=0, texts=2, waiting=1, body_kib=4, max_tokens=ENDLESS)
    with listen(settings) as listener:
        server = new_server(settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()
        server.should_exit = True
        thread.join(240)
        assert not thread.is_alive()


def is_closed(client: socket.socket) -> bool:
    """Wait for the server to close this connection; what still arrives is read."""
    client.settimeout(240)
    try:
        while client.recv(65536):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_body_that_is_too_large_is_answered_before_the_connection_ends(
    served: tuple[str, int], declared: bool
) -> None:
    sent = 20_000_000
    length = f"Content-Length: {sent}" if declared else "Transfer-Encoding: chunked"
    with socket.create_connection(served) as client:
        client.sendall(f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n".encode())
        if not declared:
            client.sendall(f"{sent:x}\r\n".encode())
        client.sendall(bytes(sent))  # all of it, before the answer is read
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"limited to 4,096 bytes" in answer


def test_a_connection_whose_request_does_not_arrive_is_closed(
    served: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.2)
    monkeypatch.setattr(connection, "LINGER_S", 0.2)
    begun = {
        "silent": b"",
        "half a head": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
        "half of the second head": b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT",
        "a body that is not read": b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\nx",
    }
    for name, data in begun.items():
        with socket.create_connection(served) as client:
            client.sendall(data)
            if b"/health" in data:
                assert client.recv(65536).startswith(b"HTTP/1.1 200"), name
            assert is_closed(client), name


def test_one_address_cannot_take_all_connections(served: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PER_ADDRESS", 2)
    host, port = served
    with socket.create_connection(served), socket.create_connection(served), socket.create_connection(served) as third:
        assert is_closed(third)
        other = socket.create_connection(served, source_address=("127.0.0.2", 0))
        with other:
            other.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert other.recv(65536).startswith(b"HTTP/1.1 200")
    wait_until(lambda: _is_served(f"http://{host}:{port}"))


def _is_served(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=240).status_code == 200
    except httpx.TransportError:
        return False


def test_answers_are_sent_at_once(served: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    options: list[int] = []
    made = connection.Connection.connection_made

    def look(self: connection.Connection, transport: Any) -> None:
        accepted = transport.get_extra_info("socket")
        options.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        made(self, transport)

    monkeypatch.setattr(connection.Connection, "connection_made", look)
    assert httpx.get(f"http://{served[0]}:{served[1]}/health", timeout=240).status_code == 200
    assert options
    assert all(options)


def test_a_model_that_is_slow_to_open_delays_no_other_and_not_the_end(
    served: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, go_on = threading.Event(), threading.Event()
    really_open = models.ModelCache.open

    def slowly(self: models.ModelCache, path: Any, **options: Any) -> Any:
        if path.name == "state":
            opening.set()
            go_on.wait()
        return really_open(self, path, **options)

    monkeypatch.setattr(models.ModelCache, "open", slowly)
    url = f"http://{served[0]}:{served[1]}"
    asked = {"prompt": "a", "max_tokens": 3}
    with socket.create_connection(served) as waiting:
        body = b'{"model": "state", "prompt": "a"}'
        waiting.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        assert opening.wait(240)
        assert "state" in [model["id"] for model in httpx.get(f"{url}/v1/models", timeout=240).json()["data"]]
        answer = httpx.post(f"{url}/v1/completions", json={"model": "letters", **asked}, timeout=240)
        assert answer.status_code == 200
    assert not go_on.is_set()  # the fixture ends the server while that file is still being read


def send(client: socket.socket, **asked: Any) -> None:
    """Ask for a text."""
    body = json.dumps({"model": "state", "prompt": "a", **asked}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    client.sendall(head.encode() + body)


def all_of(client: socket.socket) -> bytes:
    """Return all that the server sends until it closes the connection."""
    return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.mark.parametrize(("stream", "last"), [(True, b"data: [DONE]"), (False, b'"finish_reason":"length"')])
def test_a_client_that_has_only_ended_its_side_gets_its_answer(
    served: tuple[str, int], stream: bool, last: bytes
) -> None:
    with socket.create_connection(served) as client:
        send(client, max_tokens=1000 if stream else 3, stream=stream)
        client.shutdown(socket.SHUT_WR)
        assert last in all_of(client)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_has_vanished_frees_its_place(
    served: tuple[str, int], stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ENDED_S", 0.1)
    for _ in range(3):  # as many as are written and wait at once
        with socket.create_connection(served) as client:
            send(client, max_tokens=ENDLESS, stream=stream)
            if stream:
                assert client.recv(1)
    url = f"http://{served[0]}:{served[1]}/v1/completions"
    wait_until(
        lambda: (
            httpx.post(url, json={"model": "letters", "prompt": "a", "max_tokens": 3}, timeout=240).status_code == 200
        )
    )
