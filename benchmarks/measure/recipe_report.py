"""What a benchmark of training recipes found, as plain data: what is printed, and what `--json` writes. No torch."""

from __future__ import annotations

import msgspec

from tinygpt_tui.measuring.report import Machine


class RecipeRun(msgspec.Struct, frozen=True, kw_only=True):
    """One training of one recipe with one seed.

    `loss` is calibrated: with the logits times `logit_scale`, the best one factor; `plain_loss` is as trained. Both are
    nats per character over the whole validation part. `seconds` are the processor's, in the steps alone.
    """

    recipe: str
    seed: int
    parameters: int
    steps: int
    seconds: float
    loss: float
    plain_loss: float
    logit_scale: float


class RecipeReport(msgspec.Struct, frozen=True, kw_only=True):
    """All runs on one text, of which `characters` were learned from and the `judged` behind them judge."""

    machine: Machine
    corpus: str
    characters: int
    judged: int
    took_s: float
    core_share: float
    finished: bool
    runs: tuple[RecipeRun, ...]
