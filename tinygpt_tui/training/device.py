"""Where a training computes: the processor, or an accelerator where there is one."""

from __future__ import annotations

import torch

from tinygpt_tui.errors import UsageError


def choose_device(wanted: str) -> torch.device:
    """Return the device that `wanted` means; "auto" takes cuda, then mps, then cpu. Raises UsageError."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if there[name]))
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise UsageError(f"device: {wanted!r} is not a device", "choose auto, cpu, cuda or mps") from None
    if not there.get(device.type, False):
        raise UsageError(f"device: this machine has no {device.type}", "choose auto or cpu")
    return device
