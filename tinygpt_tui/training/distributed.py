"""One training in several processes: each takes its share of every batch, and all take the same step.

The first process (rank 0) is the training that everybody knows: it alone reads the text and the wishes, evaluates,
writes samples, journal and weights, and decides. The others are helpers: they wait for its word, which is "take step
N", "take over this state" or "end", and never touch the disk, so that they may run on other machines. Gradients are
added up over all processes in one go (data parallelism), each weighted by its share of the batch's windows: the sum is
the gradient of the whole batch, and every process moves its weights by the same arithmetic.

Words and states travel as plain bytes over gloo; gradients over NCCL where the processes have a GPU each (untested: no
such machine was at hand).
"""

from __future__ import annotations

import enum
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._C._distributed_c10d import Store, TCPStore

from tinygpt_tui import platforms, reading
from tinygpt_tui.errors import RunError, UsageError
from tinygpt_tui.settings.rules import check
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.char import Ids
from tinygpt_tui.training.device import choose_device

HERE = "127.0.0.1"
JOINING = timedelta(minutes=5)  # for all to be there
WAITING = timedelta(days=30)  # for a word: somebody may have paused the run. A process that is gone is noticed at once
ADDING_UP = timedelta(minutes=2)  # gradients, in the middle of a step: NCCL does not notice by itself who is gone
GONE = "a process of this training is gone"
HINT = "the best weights are kept; resume goes on from the state that was saved last"


class Order(enum.IntEnum):
    """What the first process tells the others to do."""

    START = 1
    STEP = 2
    LOAD_STATE = 3
    END = 4


class Setup(msgspec.Struct, frozen=True):
    """What a helper needs to know before the first step, besides the text's ids."""

    training: TrainingSettings
    device: str
    threads: int
    ids: str = "int64"  # their type


class ProcessGroup:
    """The processes of one training as one of them sees it; a group of one costs nothing."""

    def __init__(self, rank: int = 0, size: int = 1, on_gpus: dist.ProcessGroup | None = None) -> None:
        """`on_gpus` is the group over which gradients travel between GPUs, where there are any."""
        self.rank, self.size = rank, size
        self._on_gpus = on_gpus
        self._in_step = True  # whether the helpers have the weights of the first process

    @property
    def is_leader(self) -> bool:
        """Whether this is the first process of several."""
        return self.size > 1 and self.rank == 0

    def check(self, settings: TrainingSettings) -> None:
        """Raise UsageError where a training cannot be shared among so many."""
        check(settings, self.size)

    def device(self, wanted: str) -> torch.device:
        """Return where these processes compute, each on a GPU of its own. Raises UsageError where that cannot be."""
        if wanted == "auto":
            wanted = "cuda" if torch.cuda.is_available() else "cpu"
        device = choose_device(wanted)
        here, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", self.size)), torch.cuda.device_count()
        if device.type == "cuda" and here > gpus:
            raise UsageError(
                f"{here} processes need a GPU each, and this machine has {gpus}",
                f"choose processes {gpus}, or device cpu" if gpus > 1 else "choose processes 1, or device cpu",
            )
        if device.type not in ("cpu", "cuda"):
            raise UsageError(f"several processes cannot train on {device.type}", "choose processes 1, or device cpu")
        return device

    def rows(self, parts: tuple[NDArray[np.int64], ...]) -> tuple[NDArray[np.int64], ...]:
        """Return this process's share of a batch's arrays, each (B, T)."""
        if self.size == 1:
            return parts
        count = len(parts[0])
        return tuple(part[count * self.rank // self.size : count * (self.rank + 1) // self.size] for part in parts)

    def share(self, count: int) -> float:
        """Return which share of `count` windows this process has."""
        return (count * (self.rank + 1) // self.size - count * self.rank // self.size) / count

    def seed_own_random(self, seed: int, step: int) -> None:
        """Give each process its own random numbers (dropout), which follow from seed and step alone."""
        if self.size > 1:
            torch.manual_seed(int(np.random.SeedSequence((seed, step, self.rank)).generate_state(1, np.uint64)[0] >> 1))

    def mean(self, model: nn.Module, loss: Tensor, count: int) -> Tensor:
        """Replace every gradient by the whole batch's; return the whole batch's loss. `count` windows it has."""
        if self.size == 1:
            return loss.detach()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        flat = torch.cat([*(gradient.reshape(-1) for gradient in gradients), loss.detach().reshape(1)])
        flat *= self.share(count)
        with peer_errors():
            dist.all_reduce(flat, group=self._on_gpus if flat.device.type == "cuda" else None)
        place = 0
        for gradient in gradients:
            gradient.copy_(flat[place : place + gradient.numel()].view_as(gradient))
            place += gradient.numel()
        return flat[-1]

    # The first process's words

    def start(self, setup: Setup, ids: Ids) -> None:
        """Tell the helpers what is trained."""
        if self.is_leader:
            self._in_step = False
            self._send_order(Order.START)
            self._send_bytes(msgspec.json.encode(setup))
            self._send_bytes(ids.tobytes())

    def invalidate(self) -> None:
        """The weights are others now than the helpers have (gone on, gone back)."""
        self._in_step = self.size == 1

    def step(self, step: int, share: float, state: Callable[[], dict[str, Any]]) -> None:
        """Tell the helpers to take `step` with `share` of the peak rates; they get `state()` first if theirs is old."""
        if not self.is_leader:
            return
        if not self._in_step:
            content = io.BytesIO()
            torch.save(state(), content)
            self._send_order(Order.LOAD_STATE)
            self._send_bytes(content.getvalue())
            self._in_step = True
        self._send_order(Order.STEP, step, share)

    def end(self) -> None:
        """Send the helpers home; those that are gone already do not matter any more."""
        if not self.is_leader:
            return
        try:
            self._send_order(Order.END)
        except RunError:
            return

    # A helper's ears

    def receive_setup(self) -> tuple[Setup, Ids]:
        """Return what is trained, and the ids (N,) it learns from."""
        setup = reading.decode(self._receive_bytes(), Setup)
        return setup, np.frombuffer(self._receive_bytes(), dtype=setup.ids)

    def receive(self) -> tuple[Order, int, float]:
        """Return the next order, its step and its share of the rates."""
        word = torch.zeros(3, dtype=torch.float64)
        with peer_errors():
            dist.broadcast(word, src=0)
        return Order(int(word[0])), int(word[1]), float(word[2])

    def receive_state(self) -> dict[str, Any]:
        """Return the state that the first process sent."""
        state: dict[str, Any] = torch.load(io.BytesIO(self._receive_bytes()), map_location="cpu", weights_only=True)
        return state

    @staticmethod
    def _send_order(order: Order, step: int = 0, share: float = 0.0) -> None:
        with peer_errors():
            dist.broadcast(torch.tensor([order, step, share], dtype=torch.float64), src=0)

    @staticmethod
    def _send_bytes(content: bytes) -> None:
        with peer_errors():
            dist.broadcast(torch.tensor([len(content)]), src=0)
            dist.broadcast(torch.frombuffer(bytearray(content), dtype=torch.uint8), src=0)

    @staticmethod
    def _receive_bytes() -> bytes:
        length = torch.zeros(1, dtype=torch.long)
        with peer_errors():
            dist.broadcast(length, src=0)
            content = torch.empty(int(length), dtype=torch.uint8)
            dist.broadcast(content, src=0)
        return content.numpy().tobytes()


ALONE = ProcessGroup()


@contextmanager
def peer_errors() -> Iterator[None]:
    """Say in words that another process is gone."""
    try:
        yield
    except RuntimeError as error:
        raise RunError(f"{GONE}: {str(error).splitlines()[0][:200]}", HINT) from error


def rank_and_size() -> tuple[int, int]:
    """Return rank and size as torchrun (or a starter of ours) has put them into the environment; alone it is 0 of 1."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def join(rank: int, size: int, store: Store | None = None) -> ProcessGroup:
    """Meet the other processes. Raises RunError where they do not come."""
    on_gpus = None
    try:
        if not platforms.store_uses_libuv():
            os.environ.setdefault("USE_LIBUV", "0")  # for the store that torch makes itself under torchrun
        if store is not None:
            store.set(f"here {rank}", "yes")
            store.wait([f"here {other}" for other in range(size)], JOINING)
        dist.init_process_group("gloo", rank=rank, world_size=size, store=store, timeout=WAITING)
        if torch.cuda.is_available() and dist.is_nccl_available():
            os.environ.setdefault("TORCH_NCCL_BLOCKING_WAIT", "1")  # an error that can be told, where time is over
            on_gpus = dist.new_group(backend="nccl", timeout=ADDING_UP)
    except RuntimeError as error:
        raise RunError(f"the {size} processes of this training did not meet: {error}", "try again") from error
    return ProcessGroup(rank, size, on_gpus)


def leave() -> None:
    """Take leave of the other processes, where there are any."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rendezvous_store(port: int, size: int, first: bool) -> TCPStore:
    """Return the store over which `size` processes of this machine find one another; the first one keeps it."""
    uses_libuv = platforms.store_uses_libuv()
    return TCPStore(HERE, port, size, first, JOINING, wait_for_workers=False, use_libuv=uses_libuv)
