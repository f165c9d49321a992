"""A race of trainings: who takes part, and how each of them did; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from tinygpt_tui.errors import UsageError
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.settings.architecture import name_of
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.ladder import LADDER
from tinygpt_tui.settings.presets import find_preset
from tinygpt_tui.settings.scaling import scaled_to
from tinygpt_tui.settings.training import TrainingSettings

Equal = Literal["parameters", "seconds"]
LADDER_NAME = "ladder"


class Entrant(msgspec.Struct, frozen=True, kw_only=True):
    """One of those who race; `target` is a published loss to be measured against."""

    name: str
    training: TrainingSettings
    target: float | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How an entrant did; `seconds` with its evaluations, `validation_loss` the best, nats per token."""

    name: str
    model: str
    architecture: str
    parameters: int
    steps: int
    seconds: float
    validation_loss: float | None
    target: float | None
    reason: str


def entrants_of(
    names: Sequence[str], vocab_size: int, *, steps: int = 0, minutes: float = 0.0, equal: Equal | None = None
) -> list[Entrant]:
    """Return who races: presets by name, or "ladder", the lecture's stages one after another.

    `steps` and `minutes` are put over the presets' own, where they are not 0; with `equal` "parameters" all nets become
    as large as the first. Raises NotFoundError for an unknown preset, UsageError where there is nobody to race.
    """
    entrants = [entrant for name in names for entrant in _named(name)]
    if len(entrants) < 2:
        raise UsageError("a race wants at least two", f"name another preset, or {LADDER_NAME}")
    if steps and minutes:
        raise UsageError("steps and minutes cannot both be", "give one of them")
    changes: dict[str, float] = {"minutes": minutes} if minutes else {"steps": steps} if steps else {}
    if steps:
        changes["minutes"] = 0.0
    fitted: list[Entrant] = []
    for entrant in entrants:
        net = msgspec.structs.replace(entrant.training.architecture, vocab_size=vocab_size)
        if equal == "parameters" and fitted:
            net = scaled_to(net, count_parameters(fitted[0].training.architecture))
        training = msgspec.structs.replace(entrant.training, architecture=net, **changes)
        if steps:
            training = msgspec.structs.replace(training, evaluate_every=min(training.evaluate_every, steps))
        fitted.append(msgspec.structs.replace(entrant, training=training))
    return fitted


def for_so_long(entrant: Entrant, seconds: float) -> Entrant:
    """Return the entrant with as much time as another one had."""
    training = msgspec.structs.replace(entrant.training, minutes=seconds / 60)
    return msgspec.structs.replace(entrant, training=training)


def result_of(entrant: Entrant, model: str, history: RunHistory) -> Result:
    """Return how `entrant`, which became the model of that name, did."""
    net, best = entrant.training.architecture, history.best
    return Result(
        name=entrant.name,
        model=model,
        architecture=name_of(net),
        parameters=count_parameters(net),
        steps=history.step,
        seconds=history.elapsed_s,
        validation_loss=best[1] if best else None,
        target=entrant.target,
        reason=history.ended.reason if history.ended else "stopped",
    )


def _named(name: str) -> list[Entrant]:
    if name == LADDER_NAME:
        return [Entrant(name=stage.name, training=stage.training, target=stage.published) for stage in LADDER]
    return [Entrant(name=name, training=find_preset(name).training)]
