"""The API keeps OpenAI's contract, and writes what the command line writes."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import msgspec
import pytest

from tinygpt_tui import paths
from tinygpt_tui.events.generation import GenerationEnded, Token
from tinygpt_tui.generation.text import GenerationJob, TextGeneration
from tinygpt_tui.server.requests import CompletionRequest, plan_for
from tinygpt_tui.settings.fields import fields_of
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.settings.serving import ServingSettings
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer, Turn
from tinygpt_tui.workers.models import open_model

DIALOGUE = DialogueTokenizer(CharTokenizer("abcdefgh"), ("system", "user", "assistant"), ("assistant",))
COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"


def written(model: str, prompt: str, **sampling: Any) -> str:
    """What a job of its own writes."""
    opened = open_model(paths.models_folder() / model)
    settings = SamplingSettings(**{"temperature": 1.0, "max_new_tokens": 12, **sampling})
    job = GenerationJob(opened.new_engine(), TextGeneration(opened.tokenizer, 8, prompt, settings))
    return "".join(event.text for event in job if isinstance(event, Token | GenerationEnded))


def events_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """Take a stream apart; it must end as it should."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


async def test_it_names_the_models_that_can_be_used(client: httpx.AsyncClient) -> None:
    found = (await client.get("/v1/models")).json()
    assert found["object"] == "list"
    assert {"letters", "state", "shakespeare"} <= {model["id"] for model in found["data"]}
    one = (await client.get("/v1/models/letters")).json()
    assert one in found["data"]
    assert one["tinygpt"]["block_size"] == 8
    assert (await client.get("/v1/models/nobody")).json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("model", ["letters", "state"])
async def test_several_texts_are_those_of_jobs_of_their_own(client: httpx.AsyncClient, model: str) -> None:
    asked = {"model": model, "prompt": ["abc", "k"], "n": 2, "seed": 5, "max_tokens": 12}
    answer = (await client.post(COMPLETIONS, json=asked)).json()
    expected = [written(model, prompt, seed=seed) for prompt in ("abc", "k") for seed in (5, 6)]
    assert [choice["text"] for choice in answer["choices"]] == expected
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert {choice["finish_reason"] for choice in answer["choices"]} == {"length"}
    assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": 48, "total_tokens": 52}
    assert answer["tinygpt"]["seed"] == 5


async def test_a_stream_is_the_same_text(client: httpx.AsyncClient) -> None:
    asked = {"model": "letters", "prompt": "abc", "seed": 1, "max_tokens": 30, "n": 2, "stream": True}
    chunks = events_of(await client.post(COMPLETIONS, json=asked | {"stream_options": {"include_usage": True}}))
    assert chunks.pop()["usage"]["completion_tokens"] == 60
    for index in (0, 1):
        mine = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]
        assert "".join(choice["text"] for choice in mine) == written(
            "letters", "abc", seed=1 + index, max_new_tokens=30
        )
        assert [choice["finish_reason"] for choice in mine if choice["finish_reason"]] == ["length"]


async def test_a_chat_is_its_messages_one_behind_the_other_and_says_so(client: httpx.AsyncClient) -> None:
    messages = [
        {"role": "system", "content": "ab"},
        {"role": "user", "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]},
    ]
    asked = {"model": "letters", "messages": messages, "seed": 3, "max_completion_tokens": 12}
    answer = (await client.post(CHAT, json=asked)).json()
    assert answer["object"] == "chat.completion"
    expected = written("letters", "abcd", seed=3)
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": expected, "refusal": None}
    assert "roles are ignored" in answer["tinygpt"]["prompt"]
    chunks = events_of(await client.post(CHAT, json=asked | {"stream": True}))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("content", "") for delta in deltas) == expected


async def test_a_model_with_roles_answers_by_them(client: httpx.AsyncClient) -> None:
    messages = [{"role": "developer", "content": "ab"}, {"role": "user", "content": "c\x1f\ufdd2d"}]
    asked = {"model": "talk", "messages": messages, "seed": 3, "max_tokens": 40}
    answer = (await client.post(CHAT, json=asked)).json()
    prompt = DIALOGUE.prompt_of([Turn("system", "ab"), Turn("user", "cd")])
    expected = written("talk", prompt, seed=3, max_new_tokens=40)
    assert answer["choices"][0]["message"]["content"] == expected
    assert answer["choices"][0]["finish_reason"] == "stop"  # of its turn
    assert answer["usage"]["prompt_tokens"] == len(DIALOGUE.encode(prompt)) == 10
    assert answer["tinygpt"]["prompt"] == "the messages with their roles"
    chunks = events_of(await client.post(CHAT, json=asked | {"stream": True}))
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == expected
    refused = await client.post(CHAT, json=asked | {"messages": [{"role": "king", "content": "a"}]})
    assert refused.status_code == 400
    assert "no role 'king'" in refused.json()["error"]["message"]
    plain = (await client.post(COMPLETIONS, json={"model": "talk", "prompt": "cd", "seed": 3, "max_tokens": 9})).json()
    spoken = DIALOGUE.prompt_of([Turn("user", "cd")])
    assert plain["choices"][0]["text"] == written("talk", spoken, seed=3, max_new_tokens=9)


async def test_a_stop_text_ends_it_and_its_tokens_are_not_told(client: httpx.AsyncClient) -> None:
    whole = written("letters", "abc", seed=2, max_new_tokens=100)
    stop = whole[20:23]
    expected = whole[: whole.index(stop)]
    asked = {"model": "letters", "prompt": "abc", "seed": 2, "max_tokens": 100, "stop": stop, "logprobs": 3}
    choice = (await client.post(COMPLETIONS, json=asked)).json()["choices"][0]
    assert choice["text"] == expected
    assert choice["finish_reason"] == "stop"
    logprobs = choice["logprobs"]
    assert "".join(logprobs["tokens"]) == expected
    assert logprobs["text_offset"] == list(range(len(expected)))
    assert all(len(top) == 3 for top in logprobs["top_logprobs"])
    assert all(value <= 0 for value in logprobs["token_logprobs"])
    streamed = events_of(await client.post(COMPLETIONS, json=asked | {"stream": True}))
    pieces = [chunk["choices"][0] for chunk in streamed]
    assert "".join(piece["text"] for piece in pieces) == expected
    assert [token for piece in pieces for token in piece["logprobs"]["tokens"]] == logprobs["tokens"]


async def test_chances_of_a_chat_are_probabilities(client: httpx.AsyncClient) -> None:
    asked = {"model": "letters", "messages": [{"role": "user", "content": "abc"}], "max_tokens": 5}
    answer = (await client.post(CHAT, json=asked | {"logprobs": True, "top_logprobs": 13})).json()
    content = answer["choices"][0]["logprobs"]["content"]
    assert len(content) == 5
    for token in content:
        assert bytes(token["bytes"]).decode() == token["token"]
        assert sum(math.exp(other["logprob"]) for other in token["top_logprobs"]) == pytest.approx(1, abs=1e-5)


async def test_echo_and_no_token(client: httpx.AsyncClient) -> None:
    asked = {"model": "letters", "prompt": "abc", "max_tokens": 0, "echo": True}
    choice = (await client.post(COMPLETIONS, json=asked)).json()["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == ("abc", "length")


async def test_what_the_model_does_not_know_is_told(client: httpx.AsyncClient) -> None:
    answer = (await client.post(COMPLETIONS, json={"model": "letters", "prompt": "aé", "max_tokens": 1})).json()
    assert answer["tinygpt"]["unknown"] == "é"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"max_tokens": 201}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"n": 5}, "n"),
        ({"n": 3, "prompt": ["a", "b"]}, "n"),  # the limit of 4 counts the texts of all prompts
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"logprobs": 21}, "logprobs"),
        ({"logit_bias": {"3": 1}}, "logit_bias"),
        ({"adapt": True}, "adapt"),
        ({"presence_penalty": 1}, "presence_penalty"),
        ({"suffix": "x"}, "suffix"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"window": "rolling"}, None),
    ],
)
async def test_what_cannot_be_is_said_in_openais_shape(
    client: httpx.AsyncClient, change: dict[str, Any], param: str | None
) -> None:
    answer = await client.post(COMPLETIONS, json={"model": "letters", "prompt": "abc", "max_tokens": 2} | change)
    error = answer.json()["error"]
    assert answer.status_code == 400, error
    assert error["param"] == param
    assert error["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", COMPLETIONS, b"{", 400),
        ("POST", COMPLETIONS, b'\xff"', 400),
        ("POST", COMPLETIONS, b"[]", 400),
        ("POST", COMPLETIONS, b'{"unknown":' + b"[" * 1500 + b"]" * 1500 + b"}", 400),  # deeper than can be read
        ("POST", CHAT, b'{"model": "letters"}', 400),
        ("POST", COMPLETIONS, b'{"model": "nobody"}', 404),
        ("POST", COMPLETIONS, b" " * 5000, 413),
        ("GET", COMPLETIONS, b"", 405),
        ("GET", "/v1/nothing", b"", 404),
    ],
)
async def test_every_refusal_has_the_shape(
    client: httpx.AsyncClient, method: str, path: str, body: bytes, status: int
) -> None:
    answer = await client.request(method, path, content=body)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("name", ["../letters", "{home}/letters", ".", "", "letters/config.json", "letters\x00"])
async def test_a_models_name_is_never_a_path(client: httpx.AsyncClient, name: str) -> None:
    name = name.format(home=paths.models_folder())
    answer = await client.post(COMPLETIONS, json={"model": name, "prompt": "a"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("name", [*fields_of(SamplingSettings)])
def test_every_sampling_setting_can_be_requested(name: str) -> None:
    """By its own name, or by the one that OpenAI's API has for it; weights other than fp32 are not served."""
    values: dict[str, Any] = {
        "temperature": 0.3, "top_k": 4, "top_p": 0.4, "min_p": 0.2, "repetition_penalty": 1.3, "max_new_tokens": 7,
        "seed": 3, "stop": ("a", "b"), "stop_at_blank_line": True, "stop_at_end_of_text": False, "banned": "x",
        "allowed": "abc", "window": "exact", "weights": "fp32", "adapt": False,
    }  # fmt: skip
    body = {"model": "letters", {"max_new_tokens": "max_tokens"}.get(name, name): values[name]}
    plan = plan_for(msgspec.convert(body, CompletionRequest), ServingSettings())
    assert getattr(plan.sampling, name) == values[name]
