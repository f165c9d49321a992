"""What is known of a model without opening its weights: no torch here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from tinygpt_tui.errors import CheckpointError, TinyGPTError, storage_error
from tinygpt_tui.files import is_file, write_bytes
from tinygpt_tui.foreign.facts import Fact
from tinygpt_tui.reading import Damage, read_json
from tinygpt_tui.settings.model_config import FORMAT, NativeConfig, TrainedOn

CONFIG, TOKENIZER, WEIGHTS = "config.json", "tokenizer.json", "weights.safetensors"
ORIGIN = "origin.json"  # of a model that came from another program
LARGEST_CONFIG = 4 << 20  # bytes; lists of models read it again and again
NEEDS_TORCH = "needs the package torch"


Whose = Literal["shipped", "yours"]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """`origin.json` of a model that came from another program."""

    layout: str
    path: str
    facts: tuple[Fact, ...]


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the model picker.

    `path` names the model for the engine; `origin` says whose it is. `problem` is why it cannot be used, where it
    cannot, and `hint` what to do about it. `layout` is another program's where it is one; `facts` says what was taken
    from where, also of one that was kept as ours. An adapter has the name of its `base`, and a `rank`.
    """

    name: str
    path: str
    origin: Whose
    architecture: str = ""
    parameters: int = 0
    block_size: int = 0
    vocab_size: int = 0
    trained: TrainedOn | None = None
    is_calibrated: bool = False  # and so `trained` has the loss of the calibrated weights, which a run's best is not
    size_bytes: int = 0
    problem: str = ""
    hint: str = ""
    layout: str = "native"
    facts: tuple[Fact, ...] = ()
    base: str = ""
    rank: int = 0

    @property
    def is_mix(self) -> bool:
        """Whether it is a mix of adapters, which has no weights of its own."""
        return bool(self.base) and not self.rank


def is_native(path: Path) -> bool:
    """Whether a folder is a model of ours: its config.json names an architecture."""
    if not is_file(path / CONFIG):
        return False
    try:
        return "architecture" in read_json(path / CONFIG, dict[str, msgspec.Raw], LARGEST_CONFIG)
    except (OSError, Damage):
        return True  # damaged: to be said by who reads it as ours


def read_config(folder: Path) -> NativeConfig:
    """Read `config.json` of a model folder. Raises CheckpointError."""
    try:
        config = read_json(folder / CONFIG, NativeConfig, LARGEST_CONFIG)
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(
            f"{folder} is not a model: it has no {CONFIG}", "`tinygpt-tui models` lists the models"
        ) from None
    except OSError as error:
        raise storage_error(error, folder / CONFIG) from error
    except Damage as error:
        raise CheckpointError(f"{folder / CONFIG} cannot be read: {error}", "the file is damaged or too new") from None
    if config.format > FORMAT:
        raise CheckpointError(
            f"{folder.name} was made by a newer version (format {config.format})", "update tinygpt-tui"
        )
    return config


def write_config(folder: Path, config: NativeConfig) -> None:
    """Write a model folder's `config.json`. Raises StorageError."""
    write_bytes(folder / CONFIG, msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n", within=folder)


def problem_card(path: Path, origin: Whose, error: Exception, layout: str = "native") -> ModelCard:
    """Return the card of what cannot be opened, which says why."""
    if not isinstance(error, TinyGPTError):
        error = CheckpointError(f"{path.name} cannot be read: {type(error).__name__}: {error}", "the file is damaged")
    return ModelCard(
        name=path.name, path=str(path), origin=origin, problem=error.message, hint=error.hint, layout=layout
    )


def card_of(folder: Path, origin: Whose) -> ModelCard:
    """Return the card of a model folder; a folder that cannot be read gets a card that says why."""
    from tinygpt_tui.checkpoints.engines import no_engine

    try:
        config = read_config(folder)
        weights = folder / WEIGHTS
        size = weights.stat().st_size if weights.is_file() else 0
    except Exception as error:  # whatever it is: the other models are there all the same
        return problem_card(folder, origin, error)
    unusable = no_engine(config.architecture)
    is_mix = config.adapter is not None and bool(config.adapter.mixed)  # which has no weights of its own
    settings = config.architecture
    return ModelCard(
        name=folder.name,
        path=str(folder),
        origin=origin,
        architecture=str(settings.__struct_config__.tag),
        parameters=config.parameters,
        block_size=settings.block_size,
        vocab_size=settings.vocab_size,
        trained=config.trained,
        is_calibrated=config.calibration is not None,
        size_bytes=size,
        problem=_without_weights(weights) if not size and not is_mix else NEEDS_TORCH if unusable else "",
        hint=unusable.hint if (size or is_mix) and unusable else "",
        facts=_facts(folder),
        base=config.adapter.base if config.adapter else "",
        rank=config.adapter.rank if config.adapter else 0,
    )


def _without_weights(weights: Path) -> str:
    if os.path.lexists(weights) and not weights.is_file():
        return f"{weights.name} is not a file"
    return "no weights yet"


def _facts(folder: Path) -> tuple[Fact, ...]:
    """What was taken from where when the model was imported; nothing where it was trained here."""
    try:
        return read_json(folder / ORIGIN, Origin).facts
    except (OSError, Damage):
        return ()
