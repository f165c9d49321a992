"""How fast this machine trains, measured once and kept: three factors over the core that the cost model was fitted on.

Measuring needs torch and is done by a trainer (`measure.py`); reading what was kept needs nothing.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec
import psutil

from tinygpt_tui import paths
from tinygpt_tui.errors import StorageError
from tinygpt_tui.files import write_bytes
from tinygpt_tui.reading import Damage, read_json


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """How many times slower than there are matrix products (`compute`), passes over `memory`, and small `calls`.

    `threads` is the fastest number for a small model. `name` distinguishes machines that share a home folder.
    """

    compute: float = 1.0
    memory: float = 1.0
    calls: float = 1.0
    threads: int = 1
    measured: bool = False
    name: str = ""

    def scaled(self, by: float) -> Machine:
        """Return a machine that is `by` times slower in everything."""
        return msgspec.structs.replace(
            self, compute=self.compute * by, memory=self.memory * by, calls=self.calls * by, measured=True
        )


def this_machine() -> str:
    """Return a name that distinguishes this machine from others that share a home folder."""
    return f"{platform.node()} {platform.machine()} {os.cpu_count()} cores"


def free_memory() -> float:
    """Return how many bytes of memory a new process could have now."""
    return float(psutil.virtual_memory().available)


def machine_file() -> Path:
    """Return where the measurement is saved."""
    return paths.home() / "machine.json"


def read_machine() -> Machine:
    """Return what was measured here, or the machine of the fit if nothing was."""
    try:
        saved = read_json(machine_file(), Machine)
    except (OSError, Damage):
        return Machine()
    return saved if saved.name == this_machine() else Machine()


def save_machine(machine: Machine) -> None:
    """Save a measurement; a full disk is ignored."""
    named = msgspec.structs.replace(machine, name=this_machine(), measured=True)
    try:
        write_bytes(machine_file(), msgspec.json.encode(named) + b"\n")
    except StorageError:
        return
