"""The nets that are measured, how much of each, and which ratios are wanted: no torch here."""

from __future__ import annotations

from typing import Literal

import msgspec

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.architecture import GPTSettings

Where = Literal["inside the window", "as a Llama", "window full", "sixteen at once"]
INSIDE: Where = "inside the window"
LLAMA: Where = "as a Llama"
FULL: Where = "window full"
BATCH: Where = "sixteen at once"

PROMPT = 10  # tokens that are read before the first is written
NEW = 100  # tokens that are written inside the window
TEXTS = 16  # side by side in a batch


class Goals(msgspec.Struct, frozen=True, kw_only=True):
    """Ratios that are wanted of the native engine; None where none is. All but `llama_cpp` are to naive."""

    inside: float | None = None
    llama_cpp: float | None = None  # to llama.cpp with weights of the same precision
    exact: float | None = None  # window full, every position recomputed
    moving: float | None = None  # window full, reanchor or rolling


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """One net, and how much of it is measured.

    `full` is how many tokens a turn has with the window full and read again for each. `moving` says that the policies
    that do not read it again are measured, `batch` that TEXTS at once are, `text` that the greedy text is compared.
    """

    name: str
    settings: GPTSettings
    full: int
    moving: bool = True
    batch: bool = False
    text: bool = True
    goals: Goals = Goals()

    @property
    def new(self) -> int:
        """How many tokens are written inside the window: NEW, or as many as fit behind the prompt."""
        return min(NEW, self.settings.block_size - self.prompt)

    @property
    def prompt(self) -> int:
        """How many tokens are read first inside the window."""
        return min(PROMPT, self.settings.block_size // 2)


def _gpt(n_layer: int, n_head: int, n_embd: int, block_size: int) -> GPTSettings:
    return GPTSettings(n_layer=n_layer, n_head=n_head, n_embd=n_embd, block_size=block_size, vocab_size=65)


_GPT2 = GPTSettings(
    n_layer=12, n_head=12, n_embd=768, block_size=1024, vocab_size=50_257, bias=True, qkv_bias=True
)  # fmt: skip

SIZES: dict[str, Size] = {
    size.name: size
    for size in (
        Size(
            name="S",
            settings=_gpt(4, 4, 64, 128),
            full=48,
            goals=Goals(inside=40, llama_cpp=2, exact=2, moving=8),
        ),
        Size(
            name="M",
            settings=_gpt(6, 6, 192, 128),
            full=24,
            batch=True,
            goals=Goals(inside=12, llama_cpp=2, exact=1.5, moving=9),
        ),
        Size(
            name="L",
            settings=_gpt(6, 6, 384, 256),
            full=8,
            goals=Goals(inside=5, llama_cpp=1.2, exact=1.15, moving=10),
        ),
        # A window of 1024 takes seconds to read: the moving policies' cycles would take minutes to measure.
        Size(
            name="G",
            settings=_GPT2,
            full=2,
            moving=False,
            text=False,
            goals=Goals(inside=3.5, llama_cpp=1, exact=1.05),
        ),
        # For trying the benchmark itself; too small to say anything, and so not among the default ones.
        Size(name="tiny", settings=_gpt(2, 2, 16, 16), full=4, batch=True),
    )
}
DEFAULT_SIZES = ("S", "M", "L", "G")
QUICK_SIZES = ("S", "M")
FIRST_TOKEN_GOAL_S = 0.3


def find_sizes(names: str) -> tuple[Size, ...]:
    """Return the sizes of a list such as `S,M`, in its order, each once. Raises UsageError."""
    wanted = dict.fromkeys(name.strip() for name in names.split(",") if name.strip())
    unknown = [name for name in wanted if name not in SIZES]
    if unknown or not wanted:
        raise UsageError(
            f"sizes: {', '.join(unknown) or repr(names)} is none of {', '.join(SIZES)}", "for example --sizes S,M"
        )
    return tuple(SIZES[name] for name in wanted)
