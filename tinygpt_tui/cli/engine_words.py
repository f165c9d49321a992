"""Which engine computes on this machine: said where somebody may wonder why it is slow."""

from __future__ import annotations

from tinygpt_tui.cli.output import say
from tinygpt_tui.native.library import why_without


def say_engine() -> None:
    """Say that the native engine is at hand; or that torch works in its place, why, and the way out."""
    error = why_without()
    if error is None:
        say("engine: native (nets of other kinds than gpt are run by torch)")
    else:
        say(f"engine: torch, which is slower, since {error.message}\n  {error.hint}")
