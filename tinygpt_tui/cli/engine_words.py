"""Report which engine generates on this machine, and why it is not the faster one."""

from __future__ import annotations

from tinygpt_tui.cli.output import notify
from tinygpt_tui.native.library import why_without
from tinygpt_tui.packages import missing


def print_engine() -> None:
    """Print which engine is used; if it is torch, why, and how to get the native one."""
    error, torch = why_without(), missing("torch", "training, and any architecture except gpt,")
    if error is None:
        notify(f"engine: native{'' if torch else ' (torch for architectures other than gpt)'}")
        if torch is not None:
            notify(f"{torch.message}\n  {torch.hint}")
    elif torch is not None:
        notify(f"engine: none: {error.message}, and torch is not installed\n  {error.hint}")
    else:
        notify(f"engine: torch, which is slower: {error.message}\n  {error.hint}")
