"""What to do if memory is too small: which setting to lower, and how far."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import torch

from tinygpt_tui.planning.cost import memory_bytes
from tinygpt_tui.planning.machine import free_memory
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.words import size

# torch's messages on the processor, on Linux and macOS, on Windows, and on Apple's accelerator.
MESSAGES = ("can't allocate memory", "not enough memory", "out of memory")
ROOM = 0.8  # of the free memory may be planned with; the estimate is within a fifth
SMALLEST_WINDOW, SMALLEST_WIDTH = 16, 32


def is_shortage(error: BaseException) -> bool:
    """Whether `error` means that there is too little memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in MESSAGES)


def shortage(settings: TrainingSettings, device: torch.device) -> tuple[str, str]:
    """Return what happened, and what to do about it."""
    wanted, free = memory_bytes(settings), _free(device)
    where = "this machine" if device.type == "cpu" else f"the device {device}"
    message = f"{where} has not enough memory for this run: about {size(wanted)} needed, {size(free)} free"
    # It must need less than what failed, whatever the estimate is.
    room = min(ROOM * free, ROOM * wanted)
    for smaller, words in _smaller(settings):
        if memory_bytes(smaller) <= room:
            return message, f"start again with {words}"
    return message, "close other programs, or choose a much smaller model"


def _smaller(settings: TrainingSettings) -> Iterator[tuple[TrainingSettings, str]]:
    """Yield smaller and smaller settings, first those that change the result least."""
    net = settings.architecture
    batch = settings.batch_size
    while batch > 1:
        batch //= 2
        settings = msgspec.structs.replace(settings, batch_size=batch)
        yield settings, f"batch_size {batch} (--batch-size {batch})"
    window = net.block_size
    with_batch = "batch_size 1 and " if batch == 1 else ""
    while window > SMALLEST_WINDOW:
        window //= 2
        net = msgspec.structs.replace(net, block_size=window)
        settings = msgspec.structs.replace(settings, architecture=net)
        yield settings, f"{with_batch}block_size {window} (--batch-size 1 --block-size {window})"
    heads = net.n_head or 1
    while net.n_embd // 2 >= max(SMALLEST_WIDTH, 2 * heads):
        width = net.n_embd // 2 // (2 * heads) * (2 * heads)
        net = msgspec.structs.replace(net, n_embd=width)
        settings = msgspec.structs.replace(settings, architecture=net)
        yield settings, f"n_embd {width} too (--batch-size 1 --block-size {window} --n-embd {width})"


def _free(device: torch.device) -> float:
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return float(free + torch.cuda.memory_reserved(device))
    return float(free_memory() or 0)
