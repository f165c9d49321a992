"""A helper of a training in several processes: it does what the leader orders, and writes nothing.

Run it as `python -m tinygpt_tui.training.helper` with torchrun's variables in its environment.
"""

from __future__ import annotations

import os
import sys

import msgspec
import torch
import torch.distributed as dist

from tinygpt_tui import platforms
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.errors import RunError
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.training.distributed import Action, ProcessGroup, join, leave, rank_and_size, rendezvous_store
from tinygpt_tui.training.evaluations import NotANumber
from tinygpt_tui.training.loop import Training


def help_train(group: ProcessGroup) -> None:
    """Take part in a training until the leader ends it. Raises RunError if the leader ended unexpectedly."""
    if group.receive()[0] is Action.END:
        return  # the leader could not start
    setup, train, old = group.receive_setup()
    torch.set_num_threads(setup.threads)
    device = torch.device(setup.device)
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        if device.index >= torch.cuda.device_count():
            raise RunError(f"this process needs {device}, and this machine has {torch.cuda.device_count()} GPUs")
        torch.cuda.set_device(device)
    settings = msgspec.structs.replace(setup.training, compile="never")
    corpus = Corpus(CharTokenizer("\n"), train, train[:2], old=old, replies=setup.replies)
    training = Training(settings, corpus, device, group=group, old_tokens=setup.old_tokens)
    while True:
        action, step, share = group.receive()
        if action is Action.END:
            return
        if action is Action.LOAD_STATE:
            training.load_place(group.receive_state())
            continue
        try:
            training.follow(step, share)
        except NotANumber:
            continue  # the leader has found it too, and decides


def main() -> int:
    """Help, and end quietly if the leader ended: the leader reports why."""
    platforms.ignore_signals(["SIGINT", platforms.HANG_UP])  # Ctrl-C is for the leader, which ends us
    rank, size = rank_and_size()
    try:
        # Under torchrun all processes connect by torch's own rules; our own launcher hosts a store for it.
        by_torchrun = dist.is_torchelastic_launched()
        store = None if by_torchrun else rendezvous_store(int(os.environ["MASTER_PORT"]), size, first=False)
        help_train(join(rank, size, store))
    except RunError as error:
        print(error.message, file=sys.stderr)
        return int(error.exit_code)
    finally:
        leave()
    return 0


if __name__ == "__main__":
    sys.exit(main())
