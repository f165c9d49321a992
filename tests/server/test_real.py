"""A real server on loopback: OpenAI's own client streams from it, and who goes is not written for."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import httpx
import openai
import pytest
from makers import wait_until

from tinygpt_tui.errors import UsageError
from tinygpt_tui.server.run import address, listen, new_server
from tinygpt_tui.settings.serving import ServingSettings


@pytest.fixture
def url(models: None) -> Iterator[str]:
    """Serve from a thread on a free port; stop as Ctrl-C does."""
    settings = ServingSettings(port=0, texts=1, waiting=0, max_tokens=1_000_000)
    with listen(settings) as listener:
        server = new_server(settings, token="secret")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield address(settings, listener)
        server.should_exit = True
        thread.join(240)
        assert not thread.is_alive()


def texts(url: str) -> int:
    """How many texts the server is writing."""
    return int(httpx.get(f"{url}/health", timeout=240).json()["texts"])


def test_openais_client_lists_writes_streams_and_hears_errors(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="secret", max_retries=0) as client:
        assert "letters" in [model.id for model in client.models.list()]
        assert client.models.retrieve("letters").object == "model"

        whole = client.completions.create(model="letters", prompt="abc", max_tokens=30, seed=1, logprobs=2)
        assert whole.choices[0].logprobs is not None
        assert "".join(whole.choices[0].logprobs.tokens or []) == whole.choices[0].text
        stream = client.completions.create(model="letters", prompt="abc", max_tokens=30, seed=1, stream=True)
        assert "".join(chunk.choices[0].text for chunk in stream) == whole.choices[0].text

        chat = client.chat.completions.create(
            model="letters",
            messages=[{"role": "user", "content": "abc"}],
            max_tokens=30,
            seed=1,
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(chat)
        content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert content == whole.choices[0].text
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens == 30

        card = "You are Tess, a girl. You are six years old. You have a red flag. Your best friend is Bea."
        messages = [{"role": "system", "content": card}, {"role": "user", "content": "What does a robin eat?"}]
        said = client.chat.completions.create(model="tales-chat", messages=messages, temperature=0)  # type: ignore[call-overload]
        assert "a few crumbs" in said.choices[0].message.content
        assert said.choices[0].finish_reason == "stop"
        heard = client.chat.completions.create(model="tales-chat", messages=messages, temperature=0, stream=True)  # type: ignore[call-overload]
        pieces = [chunk.choices[0].delta.content or "" for chunk in heard]
        assert "".join(pieces) == said.choices[0].message.content
        with pytest.raises(openai.BadRequestError, match="no role 'king'"):
            client.chat.completions.create(model="tales-chat", messages=[{"role": "king", "content": "a"}])  # type: ignore[list-item]

        with pytest.raises(openai.NotFoundError, match="no model is called 'nobody'"):
            client.completions.create(model="nobody", prompt="a")
        with pytest.raises(openai.BadRequestError, match="temperature"):
            client.completions.create(model="letters", prompt="a", temperature=-1)
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="guess", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()


def test_who_goes_is_not_written_for_and_holds_nobody_up(url: str) -> None:
    headers = {"Authorization": "Bearer secret"}
    endless = {"model": "state", "prompt": "a", "max_tokens": 1_000_000}
    with httpx.stream(
        "POST", f"{url}/v1/completions", json=endless | {"stream": True}, headers=headers, timeout=240
    ) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()  # held: a generator that is let go closes the connection
        next(lines)
        assert texts(url) == 1
        busy = httpx.post(f"{url}/v1/completions", json=endless, headers=headers, timeout=240)
        assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
    wait_until(lambda: texts(url) == 0)

    # The same for one who waits for the whole, and goes without a word.
    body = json.dumps(endless).encode()
    with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0)) as connection:
        connection.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        wait_until(lambda: texts(url) == 1)
    wait_until(lambda: texts(url) == 0)


def test_a_taken_port_is_left_to_its_owner() -> None:
    with listen(ServingSettings()) as first:
        with listen(ServingSettings()) as second:
            assert first.getsockname()[1] != second.getsockname()[1]
        taken = ServingSettings(port=first.getsockname()[1])
        with pytest.raises(UsageError, match="is taken"):
            listen(taken)
    with pytest.raises(UsageError):
        listen(ServingSettings(host="no.such.host.invalid"))
