"""Which presets are measured, what each should reach, and how fast: no torch here."""

from __future__ import annotations

import msgspec

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.architecture import GPTSettings

LOOP = "loop"
LOOP_GOAL = 1.05  # tokens a second of the trainer's loop to the plain one's
PLAIN = "plain"
NANOGPT = "nanoGPT's file"
PLAIN_LOSS = 1.898  # what the plain recipe reaches, and all speeds are counted from


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A preset, and the full validation loss that it is to reach.

    `times` is the least of the plain recipe's seconds to this one's, `seconds` the most of this one's own.
    """

    name: str
    preset: str
    loss: float
    times: float | None = None
    seconds: float | None = None


GOALS: dict[str, Goal] = {
    goal.name: goal
    for goal in (
        Goal(name="1.88", preset="seconds", loss=1.88, times=25),
        Goal(name="classic", preset="classic", loss=1.88, times=2.2),
        Goal(name="1.67", preset="quick", loss=1.67, seconds=60),
        Goal(name="1.55", preset="coffee", loss=1.55, seconds=300),
        Goal(name="1.45", preset="modern", loss=1.45, seconds=1800),
        Goal(name="llama", preset="llama", loss=1.48, seconds=1800),
    )
}
DEFAULT = (LOOP, "1.88", "classic", "1.67", "1.55")  # the last two take half an hour each


def _loop(n_embd: int) -> GPTSettings:
    return GPTSettings(n_layer=4, n_head=4, n_embd=n_embd, block_size=64)


LOOP_SIZES: dict[str, GPTSettings] = {"S": _loop(64), "M": _loop(128)}
LOOP_BATCH = 12


def find_parts(names: str) -> tuple[str, ...]:
    """Return the parts of a list such as `loop,1.88`, in the table's order, each once. Raises UsageError."""
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    known = (LOOP, *GOALS)
    if not wanted or not wanted <= set(known):
        unknown = ", ".join(sorted(wanted - set(known))) or repr(names)
        raise UsageError(f"only: {unknown} is none of {', '.join(known)}", "for example --only loop,1.88")
    return tuple(name for name in known if name in wanted)
