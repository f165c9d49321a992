"""The app in the browser is for this user alone: for who knows the token."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import CookieJar, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

from tinygpt_tui.errors import UsageError
from tinygpt_tui.server.in_browser import AppServer, serve_app
from tinygpt_tui.settings.serving import ServingSettings

PORT = 8123
Client = TestClient  # type: ignore[type-arg]


class Stranger:
    """A client without the token, and the address that was printed."""

    def __init__(self, client: Client, printed: str) -> None:
        self.client, self.printed = client, printed


@pytest.fixture
async def stranger() -> AsyncIterator[Stranger]:
    """Serve; no app is started before a socket is open."""
    said: list[str] = []
    server = AppServer(ServingSettings(windows=1), PORT, f"http://127.0.0.1:{PORT}", None, said.append)
    jar = CookieJar(unsafe=True)  # as browsers do, it keeps the cookies of addresses
    async with TestClient(TestServer(await server._make_app()), cookie_jar=jar) as client:
        (printed,) = said
        yield Stranger(client, printed.removeprefix(f"http://127.0.0.1:{PORT}"))


@pytest.fixture
async def owner(stranger: Stranger) -> Client:
    """Open the printed address."""
    assert (await stranger.client.get(stranger.printed)).status == 200
    return stranger.client


async def test_the_printed_address_opens_the_page_which_fetches_nothing_from_elsewhere(owner: Client) -> None:
    answer = await owner.get("/")
    assert answer.status == 200
    assert "googleapis" not in answer.headers["Content-Security-Policy"]
    assert "font-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_the_page_asks_the_address_that_it_was_opened_under(owner: Client) -> None:
    text = await (await owner.get("/", headers={"Host": "localhost:9999", "Cookie": _cookie(owner)})).text()
    assert "ws://localhost:9999/ws" in text
    assert f"127.0.0.1:{PORT}" not in text


async def test_who_has_no_token_gets_neither_page_nor_socket_nor_file(stranger: Stranger) -> None:
    for path in ("/", "/?token=wrong", "/static/js/textual.js", "/download/x"):
        answer = await stranger.client.get(path)
        assert answer.status == 401
        assert "read and write the files" in await answer.text()
    with pytest.raises(WSServerHandshakeError) as refused:
        await stranger.client.ws_connect("/ws")
    assert refused.value.status == 401


async def test_a_rebound_name_and_another_sites_page_do_not_help(owner: Client) -> None:
    assert (await owner.get("/", headers={"Host": "evil.example"})).status == 403
    assert (await owner.get("/", headers={"Host": "evil.example@127.0.0.1"})).status == 403
    for origin in ("http://evil.example", f"http://evil.example:{PORT}", "null", "http://127.0.0.1:1"):
        with pytest.raises(WSServerHandshakeError) as refused:
            await owner.ws_connect("/ws", origin=origin)
        assert refused.value.status == 403


async def test_there_is_a_limit_to_open_windows() -> None:
    server = AppServer(ServingSettings(windows=1), PORT, f"http://127.0.0.1:{PORT}", "secret", print)
    server._windows = 1
    async with TestClient(TestServer(await server._make_app()), cookie_jar=CookieJar(unsafe=True)) as client:
        full = await client.get("/?token=secret")
        assert full.status == 503
        assert "1 windows are open" in await full.text()
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect("/ws")
        assert refused.value.status == 503


def test_it_is_not_offered_to_others() -> None:
    with pytest.raises(UsageError, match="read and write your files"):
        serve_app(ServingSettings(host="0.0.0.0"), None, print)


def _cookie(client: Client) -> str:
    return "; ".join(f"{cookie.key}={cookie.value}" for cookie in client.session.cookie_jar)
