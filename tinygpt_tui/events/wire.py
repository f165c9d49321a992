"""Events and requests as JSON lines, for pipes, journals and `--json`."""

from __future__ import annotations

import msgspec

from tinygpt_tui import reading
from tinygpt_tui.events.generation import GenerationEvent
from tinygpt_tui.events.requests import Request
from tinygpt_tui.events.training import RunEnded, TrainingEvent

_OLD_DIVERGED = "is not a number"  # older journals name no cause

_encoder = msgspec.json.Encoder()
_generation = reading.decoder(GenerationEvent)
_training = reading.decoder(TrainingEvent)
_request = reading.decoder(Request)


def to_line(message: GenerationEvent | TrainingEvent | Request) -> bytes:
    """Return `message` as one line of JSON, newline included, its type under the key `type`."""
    return _encoder.encode(message) + b"\n"


def generation_event(line: bytes) -> GenerationEvent:
    """Read one line of the engine's output. Raises Damage."""
    event: GenerationEvent = reading.decode_with(_generation, line)
    return event


def training_event(line: bytes) -> TrainingEvent:
    """Read one line of a journal. Raises Damage."""
    event: TrainingEvent = reading.decode_with(_training, line)
    if isinstance(event, RunEnded) and event.reason == "failed" and _OLD_DIVERGED in event.message:
        return msgspec.structs.replace(event, cause="diverged")
    return event


def request(line: bytes) -> Request:
    """Read one line of the engine's input. Raises Damage."""
    asked: Request = reading.decode_with(_request, line)
    return asked
