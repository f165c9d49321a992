"""What a policy of the window, and rounded weights, cost in loss on a text: each character predicted as in writing.

Every policy is shown the same true text and asked for each next character with the context that it would have had.
Policies with a state read the whole text, character by character. The exact crop has none: it is computed for
characters drawn at random, and the difference to a policy that read them all carries its mean to the whole text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.checkpoints.card import read_config
from tinygpt_tui.checkpoints.engines import native_library, torch_for
from tinygpt_tui.checkpoints.weights import read_weights
from tinygpt_tui.errors import CorpusError
from tinygpt_tui.generation.base import Engine
from tinygpt_tui.measuring.progress import Progress
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.sampling import Weights
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.settings.windows import Policy, policy_for
from tinygpt_tui.tokenizers.base import Tokenizer

Open = Callable[[Policy, Weights], Engine]
_AT_ONCE = 200  # characters between two words of progress
_SEED = 0  # the same characters are drawn each time
CHARACTERS = 10_000  # drawn for the exact crop: brings the usual difference to well within 0.01


class WindowLoss(msgspec.Struct, frozen=True, kw_only=True):
    """One policy with one kind of weights.

    `loss` is the mean over the text in nats per character, `cost` how much more than the base's, None as long as the
    base was not measured; `within` and `cost_within` are two standard errors of what was drawn instead of read whole, 0
    where nothing was.
    """

    window: Policy
    weights: Weights
    characters: int  # asked for
    loss: float
    within: float
    cost: float | None
    cost_within: float
    seconds: float


class WindowReport(msgspec.Struct, frozen=True, kw_only=True):
    """All policies of one model on one text; `base` is the window that the costs are counted from, with fp32."""

    model: str
    corpus: str
    engine: str
    block_size: int
    characters: int  # that have a full window before them
    base: Policy
    finished: bool
    rows: tuple[WindowLoss, ...]


class _Losses(msgspec.Struct, frozen=True):
    """The loss of each character at `places` (N,) of those asked for, in order."""

    places: NDArray[np.int64]
    losses: NDArray[np.float64]
    seconds: float


class WindowBenchmark:
    """Iterate over it to measure; `report` can be asked at any time and has the policies that are through."""

    def __init__(
        self,
        open_engine: Open,
        settings: ArchitectureSettings,
        ids: NDArray[np.int64],
        *,
        characters: int = CHARACTERS,
        precisions: tuple[Weights, ...] = ("fp32", "int8"),
        names: tuple[str, str, str] = ("", "", ""),
    ) -> None:
        """`ids` (N,) is the text, `names` those of the model, of the corpus and of the engine.

        Raises CorpusError where the text has no character behind a full window.
        """
        self._open, self._ids, self._names = open_engine, ids, names
        self._block_size = settings.block_size
        self._count = len(ids) - self._block_size
        if self._count < 1:
            raise CorpusError(
                f"the text has {len(ids)} characters to be predicted; the window is {self._block_size}",
                "choose a longer text with --corpus",
            )
        drawn = np.random.default_rng(_SEED).choice(self._count, size=min(characters, self._count), replace=False)
        self._drawn = np.sort(drawn).astype(np.int64)
        self._base = policy_for("auto", settings)
        whole: tuple[Policy, ...] = ("rolling", "reanchor") if settings.supports_sliding else ("reanchor",)
        self._parts = [(policy, weights) for weights in precisions for policy in (*whole, "exact")]
        self._found: dict[tuple[Policy, Weights], _Losses] = {}
        self._began = time.perf_counter()

    def __iter__(self) -> Iterator[Progress]:
        """Measure. Raises what an engine raises."""
        work = {part: self._work(part[0]) for part in self._parts}
        done = 0.0
        for policy, weights in self._parts:
            began = time.perf_counter()
            engine = self._open(policy, weights)
            places = self._drawn if policy == "exact" else np.arange(self._count)
            losses = np.empty(len(places))
            found = self._cropped(engine) if policy == "exact" else self._read(engine)
            for number, loss in enumerate(found):
                losses[number] = loss
                if number % _AT_ONCE == 0:
                    here = work[policy, weights] * number / len(places)
                    yield self._progress(f"{policy}, {weights}", number, (done + here) / sum(work.values()))
            self._found[policy, weights] = _Losses(places, losses, time.perf_counter() - began)
            done += work[policy, weights]

    def report(self) -> WindowReport:
        """Return what is there by now."""
        model, corpus, engine = self._names
        rows = []
        base = self._found.get((self._base, "fp32"))
        for (policy, weights), found in self._found.items():
            # A part that read the whole text with the same weights, to carry what was drawn to all of it.
            whole = self._found[self._parts[0][0], weights]
            loss, within = _carried(found, whole, self._count)
            cost, cost_within = _difference(found, base, self._count) if base else (None, 0.0)
            rows.append(
                WindowLoss(
                    window=policy,
                    weights=weights,
                    characters=len(found.places),
                    loss=loss,
                    within=within,
                    cost=cost,
                    cost_within=cost_within,
                    seconds=found.seconds,
                )
            )
        return WindowReport(
            model=model,
            corpus=corpus,
            engine=engine,
            block_size=self._block_size,
            characters=self._count,
            base=self._base,
            finished=len(self._found) == len(self._parts),
            rows=tuple(rows),
        )

    def _read(self, engine: Engine) -> Iterator[float]:
        """Yield the loss of each character behind the first window, read one after another."""
        T = self._block_size
        logits = engine.prefill(self._ids[:T].tolist())
        for number, id in enumerate(self._ids[T:].tolist(), start=1):
            yield loss_of(logits, id)
            if number < self._count:
                logits = engine.step(id)

    def _cropped(self, engine: Engine) -> Iterator[float]:
        """Yield the loss of each drawn character, after its whole window is read again."""
        T = self._block_size
        for place in self._drawn.tolist():
            yield loss_of(engine.prefill(self._ids[place : place + T].tolist()), int(self._ids[place + T]))

    def _work(self, policy: Policy) -> float:
        """Return a guess of a part's work, in steps: reading a position of a crop is cheaper than a step."""
        return len(self._drawn) * self._block_size / 4 if policy == "exact" else self._count

    def _progress(self, words: str, number: int, share: float) -> Progress:
        passed_s = time.perf_counter() - self._began
        return Progress(
            words=words,
            detail=f"{number:,} characters",
            share=share,
            left_s=passed_s * (1 - share) / share if share else None,
        )


def loss_of(logits: NDArray[np.float32], id: int) -> float:
    """Return -log of the probability that logits (V,) give to `id`, in nats.

    >>> loss_of(np.zeros(4, dtype=np.float32), 1) == float(np.log(4))
    True
    """
    exact = logits.astype(np.float64)
    highest = exact.max()
    return float(np.log(np.exp(exact - highest).sum()) + highest - exact[id])


def _difference(found: _Losses, base: _Losses, of: int) -> tuple[float, float]:
    """Return by how much `found` is above `base` where both were asked, and two standard errors of it.

    Each character is compared with itself, so that what makes it hard for both falls out.
    """
    _, mine, theirs = np.intersect1d(found.places, base.places, assume_unique=True, return_indices=True)
    apart = found.losses[mine] - base.losses[theirs]
    # Drawn without putting back: nothing is left to chance where all were drawn.
    left = 1 - len(apart) / of
    error = float(np.sqrt(apart.var(ddof=1) / len(apart) * left)) if len(apart) > 1 else 0.0
    return float(apart.mean()), 2 * error


def _carried(found: _Losses, whole: _Losses, of: int) -> tuple[float, float]:
    """Return the mean loss over the whole text, and two standard errors of it."""
    above, within = _difference(found, whole, of)
    return float(whole.losses.mean()) + above, within


def split_ids(folder: Path, text: str, tokenizer: Tokenizer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ids of the parts of `text` that a model was trained on, and was not: split as in its run.

    A model that does not say how is taken to have left out what the settings leave out by default.
    """
    run = RunFolder(folder)
    training = run.read_settings().training if run.settings.is_file() else TrainingSettings()
    ids = np.array(tokenizer.encode(text), dtype=np.int64)
    cut = int(len(ids) * (1 - training.validation_share))
    return ids[:cut], ids[cut:]


def engines_of(folder: Path) -> tuple[Open, tuple[Weights, ...], str]:
    """Return how a model's engines are opened, for which weights, and the engine's name.

    The native one where it was built and decodes the model, else torch, which has no int8. Raises CheckpointError.
    """
    settings = read_config(folder).architecture
    library = native_library(settings)
    if library is not None:
        stored = {weights: read_weights(folder, precision=weights) for weights in ("fp32", "int8")}
        return (
            (lambda policy, weights: NativeEngine(stored[weights], library, policy=policy)),
            ("fp32", "int8"),
            "native",
        )
    torch_for(settings)
    from tinygpt_tui.checkpoints.native import load
    from tinygpt_tui.generation.engine import TorchEngine

    model = load(folder).model
    return (lambda policy, weights: TorchEngine(model, policy)), ("fp32",), "torch"
