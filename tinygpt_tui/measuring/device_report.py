"""What `tinygpt-tui check-device` finds, as plain data; no torch."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

FORMAT = 1
TOTAL_S = 290.0  # for all checks together
STARTING_S = 60.0  # for a process of checks to import torch and find the device

# In this order; at most this many seconds each.
LIMITS = {
    "losses": 60.0,
    "bf16": 40.0,
    "resume": 30.0,
    "syncs": 20.0,
    "generation": 40.0,
    "memory": 20.0,
    "two_processes": 60.0,
    "speed": 120.0,
}
QUICK_LIMIT_S = 60.0  # each, in the quick form: a busy machine is slow

Status = Literal["passed", "failed", "skipped"]


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one check came to. `words` say it in a line, `found` holds the numbers."""

    name: str
    status: Status
    seconds: float
    words: str
    found: dict[str, Any]


class DeviceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked, and with which versions."""

    device: str
    name: str
    memory_bytes: float
    versions: dict[str, str]
    system: str


class DeviceReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of it, as it is written by `--json`."""

    format: int
    facts: DeviceFacts
    quick: bool
    passed: bool
    seconds: float
    checks: list[CheckResult]


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line that the process of the checks writes: the facts, what a check has found so far, or its result."""

    facts: DeviceFacts | None = None
    so_far: CheckResult | None = None
    result: CheckResult | None = None
    error: tuple[str, str] | None = None  # message and hint: there is nothing to check
