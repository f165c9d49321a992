"""Where a training computes: the processor, or an accelerator if there is one."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tinygpt_tui.errors import UsageError


def devices() -> list[torch.device]:
    """Return the devices of this machine, the processor first."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [torch.device(name) for name, here in there.items() if here]


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
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise UsageError(f"device: this machine has no {device}", f"choose cuda:{count - 1} or less, auto or cpu")
    return device


def placed(ids: NDArray[np.int64], device: torch.device) -> Tensor:
    """Return a batch's `ids` (B, T) on `device`.

    A GPU copies them from pinned memory by itself while the processor prepares the next batch.
    """
    here = torch.from_numpy(ids.copy())
    if device.type != "cuda":
        return here.to(device)
    return here.pin_memory().to(device, non_blocking=True)


def device_random(device: torch.device) -> Tensor | None:
    """Return the state of the accelerator's own random numbers (dropout draws them there); None on the processor."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None


def set_device_random(device: torch.device, state: Tensor | None) -> None:
    """Return to a state of the accelerator's random numbers; None, taken on the processor, changes nothing."""
    if state is None:
        return
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)


def seed_device_random(device: torch.device, seed: int, step: int) -> None:
    """Seed the accelerator's random numbers from `seed` and `step`: a state of another kind of device does not fit."""
    own = int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0] >> 1)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(own)
    elif device.type == "mps":
        torch.mps.manual_seed(own)
