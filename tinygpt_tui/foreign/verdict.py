"""Why a model may do worse on a text than counting letters does: untrained, one text memorised, or read wrongly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.foreign.losses import Forward
from tinygpt_tui.settings.architecture import ArchitectureSettings

ROWS, STEPS = 4, 32
WORK = 4e11  # multiplications; what costs more is not asked
UNIFORM = 0.85  # of ln V: the entropy of predictions that are nearly the same for all tokens
MEMORISED = 0.3  # nats: the entropy of predictions within a text that was learned by repetition


@dataclass(frozen=True)
class Verdict:
    """What explains a loss: for the list of facts, and as a doubt; `sure` if no vocabulary would change it."""

    words: str
    detail: str = ""
    doubt: str = ""
    sure: bool = False


def untrained(forward: Forward, settings: ArchitectureSettings) -> Verdict | None:
    """Return the verdict that a model is untrained, by its predictions for random tokens; None where it is trained.

    No vocabulary and no text is needed for it.
    """
    V = settings.vocab_size
    ids = np.random.default_rng(0).integers(V, size=(ROWS, _window(settings)))
    entropy = float(_entropies(forward(ids)).mean())
    if not entropy >= UNIFORM * math.log(V):
        return None
    return Verdict(
        "untrained",
        f"the entropy of its predictions is {entropy:.3f} of at most ln {V:,} = {math.log(V):.3f}",
        "it is untrained: all tokens are about equally probable",
        sure=True,
    )


def verdict(
    forward: Forward, settings: ArchitectureSettings, parameters: int, text: str, *, trusted: bool = False
) -> Verdict:
    """Return what explains that a model knows `text` (its name) less well than counting letters does.

    `trusted` says that its vocabulary is stored with the weights, and can't be the reason.
    """
    found = untrained(forward, settings)
    if found is not None:
        return found
    if _has_memorised(forward, settings, parameters):
        return Verdict(
            "a small text memorised",
            "within a text of its own it is nearly certain of every token",
            f"it has memorised a small text, and {text} tells nothing about it; name that text: `open --corpus FILE`",
            sure=True,
        )
    words = "another kind of text, or language" if trusted else "wrong vocabulary, or another language"
    return Verdict(words, "", f"on {text} it is worse than counting letters")


def _has_memorised(forward: Forward, settings: ArchitectureSettings, parameters: int) -> bool:
    """Whether a model is nearly certain of each token in the texts that it writes itself."""
    if 2.0 * parameters * ROWS * STEPS * STEPS / 2 > WORK:
        return False
    random = np.random.default_rng(0)
    ids = random.integers(settings.vocab_size, size=(ROWS, 1))
    entropies: list[NDArray[np.float64]] = []
    for _ in range(STEPS):
        logits = forward(ids[:, -_window(settings) :]).reshape(ROWS, -1, settings.vocab_size)[:, -1]
        entropies.append(_entropies(logits))
        noise = random.gumbel(size=logits.shape)  # the highest of the sums is a sample
        ids = np.concatenate([ids, (logits + noise).argmax(-1)[:, None]], axis=1)
    return float(np.mean(entropies[STEPS // 2 :])) < MEMORISED


def _window(settings: ArchitectureSettings) -> int:
    return min(settings.context_length or STEPS, STEPS)


def _entropies(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the entropy of each prediction (…), nats, by its logits (…, V)."""
    exact = logits.astype(np.float64)
    exact -= exact.max(axis=-1, keepdims=True)
    probabilities = np.exp(exact)
    sums = probabilities.sum(axis=-1, keepdims=True)
    found: NDArray[np.float64] = np.log(sums[..., 0]) - (probabilities * exact).sum(axis=-1) / sums[..., 0]
    return found
