"""A race of runs: its contenders, and the result of each; no torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from tinygpt_tui.errors import UsageError
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.settings.architecture import name_of
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.ladder import LADDER
from tinygpt_tui.settings.presets import find_preset
from tinygpt_tui.settings.scaling import scaled_to
from tinygpt_tui.settings.tokenizer import CHARACTERS, tokenizer_choice
from tinygpt_tui.settings.training import TrainingSettings

Equal = Literal["parameters", "seconds"]
LADDER_NAME = "ladder"


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """A training in a race; `target` is a published loss to compare with."""

    name: str
    training: TrainingSettings
    target: float | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a contender; `seconds` with its evaluations, `validation_loss` the best, nats per character.

    `characters_per_token` is that of the validation split; `right` the share of right answers at the end, where the
    text is of pairs.
    """

    name: str
    model: str
    architecture: str
    parameters: int
    steps: int
    seconds: float
    validation_loss: float | None
    target: float | None
    reason: str
    tokenizer: str = CHARACTERS
    characters_per_token: float = 1.0
    right: float | None = None


def contenders_of(
    names: Sequence[str],
    vocab_size: int | Callable[[str], int],
    *,
    steps: int = 0,
    minutes: float = 0.0,
    equal: Equal | None = None,
) -> list[Contender]:
    """Return the contenders: presets by name, or "ladder", the lecture's stages one after another.

    `PRESET@TOKENIZER` is a preset with another tokenizer; `vocab_size` is that of all, or tells a tokenizer's.

    `steps` and `minutes` replace the presets' own, if not 0; with `equal` "parameters" all models become as large as
    the first. Raises NotFoundError for an unknown preset, UsageError if there are fewer than two.
    """
    contenders = [contender for name in names for contender in _named(name)]
    if len(contenders) < 2:
        raise UsageError("a race needs at least two contenders", f"name another preset, or {LADDER_NAME}")
    if steps and minutes:
        raise UsageError("steps and minutes exclude each other", "give one of them")
    changes: dict[str, float] = {"minutes": minutes} if minutes else {"steps": steps} if steps else {}
    if steps:
        changes["minutes"] = 0.0
    fitted: list[Contender] = []
    for contender in contenders:
        size = vocab_size if isinstance(vocab_size, int) else vocab_size(contender.training.tokenizer)
        net = msgspec.structs.replace(contender.training.architecture, vocab_size=size)
        if equal == "parameters" and fitted:
            net = scaled_to(net, count_parameters(fitted[0].training.architecture))
        training = msgspec.structs.replace(contender.training, architecture=net, **changes)
        if steps:
            training = msgspec.structs.replace(training, evaluate_every=min(training.evaluate_every, steps))
        fitted.append(msgspec.structs.replace(contender, training=training))
    return fitted


def with_time(contender: Contender, seconds: float) -> Contender:
    """Return the contender with `seconds` of time."""
    training = msgspec.structs.replace(contender.training, minutes=seconds / 60)
    return msgspec.structs.replace(contender, training=training)


def model_name(contender: Contender) -> str:
    """Return what its model is called after the race's prefix: a folder's name has neither `@` nor `:`."""
    return re.sub(r"[^\w.-]+", "-", contender.name)


def result_of(contender: Contender, model: str, history: RunHistory) -> Result:
    """Return the result of `contender`, which became the model of that name."""
    net, best = contender.training.architecture, history.best
    return Result(
        name=contender.name,
        model=model,
        architecture=name_of(net),
        parameters=count_parameters(net),
        steps=history.step,
        seconds=history.elapsed_s,
        validation_loss=best[1] if best else None,
        target=contender.target,
        reason=history.ended.reason if history.ended else "stopped",
        tokenizer=contender.training.tokenizer,
        characters_per_token=history.characters_per_token,
        right=history.last_evaluation.right if history.last_evaluation else None,
    )


def _named(name: str) -> list[Contender]:
    if name == LADDER_NAME:
        return [Contender(name=stage.name, training=stage.training, target=stage.published) for stage in LADDER]
    preset, _, tokenizer = name.partition("@")
    training = find_preset(preset).training
    if tokenizer:
        training = msgspec.structs.replace(training, tokenizer=tokenizer_choice(tokenizer).name)
    return [Contender(name=name, training=training)]
