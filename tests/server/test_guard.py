"""Who is let in."""

from __future__ import annotations

import httpx
import pytest

from tinygpt_tui.settings.serving import ServingSettings

from .conftest import Served

NOT_OURS = [
    *("evil.example", "evil.example:8000", "localhost.evil.example", "", "[::1", "1.2.3", "::1", "[127.0.0.1]"),
    # What a lenient parser of addresses takes for 127.0.0.1, and a browser for another host.
    *("evil.example@127.0.0.1", "127.0.0.1#evil.example", "127.0.0.1/evil.example", "127.0.0.1?evil.example"),
    *("127.0.0.1\\evil.example", "127.0.0.1:80:80", "127.0.0.1:", "127.0.0.1:port", "local\thost", "[localhost]"),
]


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "192.168.1.7:8000"])
async def test_addresses_and_localhost_are_ours(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/health", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("host", NOT_OURS)
async def test_another_name_is_a_rebound_one(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get("/v1/models", headers={"Host": host})
    assert answer.status_code == 421
    assert "error" in answer.json()


async def test_a_name_can_be_allowed(served: Served) -> None:
    named = Served(served.scheduler, ServingSettings(allowed_hosts=("models.example",)))
    async with named.client() as client:
        assert (await client.get("/health", headers={"Host": "Models.example:80"})).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://127.0.0.1:8000", 200), ("http://evil.example", 403), ("null", 403), ("http://127.0.0.1:9000", 403)],
)
async def test_pages_of_other_sites_may_not_ask(client: httpx.AsyncClient, origin: str, status: int) -> None:
    answer = await client.get("/v1/models", headers={"Origin": origin})
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


async def test_every_answer_carries_the_headers(client: httpx.AsyncClient) -> None:
    for answer in (
        await client.get("/v1/models"),
        await client.get("/nothing"),
        await client.get("/", headers={"Host": "x"}),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("given", "status"),
    [(None, 401), ("Bearer wrong", 401), ("secret", 401), ("Bearer sécret", 401), ("Bearer secret", 200)],
)
async def test_a_token_is_asked_for_where_there_is_one(served: Served, given: str | None, status: int) -> None:
    guarded = Served(served.scheduler, served.settings, token="secret")
    headers = {} if given is None else {"Authorization": given.encode()}
    async with guarded.client() as client:
        assert (await client.get("/v1/models", headers=headers)).status_code == status
        assert (await client.get("/health")).status_code == 200


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
async def test_a_token_may_have_any_letters(served: Served, encoding: str) -> None:
    guarded = Served(served.scheduler, served.settings, token="sécret")
    async with guarded.client() as client:
        given = {"Authorization": "Bearer sécret".encode(encoding)}
        assert (await client.get("/v1/models", headers=given)).status_code == 200
    beyond_latin = Served(served.scheduler, served.settings, token="秘密")
    async with beyond_latin.client() as client:
        for header, status in (("Bearer 秘密".encode(), 200), (b"Bearer ??", 401)):
            assert (await client.get("/v1/models", headers={"Authorization": header})).status_code == status
