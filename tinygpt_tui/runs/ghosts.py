"""Published results on tiny Shakespeare, drawn as faint targets beside the user's run.

All are validation losses in nats per character, trained on the first 90 % of the text; most are means over some random
batches, not over the whole split as ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CORPUS = "shakespeare"


@dataclass(frozen=True, eq=False)
class Overlay:
    """Something to compare a run with: a curve of validation losses at steps, or levels, each with its name."""

    name: str
    steps: Sequence[float] | NDArray[np.float64] = ()
    losses: Sequence[float] | NDArray[np.float64] = ()
    levels: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Ghost:
    """A published result: what it was, its source, and the figures."""

    overlay: Overlay
    about: str
    source: str


GHOSTS: dict[str, Ghost] = {
    ghost.overlay.name: ghost
    for ghost in (
        Ghost(
            Overlay(
                "TinyGPT",
                tuple(range(0, 6001, 500)),
                (4.39, 2.39, 2.16, 2.02, 1.92, 1.85, 1.80, 1.77, 1.74, 1.71, 1.69, 1.68, 1.67),
            ),
            "1,220,673 parameters, 10 minutes on an M2 Pro",
            "TinyGPT's README, its table of a training on Shakespeare",
        ),
        Ghost(
            Overlay("tutorial, large", (2000, 5000), (1.48, 1.61)),
            "10,788,929 parameters, 49 minutes; best near step 2000, then overfits",
            "the nanoGPT tutorial in two sizes, its loss plot",
        ),
        Ghost(
            Overlay("tutorial, small", levels=(("tutorial, small", 2.14),)),
            "54,977 parameters, under 4 minutes",
            "the nanoGPT tutorial in two sizes, its loss plot",
        ),
        Ghost(
            Overlay("nanoGPT, CPU", levels=(("nanoGPT, CPU", 1.88),)),
            "804,096 parameters, 3 minutes on a laptop",
            "nanoGPT's README, `train_shakespeare_char` on a processor",
        ),
        Ghost(
            Overlay("nanoGPT, GPU", levels=(("nanoGPT, GPU", 1.4697),)),
            "10,745,088 parameters, 3 minutes on an A100",
            "nanoGPT's README, `train_shakespeare_char`",
        ),
        Ghost(
            Overlay(
                "the lecture",
                levels=(("one head", 2.5), ("four heads", 2.28), ("feed-forward", 2.24), ("LayerNorm", 2.06)),
            ),
            "its stages, from one head of attention to blocks with LayerNorm",
            "Andrej Karpathy, Let's build GPT: from scratch, in code, spelled out",
        ),
    )
}
