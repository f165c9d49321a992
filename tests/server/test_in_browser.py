"""The app in the browser is for this user alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

from tinygpt_tui.errors import UsageError
from tinygpt_tui.server.in_browser import AppServer, serve_app
from tinygpt_tui.settings.serving import ServingSettings

PORT = 8123


@pytest.fixture
async def client() -> AsyncIterator[TestClient]:  # type: ignore[type-arg]
    """Return a client of the server; no app is started before a socket is open."""
    said: list[str] = []
    server = AppServer(ServingSettings(), PORT, f"http://127.0.0.1:{PORT}", said.append)
    async with TestClient(TestServer(await server._make_app())) as client:
        assert said == [f"http://127.0.0.1:{PORT}"]
        yield client


async def test_its_own_page_comes_and_fetches_nothing_from_elsewhere(client: TestClient) -> None:  # type: ignore[type-arg]
    answer = await client.get("/")
    assert answer.status == 200
    assert "googleapis" not in answer.headers["Content-Security-Policy"]
    assert "font-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_a_rebound_name_and_another_sites_page_do_not(client: TestClient) -> None:  # type: ignore[type-arg]
    assert (await client.get("/", headers={"Host": "evil.example"})).status == 403
    for origin in ("http://evil.example", f"http://evil.example:{PORT}", "null", "http://127.0.0.1:1"):
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect("/ws", origin=origin)
        assert refused.value.status == 403


def test_it_is_not_offered_to_others() -> None:
    with pytest.raises(UsageError, match="read and write your files"):
        serve_app(ServingSettings(host="0.0.0.0"), print)
