"""One training in several processes: each computes its share of every batch, and all take the same step.

The leader (rank 0) alone reads the text and the commands, evaluates, writes samples, journal and weights, and decides.
The others are helpers: they wait for its orders, "take step N", "load this state" or "end", and write nothing, so that
they may run on other machines. They read only the ids of a large text, from the same file where that is possible.
Gradients are summed over all processes at once (data parallelism), each weighted by its share of the batch's windows:
the sum is the gradient of the whole batch, and every process updates its weights by the same arithmetic.

Orders and states are sent as plain bytes over gloo; gradients over NCCL if each process has a GPU, which no test
covers.
"""

from __future__ import annotations

import enum
import importlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._C._distributed_c10d import Store, TCPStore

from tinygpt_tui import platforms, reading
from tinygpt_tui.corpora.cache import open_ids
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.corpora.replies import Replies
from tinygpt_tui.errors import RunError, UsageError
from tinygpt_tui.settings.rules import check
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.ids import Ids
from tinygpt_tui.training.device import choose_device

HERE = "127.0.0.1"
JOINING = timedelta(minutes=5)  # until all processes are there
WAITING = timedelta(days=30)  # for an order: the run may be paused. A process that ended is noticed at once
SUMMING = timedelta(minutes=2)  # gradients, in the middle of a step: NCCL does not notice that a process ended
GONE = "a process of this training ended unexpectedly"
IDS_AT_ONCE = 1 << 22
HINT = "the best weights are saved; resume continues from the state that was saved last"


class Action(enum.IntEnum):
    """What the leader orders the helpers to do."""

    START = 1
    STEP = 2
    LOAD_STATE = 3
    END = 4


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a helper needs before the first step, besides the text's ids; those of a large text are in a `file`."""

    training: TrainingSettings
    device: str
    threads: int
    type: str  # of the ids
    ids: int  # how many
    old_ids: int = 0  # how many of another text
    file: str = ""
    old_tokens: int = 0  # as for Training
    replies: Replies | None = None


class ProcessGroup:
    """The processes of one training, seen from one of them; a group of one costs nothing."""

    def __init__(self, rank: int = 0, size: int = 1, on_gpus: dist.ProcessGroup | None = None) -> None:
        """`on_gpus` is the group over which gradients are summed between GPUs, if there are any."""
        self.rank, self.size = rank, size
        self._on_gpus = on_gpus
        self._in_step = True  # whether the helpers have the weights of the first process
        self._summed = 0  # how many numbers the last step summed
        self._owed: tuple[dist.Work | None, Tensor] | None = None  # a sum that the helpers still wait for

    @property
    def is_leader(self) -> bool:
        """Whether this is the first process of several."""
        return self.size > 1 and self.rank == 0

    def check(self, settings: TrainingSettings) -> None:
        """Raise UsageError if this many processes cannot share the training."""
        check(settings, self.size)

    def device(self, wanted: str) -> torch.device:
        """Return where these processes compute, each on a GPU of its own. Raises UsageError if that is impossible."""
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
        """Return this process's share (0 to 1) of `count` windows."""
        return (count * (self.rank + 1) // self.size - count * self.rank // self.size) / count

    def seed_own_random(self, seed: int, step: int) -> None:
        """Give each process its own random numbers (dropout), determined by seed and step alone."""
        if self.size > 1:
            torch.manual_seed(int(np.random.SeedSequence((seed, step, self.rank)).generate_state(1, np.uint64)[0] >> 1))

    def mean(self, model: nn.Module, loss: Tensor, count: int) -> Tensor:
        """Replace every gradient by that of the whole batch of `count` windows; return its loss, a scalar."""
        if self.size == 1:
            return loss.detach()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        flat = torch.cat([*(gradient.reshape(-1) for gradient in gradients), loss.detach().reshape(1)])
        flat *= self.share(count)
        self._summed = len(flat)
        with peer_errors():
            dist.all_reduce(flat, group=self._group_for(flat))
        place = 0
        for gradient in gradients:
            gradient.copy_(flat[place : place + gradient.numel()].view_as(gradient))
            place += gradient.numel()
        return flat[-1]

    def abandon_step(self, device: torch.device) -> None:
        """Leave the ordered step without a gradient of this process: the helpers get zeros, and then old weights."""
        if self.size == 1:
            return
        zeros = torch.zeros(self._summed, device=device)
        with peer_errors():
            self._owed = dist.all_reduce(zeros, group=self._group_for(zeros), async_op=True), zeros
        self.invalidate()

    def _group_for(self, tensor: Tensor) -> dist.ProcessGroup | None:
        return self._on_gpus if tensor.device.type == "cuda" else None

    # Sent by the leader

    def start(self, training: TrainingSettings, device: torch.device, corpus: Corpus, old_tokens: int = 0) -> None:
        """Send the helpers what they train. The ids are sent, too, unless all of them can read the file."""
        if not self.is_leader:
            return
        train, file = corpus.train, str(corpus.file or "")
        old = corpus.old.astype(train.dtype, copy=False)
        setup = Setup(
            training=training,
            device=str(device),
            threads=torch.get_num_threads(),
            type=train.dtype.name,
            ids=len(train),
            old_ids=len(old),
            file=file,
            old_tokens=old_tokens,
            replies=corpus.replies,
        )
        self._in_step = False
        self._send_order(Action.START)
        self._send_bytes(msgspec.json.encode(setup))
        if not (file and self._all_have(True)):
            self._broadcast(train)
        self._broadcast(old)

    def invalidate(self) -> None:
        """Note that the helpers' weights are old: the leader has loaded another state."""
        self._in_step = self.size == 1

    def step(self, step: int, share: float, state: Callable[[], dict[str, Any]]) -> None:
        """Tell the helpers to take `step` with `share` of the peak rates; they get `state()` first if theirs is old."""
        if not self.is_leader:
            return
        if not self._in_step:
            content = io.BytesIO()
            torch.save(state(), content)
            self._send_order(Action.LOAD_STATE)
            self._send_bytes(content.getvalue())
            self._in_step = True
        self._send_order(Action.STEP, step, share)

    def end(self) -> None:
        """End the helpers; those that ended already do not matter."""
        if not self.is_leader:
            return
        try:
            self._send_order(Action.END)
            if self._owed and self._owed[0]:
                with peer_errors():
                    self._owed[0].wait()
        except RunError:
            return

    # Received by a helper

    def receive_setup(self) -> tuple[Setup, Ids, Ids]:
        """Return what is trained, the training ids (N,), and those of another text (K,)."""
        setup = reading.decode(self._receive_bytes(), Setup)
        train = _read_ids(setup)
        here = bool(setup.file) and self._all_have(train is not None)
        if train is None or not here:
            train = np.empty(setup.ids, dtype=setup.type)
            self._broadcast(train)
        old = np.empty(setup.old_ids, dtype=setup.type)
        self._broadcast(old)
        return setup, train, old

    def receive(self) -> tuple[Action, int, float]:
        """Return the next action, its step and its share of the rates."""
        word = torch.zeros(3, dtype=torch.float64)
        with peer_errors():
            dist.broadcast(word, src=0)
        return Action(int(word[0])), int(word[1]), float(word[2])

    def receive_state(self) -> dict[str, Any]:
        state: dict[str, Any] = torch.load(io.BytesIO(self._receive_bytes()), map_location="cpu", weights_only=True)
        return state

    def _broadcast(self, ids: Ids) -> None:
        """Send the leader's `ids` (N,); a helper's are overwritten by them."""
        for start in range(0, len(ids), IDS_AT_ONCE):
            part = ids[start : start + IDS_AT_ONCE]
            with peer_errors():
                dist.broadcast(torch.from_numpy((part.copy() if self.is_leader else part).view(np.uint8)), src=0)

    @staticmethod
    def _all_have(here: bool) -> bool:
        """Return whether all processes can read the ids; this one says whether it can."""
        found = torch.tensor([int(here)])
        with peer_errors():
            dist.all_reduce(found, op=dist.ReduceOp.MIN)
        return bool(found)

    @staticmethod
    def _send_order(order: Action, step: int = 0, share: float = 0.0) -> None:
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


def _read_ids(setup: Setup) -> Ids | None:
    """Return the ids in the file that a setup names; None if this process cannot read it."""
    try:
        return open_ids(Path(setup.file), np.dtype(setup.type), setup.ids) if setup.file else None
    except OSError:
        return None


@contextmanager
def peer_errors() -> Iterator[None]:
    """Raise RunError if another process ended."""
    try:
        yield
    except RuntimeError as error:
        raise RunError(f"{GONE}: {str(error).splitlines()[0][:200]}", HINT) from error


def rank_and_size() -> tuple[int, int]:
    """Return rank and size from the environment, where torchrun (or our own launcher) puts them; alone: 0 and 1."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def join(rank: int, size: int, store: Store | None = None) -> ProcessGroup:
    """Join the other processes. Raises RunError if they do not come."""
    # Optimizers import it. Its functions have the group of that moment as a default: imported after the group was made,
    # they would keep it, and its threads, which release tensors, beyond `leave` and into the end of the interpreter.
    importlib.import_module("torch.distributed.nn.functional")
    on_gpus = None
    try:
        if not platforms.store_uses_libuv():
            os.environ.setdefault("USE_LIBUV", "0")  # for the store that torch makes itself under torchrun
        if store is not None:
            store.set(f"here {rank}", "yes")
            store.wait([f"here {other}" for other in range(size)], JOINING)
        dist.init_process_group("gloo", rank=rank, world_size=size, store=store, timeout=WAITING)
        if torch.cuda.is_available() and dist.is_nccl_available():
            os.environ.setdefault("TORCH_NCCL_BLOCKING_WAIT", "1")  # on a timeout: an error that can be reported
            on_gpus = dist.new_group(backend="nccl", timeout=SUMMING)
    except RuntimeError as error:
        raise RunError(f"the {size} processes of this training did not connect: {error}", "try again") from error
    return ProcessGroup(rank, size, on_gpus)


def leave() -> None:
    """Leave the other processes, if there are any."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rendezvous_store(port: int, size: int, first: bool) -> TCPStore:
    """Return the store over which `size` processes of this machine find each other; the `first` one hosts it."""
    uses_libuv = platforms.store_uses_libuv()
    return TCPStore(HERE, port, size, first, JOINING, wait_for_workers=False, use_libuv=uses_libuv)
