"""Which engine computes on this machine: said where somebody may wonder why it is slow."""

from __future__ import annotations

from tinygpt_tui.cli.output import say
from tinygpt_tui.native.library import why_without
from tinygpt_tui.packages import missing


def say_engine() -> None:
    """Say that the native engine is at hand; or that torch works in its place, why, and the way out."""
    error, torch = why_without(), missing("torch", "training, and any other kind of model than gpt,")
    if error is None:
        say(f"engine: native{'' if torch else ' (nets of other kinds than gpt are run by torch)'}")
        if torch is not None:
            say(f"{torch.message}\n  {torch.hint}")
    elif torch is not None:
        say(f"engine: none, since {error.message}, and torch is not installed\n  {error.hint}")
    else:
        say(f"engine: torch, which is slower, since {error.message}\n  {error.hint}")
