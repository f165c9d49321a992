"""From events to what OpenAI's API answers: pieces of text with their tokens, whole or as they come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from tinygpt_tui.events.generation import EndReason, GenerationEnded, GenerationStarted, Token, TokenProbabilities
from tinygpt_tui.generation.text import TextEvent
from tinygpt_tui.server.requests import CompletionPlan
from tinygpt_tui.tokenizers.base import Tokenizer

LOWEST = -9999.0  # JSON knows no infinity
CONCATENATED = "the contents of all messages, one behind the other; roles are not seen"
_REASONS: dict[EndReason, str] = {"length": "length"}  # all else is "stop"


class Seen(msgspec.Struct, frozen=True):
    """A token that stands in the text, at this character of it, and what the model thought of it."""

    bytes: bytes
    offset: int
    chance: TokenProbabilities

    @property
    def text(self) -> str:
        """What it writes; half a character is U+FFFD."""
        return self.bytes.decode("utf-8", "replace")


class Piece(msgspec.Struct, frozen=True):
    """What has come of choice `index` since the last piece."""

    index: int
    text: str
    tokens: tuple[Seen, ...]
    finish_reason: str | None


class Choice:
    """One text of an answer. Tokens are told when their text is: what a stop text cuts off is not told at all."""

    def __init__(self, index: int, tokenizer: Tokenizer, text: str = "") -> None:
        """`text` is what is echoed."""
        self.index, self._tokenizer = index, tokenizer
        self._new = text
        self._finish_reason: str | None = None
        self._offset = len(text)
        self._waiting: list[tuple[int, Seen]] = []  # with the byte at which each ends
        self._bytes_read = self._bytes_shown = 0
        self._ready: list[Seen] = []

    def add(self, event: Token) -> None:
        """A token was drawn."""
        if event.chance is not None:
            seen = Seen(self._tokenizer.bytes_of(event.id), self._offset, event.chance)
            self._offset += len(seen.text)
            self._bytes_read += len(seen.bytes)
            self._waiting.append((self._bytes_read, seen))
        self._show(event.text)

    def end(self, event: GenerationEnded) -> None:
        """No more comes."""
        self._show(event.text)
        if event.reason in (
            "length",
            "stopped",
        ):  # half a character at the end is shown in another way than it was read
            self._ready += [seen for _, seen in self._waiting]
        self._waiting = []
        self._finish_reason = _REASONS.get(event.reason, "stop")

    def piece(self) -> Piece | None:
        """Return what is new, and forget it; None where nothing is."""
        if not (self._new or self._ready or self._finish_reason):
            return None
        piece = Piece(self.index, self._new, tuple(self._ready), self._finish_reason)
        self._new, self._ready, self._finish_reason = "", [], None
        return piece

    def _show(self, text: str) -> None:
        self._new += text
        if self._waiting:
            self._bytes_shown += len(text.encode("utf-8", "replace"))
            while self._waiting and self._waiting[0][0] <= self._bytes_shown:
                self._ready.append(self._waiting.pop(0)[1])


class Answer:
    """All choices of one request, and what stands around them."""

    def __init__(self, plan: CompletionPlan, tokenizer: Tokenizer, id: str, created: int) -> None:
        self._plan, self._id, self._created = plan, id, created
        echoes = [prompt if plan.echo else "" for prompt in plan.prompts for _ in range(plan.n)]
        self._choices = [Choice(index, tokenizer, echo) for index, echo in enumerate(echoes)]
        self._going_on = len(self._choices)
        self._prompt_tokens = self._completion_tokens = 0
        self._started: GenerationStarted | None = None
        self.failed: GenerationEnded | None = None

    @property
    def ended(self) -> bool:
        """Whether all has come, or one text failed."""
        return not self._going_on or self.failed is not None

    def add(self, events: Sequence[TextEvent]) -> None:
        """Take in what happened."""
        for event in events:
            match event:
                case GenerationStarted():
                    self._started = self._started or event
                    if event.sample % self._plan.n == 0:  # texts of one prompt read it together
                        self._prompt_tokens += event.prompt_tokens
                case Token():
                    self._choices[event.sample].add(event)
                case GenerationEnded():
                    self._going_on -= 1
                    self._completion_tokens += event.tokens
                    if event.reason == "failed":
                        self.failed = event
                    self._choices[event.sample].end(event)

    def whole(self) -> bytes:
        """Return the answer as one."""
        choices = []
        for piece in self._pieces():
            choice = {"index": piece.index, "finish_reason": piece.finish_reason, **self._logprobs(piece)}
            if self._plan.chat:
                choice["message"] = {"role": "assistant", "content": piece.text, "refusal": None}
            else:
                choice["text"] = piece.text
            choices.append(choice)
        kind = "chat.completion" if self._plan.chat else "text_completion"
        return msgspec.json.encode(self._around(kind, choices) | {"usage": self._usage(), "tinygpt": self._notes()})

    def beginning(self) -> list[bytes]:
        """Return the chunks that come before the first text of a stream."""
        if not self._plan.chat:
            return []
        empty = {"role": "assistant", "content": ""}
        return [self._chunk([self._delta(choice.index, empty)]) for choice in self._choices]

    def chunks(self) -> list[bytes]:
        """Return what is new as chunks of a stream; the last ones carry the ends."""
        found = []
        for piece in self._pieces():
            if self._plan.chat:
                content = {"content": piece.text} if piece.text or piece.tokens else {}
                choice = self._delta(piece.index, content)
                choice["finish_reason"] = piece.finish_reason
            else:
                choice = {"index": piece.index, "text": piece.text, "finish_reason": piece.finish_reason}
            found.append(self._chunk([choice | self._logprobs(piece)]))
        if self.ended and self._plan.usage_in_stream:
            found.append(self._chunk([], usage=self._usage()))
        return found

    def _pieces(self) -> list[Piece]:
        return [piece for choice in self._choices if (piece := choice.piece()) is not None]

    def _delta(self, index: int, delta: dict[str, str]) -> dict[str, Any]:
        return {"index": index, "delta": delta, "finish_reason": None, "logprobs": None}

    def _chunk(self, choices: list[dict[str, Any]], usage: dict[str, int] | None = None) -> bytes:
        chunk = self._around("chat.completion.chunk" if self._plan.chat else "text_completion", choices)
        if self._plan.usage_in_stream:
            chunk["usage"] = usage
        if self._started is not None:
            chunk["tinygpt"] = self._notes()
        return msgspec.json.encode(chunk)

    def _around(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._plan.model,
            "choices": choices,
        }

    def _usage(self) -> dict[str, int]:
        read, written = self._prompt_tokens, self._completion_tokens
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}

    def _notes(self) -> dict[str, Any]:
        """Return what is ours to say: the seed in use, what was left out, how a full window is read."""
        started = self._started
        if started is None:
            return {}
        notes = {"seed": started.seed, "unknown": started.unknown, "window": started.window}
        return notes | ({"prompt": CONCATENATED} if self._plan.chat else {})

    def _logprobs(self, piece: Piece) -> dict[str, Any]:
        if self._plan.candidates is None:
            return {"logprobs": None}
        return {"logprobs": _of_chat(piece) if self._plan.chat else _of_completion(piece)}


def _of_chat(piece: Piece) -> dict[str, Any]:
    return {
        "content": [
            {
                **_named(seen.text, seen.bytes, seen.chance.probability),
                "top_logprobs": [
                    _named(other.text, other.text.encode(), other.probability) for other in seen.chance.candidates
                ],
            }
            for seen in piece.tokens
        ],
        "refusal": None,
    }


def _named(text: str, written: bytes, probability: float) -> dict[str, Any]:
    return {"token": text, "logprob": _log(probability), "bytes": list(written)}


def _of_completion(piece: Piece) -> dict[str, Any]:
    return {
        "tokens": [seen.text for seen in piece.tokens],
        "token_logprobs": [_log(seen.chance.probability) for seen in piece.tokens],
        "top_logprobs": [
            {other.text: _log(other.probability) for other in seen.chance.candidates} for seen in piece.tokens
        ],
        "text_offset": [seen.offset for seen in piece.tokens],
    }


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else LOWEST
