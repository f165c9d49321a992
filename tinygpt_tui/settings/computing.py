"""Where opened models compute."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from tinygpt_tui.errors import UsageError

AUTO = "auto"
_NAME = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


class ComputingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a model that is opened to write computes."""

    device: Annotated[
        str,
        Meta(
            description="where models compute: auto is the native engine on the processor, the fastest for small "
            "models; cpu, cuda, cuda:1 and mps run them with torch on that device"
        ),
    ] = AUTO


def check_device_name(name: str) -> str:
    """Return `name` where it can be a device's name; no torch. Raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a device", "choose auto, cpu, cuda, cuda:1 or mps", setting="device")
    return name
