"""From events to the answers of OpenAI's API: text with its tokens, whole or as a stream."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from tinygpt_tui.events.generation import EndReason, GenerationEnded, GenerationStarted, Token, TokenProbabilities
from tinygpt_tui.generation.text import TextEvent
from tinygpt_tui.server.requests import CompletionPlan
from tinygpt_tui.server.shapes import (
    ChatChoice,
    ChatChunk,
    ChatChunkChoice,
    ChatCompletion,
    ChatLogprobs,
    ChatToken,
    Completion,
    CompletionChoice,
    CompletionChunk,
    CompletionChunkChoice,
    Delta,
    FinishReason,
    Message,
    NamedToken,
    Notes,
    TokenLogprobs,
    Usage,
)
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.dialogues import has_roles

LOWEST = -9999.0  # JSON has no infinity
CONCATENATED = "the contents of all messages, one after the other; roles are ignored"
WITH_ROLES = "the messages with their roles"
_REASONS: dict[EndReason, FinishReason] = {"length": "length"}  # all others are "stop"


class ShownToken(msgspec.Struct, frozen=True):
    """A token of the text: the character at which it starts, and its probabilities."""

    bytes: bytes
    offset: int
    chance: TokenProbabilities

    @property
    def text(self) -> str:
        """Its characters; half a character is U+FFFD."""
        return self.bytes.decode("utf-8", "replace")


class Piece(msgspec.Struct, frozen=True):
    """What is new of choice `index` since the last piece."""

    index: int
    text: str
    tokens: tuple[ShownToken, ...]
    finish_reason: FinishReason | None


class Choice:
    """One text of an answer. A token is reported with its text: what a stop text cuts off is not reported."""

    def __init__(self, index: int, tokenizer: Tokenizer, text: str = "") -> None:
        """`text` is the echo of the prompt."""
        self.index, self._tokenizer = index, tokenizer
        self._new = text
        self._finish_reason: FinishReason | None = None
        self._offset = len(text)
        self._waiting: list[tuple[int, ShownToken]] = []  # with the byte at which each ends
        self._bytes_read = self._bytes_shown = 0
        self._ready: list[ShownToken] = []

    def add(self, event: Token) -> None:
        if event.chance is not None:
            token = ShownToken(self._tokenizer.bytes_of(event.id), self._offset, event.chance)
            self._offset += len(token.text)
            self._bytes_read += len(token.bytes)
            self._waiting.append((self._bytes_read, token))
        self._add_text(event.text)

    def end(self, event: GenerationEnded) -> None:
        self._add_text(event.text)
        if event.reason in ("length", "stopped"):  # half a character at the end is shown as other bytes than it had
            self._ready += [token for _, token in self._waiting]
        self._waiting = []
        self._finish_reason = _REASONS.get(event.reason, "stop")

    def next_piece(self) -> Piece | None:
        """Return what is new since the last call; None if nothing is."""
        if not (self._new or self._ready or self._finish_reason):
            return None
        piece = Piece(self.index, self._new, tuple(self._ready), self._finish_reason)
        self._new, self._ready, self._finish_reason = "", [], None
        return piece

    def _add_text(self, text: str) -> None:
        self._new += text
        if self._waiting:
            self._bytes_shown += len(text.encode("utf-8", "replace"))
            while self._waiting and self._waiting[0][0] <= self._bytes_shown:
                self._ready.append(self._waiting.pop(0)[1])


class Answer:
    """All choices of one request and the answer around them, whole or in chunks."""

    def __init__(self, plan: CompletionPlan, tokenizer: Tokenizer, id: str, created: int) -> None:
        self._plan, self._prompt_words = plan, WITH_ROLES if has_roles(tokenizer) else CONCATENATED
        self._about: dict[str, Any] = {"id": id, "created": created, "model": plan.model}
        echoes = [prompt if plan.echo else "" for prompt in plan.prompts for _ in range(plan.n)]
        self._choices = [Choice(index, tokenizer, echo) for index, echo in enumerate(echoes)]
        self._unfinished = len(self._choices)
        self._prompt_tokens = self._completion_tokens = 0
        self._started: GenerationStarted | None = None
        self.failed: GenerationEnded | None = None

    @property
    def ended(self) -> bool:
        """Whether all texts have ended, or one has failed."""
        return not self._unfinished or self.failed is not None

    def add(self, events: Sequence[TextEvent]) -> None:
        """Add what happened."""
        for event in events:
            match event:
                case GenerationStarted():
                    self._started = self._started or event
                    if event.sample % self._plan.n == 0:  # texts of one prompt read it together
                        self._prompt_tokens += event.prompt_tokens
                case Token():
                    self._choices[event.sample].add(event)
                case GenerationEnded():
                    self._unfinished -= 1
                    self._completion_tokens += event.tokens
                    if event.reason == "failed":
                        self.failed = event
                    self._choices[event.sample].end(event)

    def whole(self) -> bytes:
        """Return the whole answer; all texts must have ended."""
        notes = self._notes()
        assert notes is not msgspec.UNSET, "each text begins with its GenerationStarted"
        if self._plan.chat:
            answer: ChatCompletion | Completion = ChatCompletion(
                **self._about,
                object="chat.completion",
                choices=[
                    ChatChoice(
                        piece.index,
                        Message("assistant", piece.text, None),
                        piece.finish_reason or "stop",
                        self._chat_logprobs(piece),
                    )
                    for piece in self._pieces()
                ],
                usage=self._usage(),
                tinygpt=notes,
            )
        else:
            answer = Completion(
                **self._about,
                object="text_completion",
                choices=[
                    CompletionChoice(piece.index, piece.text, piece.finish_reason or "stop", self._logprobs(piece))
                    for piece in self._pieces()
                ],
                usage=self._usage(),
                tinygpt=notes,
            )
        return msgspec.json.encode(answer)

    def first_chunks(self) -> list[bytes]:
        """Return the chunks that come before the first text of a stream."""
        if not self._plan.chat:
            return []
        empty = Delta(role="assistant", content="")
        return [self._chunk([ChatChunkChoice(choice.index, empty, None, None)]) for choice in self._choices]

    def next_chunks(self) -> list[bytes]:
        """Return what is new as chunks of a stream; the last ones carry the ends."""
        chunks = []
        for piece in self._pieces():
            if self._plan.chat:
                delta = Delta(content=piece.text) if piece.text or piece.tokens else Delta()
                choice: Any = ChatChunkChoice(piece.index, delta, piece.finish_reason, self._chat_logprobs(piece))
            else:
                choice = CompletionChunkChoice(piece.index, piece.text, piece.finish_reason, self._logprobs(piece))
            chunks.append(self._chunk([choice]))
        if self.ended and self._plan.usage_in_stream:
            chunks.append(self._chunk([], self._usage()))
        return chunks

    def _pieces(self) -> list[Piece]:
        return [piece for choice in self._choices if (piece := choice.next_piece()) is not None]

    def _chunk(self, choices: list[Any], usage: Usage | None = None) -> bytes:
        kind: Any = ChatChunk if self._plan.chat else CompletionChunk
        name = "chat.completion.chunk" if self._plan.chat else "text_completion"
        chunk = kind(**self._about, object=name, choices=choices, tinygpt=self._notes())
        chunk.usage = usage if self._plan.usage_in_stream else msgspec.UNSET
        return msgspec.json.encode(chunk)

    def _usage(self) -> Usage:
        read, written = self._prompt_tokens, self._completion_tokens
        return Usage(read, written, read + written)

    def _notes(self) -> Notes | msgspec.UnsetType:
        if self._started is None:
            return msgspec.UNSET
        notes = Notes(self._started.seed, self._started.unknown, self._started.window)
        if self._plan.chat:
            notes.prompt = self._prompt_words
        return notes

    def _logprobs(self, piece: Piece) -> TokenLogprobs | None:
        if self._plan.candidates is None:
            return None
        return TokenLogprobs(
            [token.text for token in piece.tokens],
            [_log(token.chance.probability) for token in piece.tokens],
            [{other.text: _log(other.probability) for other in token.chance.candidates} for token in piece.tokens],
            [token.offset for token in piece.tokens],
        )

    def _chat_logprobs(self, piece: Piece) -> ChatLogprobs | None:
        if self._plan.candidates is None:
            return None
        return ChatLogprobs(
            [
                ChatToken(
                    token.text,
                    _log(token.chance.probability),
                    list(token.bytes),
                    [
                        NamedToken(other.text, _log(other.probability), list(other.text.encode()))
                        for other in token.chance.candidates
                    ],
                )
                for token in piece.tokens
            ],
            None,
        )


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else LOWEST
