"""Joins the processes of one run: those that torchrun started, or helpers that are started here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tinygpt_tui import platforms
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.workers.process import Child

if TYPE_CHECKING:
    from tinygpt_tui.training.distributed import ProcessGroup

HELPER_END_S = 20.0


@contextmanager
def process_group_of(run: RunFolder) -> Iterator[ProcessGroup]:
    """Yield the team that trains `run`: torchrun's, or as many processes as the run's settings ask for.

    Helpers of our own end with us. Raises RunError where they do not come.
    """
    from tinygpt_tui.training.distributed import ALONE, join, leave, rank_and_size, rendezvous_store

    rank, size = rank_and_size()
    if size > 1:
        team = join(rank, size)
        try:
            yield team
        finally:
            team.end()
            leave()
        return
    wanted = run.read_settings().training.processes
    if wanted < 2:
        yield ALONE
        return

    # gloo asks the system for the host's name and address, which laptops often get wrong; among ourselves this will do.
    if interface := platforms.loopback_interface():
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
    store = rendezvous_store(0, wanted, first=True)
    helpers = [_start(run, rank, wanted, store.port) for rank in range(1, wanted)]
    try:
        team = join(0, wanted, store)
        try:
            yield team
        finally:
            team.end()
            leave()
    finally:
        _end_helpers(helpers)


def _start(run: RunFolder, rank: int, size: int, port: int) -> Child:
    own = {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    with run.log.open("ab") as log:
        return Child("tinygpt_tui.training.helper", stderr=log, variables=own)


def _end_helpers(helpers: list[Child]) -> None:
    for helper in helpers:
        try:
            helper.wait(HELPER_END_S)
        except TimeoutError:
            helper.kill()
            helper.wait()
