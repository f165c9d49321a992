"""Events and requests as JSON lines, for pipes, journals and `--json`."""

from __future__ import annotations

from typing import Any

import msgspec

from tinygpt_tui.events.generation import GenerationEvent
from tinygpt_tui.events.requests import Request
from tinygpt_tui.events.training import TrainingEvent

_encoder = msgspec.json.Encoder()
_generation = msgspec.json.Decoder(GenerationEvent)
_training = msgspec.json.Decoder(TrainingEvent)
_request = msgspec.json.Decoder(Request)


def to_line(message: GenerationEvent | TrainingEvent | Request) -> bytes:
    """Return `message` as one line of JSON, newline included, its type under the key `type`."""
    return _encoder.encode(message) + b"\n"


def generation_event(line: bytes) -> GenerationEvent:
    """Read one line of the engine's output. Raises msgspec.ValidationError or msgspec.DecodeError."""
    event: GenerationEvent = _read(_generation, line)
    return event


def training_event(line: bytes) -> TrainingEvent:
    """Read one line of a journal. Raises msgspec.ValidationError or msgspec.DecodeError."""
    event: TrainingEvent = _read(_training, line)
    return event


def request(line: bytes) -> Request:
    """Read one line of the engine's input. Raises msgspec.ValidationError or msgspec.DecodeError."""
    asked: Request = _read(_request, line)
    return asked


def _read(decoder: msgspec.json.Decoder[Any], line: bytes) -> Any:
    try:
        return decoder.decode(line)
    except UnicodeDecodeError as error:  # msgspec's own answer to broken UTF-8 is of another family
        raise msgspec.DecodeError(str(error)) from None
