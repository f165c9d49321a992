"""A checkpoint as arrays: ours, or another program's with what its headers do not tell measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from numpy.typing import NDArray

from tinygpt_tui.checkpoints.adapters import Part, adapted, hash_of, shapes_in
from tinygpt_tui.checkpoints.calibrated import folded
from tinygpt_tui.checkpoints.card import WEIGHTS, is_native, read_config
from tinygpt_tui.checkpoints.engines import forward_of, shapes_of
from tinygpt_tui.checkpoints.library import find_model, list_models
from tinygpt_tui.checkpoints.vocabulary import open_tokenizer
from tinygpt_tui.checkpoints.weights import weight_places
from tinygpt_tui.errors import CheckpointError, NotFoundError
from tinygpt_tui.foreign.calibrate import calibrate
from tinygpt_tui.foreign.calibration_cache import cache_calibration, cached_calibration
from tinygpt_tui.foreign.facts import Fact, answers_in_words
from tinygpt_tui.foreign.layouts.base import Weights
from tinygpt_tui.foreign.losses import Forward
from tinygpt_tui.foreign.opening import Inspection, Overrides, check_weights, inspect_checkpoint
from tinygpt_tui.foreign.readers.safetensors_file import read_tensors
from tinygpt_tui.foreign.tensors import TensorPlace
from tinygpt_tui.native.weights import check_fit, no_floats
from tinygpt_tui.settings.architecture import CHANGES_NO_WEIGHT, ArchitectureSettings
from tinygpt_tui.settings.model_config import EMBEDDING, HEAD, Adapter, NativeConfig
from tinygpt_tui.tokenizers.base import Tokenizer

T = TypeVar("T")
Report = Callable[[str], None]
MOST_ADAPTERS = 8  # one on top of the other


@dataclass(frozen=True)
class StoredModel:
    """What is on the disk: settings, tokenizer, weights; a tied head is under both of its names.

    `facts` says of a foreign one what was taken from where.
    """

    config: NativeConfig
    weights: Mapping[str, NDArray[Any]]
    tokenizer: Tokenizer
    layout: str = "native"
    facts: tuple[Fact, ...] = ()


def read_model(
    path: Path, overrides: Overrides | None = None, *, report: Report | None = None, cached: bool = False
) -> StoredModel:
    """Read a model folder of ours, or a checkpoint of any known layout.

    `report` is given the settings that are tried, in words. With `cached`, what was measured before is not measured
    again, and is stored for the next time.
    Raises CheckpointError where it is damaged or unknown, UsageError for overrides that are invalid, NotFoundError,
    StorageError; MissingPackageError for a net that the native engine does not know, where there is no torch.
    """
    if is_native(path):
        return read_folder(path)
    found = inspect_checkpoint(path, overrides)
    known = cached_calibration(found) if cached else None
    if known is not None:
        inspection, weights = known, weights_of(known)
    else:
        inspection, weights = read_calibrated(found, overrides.corpus if overrides else "", report)
        if cached:
            cache_calibration(found, inspection)
    return StoredModel(inspection.config, weights, inspection.tokenizer, inspection.layout.name, inspection.facts)


def read_folder(
    folder: Path, state: Mapping[str, NDArray[Any]] | None = None, *, calibrated: bool = True, above: int = 0
) -> StoredModel:
    """Read a model folder of ours, calibrated or not; with `state`, those weights instead, as they are.

    An adapter is added to its base's weights; `above` is how many adapters it is the base of. Raises as `read_model`.
    """
    config = read_config(folder)
    tokenizer = open_tokenizer(folder, config)
    wanted = shapes_of(config.architecture, folder.name)
    calibrated = calibrated and state is None
    if state is None and config.adapter is not None:
        state = _adapted(folder, config, config.adapter, wanted, above)
        config = msgspec.structs.replace(config, adapter=None)
    elif state is None:
        places = weight_places(folder)
        check_fit(wanted, _with_head(config, places), folder.name)  # before anything is read
        state = _floats(folder, places)
    weights = _with_head(config, state)
    check_fit(wanted, weights, folder.name)
    config, weights = folded(config, weights) if calibrated else (config, weights)
    return StoredModel(config, weights, tokenizer)


def _floats(folder: Path, places: Mapping[str, TensorPlace]) -> dict[str, NDArray[Any]]:
    if strange := next((place for place in places.values() if not place.is_float), None):
        raise no_floats(folder.name, strange.name, strange.kind)
    return read_tensors(folder / WEIGHTS, places)


def _adapted(
    folder: Path, config: NativeConfig, adapter: Adapter, wanted: Mapping[str, tuple[int, ...]], above: int
) -> dict[str, NDArray[Any]]:
    """Return the weights that the adapter in `folder`, or a mix of several, makes of its base's."""
    base = _base_of(folder, config.architecture, adapter, above)
    parts = []
    for path, weight in [(Path(one.path), one.weight) for one in adapter.mixed] or [(folder, 1.0)]:
        places = weight_places(path)
        check_fit(shapes_in(places, base.weights, wanted), places, path.name)
        parts.append(Part(_floats(path, places), weight))
    return adapted(base.weights, base.config.architecture, config.architecture, wanted, parts)


def _base_of(folder: Path, architecture: ArchitectureSettings, adapter: Adapter, above: int) -> StoredModel:
    """Read the model that an adapter is for, and check that its weights are those that the adapter was trained on."""
    if above > MOST_ADAPTERS:
        raise CheckpointError(
            f"{folder.name} is an adapter of an adapter, and so on without end", "its file is damaged"
        )
    path = Path(adapter.path)
    try:
        path = path if path.exists() else find_model(adapter.base)
    except NotFoundError:
        if (renamed := _renamed(architecture, adapter)) is not None:
            return renamed
        raise CheckpointError(
            f"{folder.name} is an adapter of {adapter.base}, which is not here", f"put that model back: {path}"
        ) from None
    base = read_folder(path, above=above + 1) if is_native(path) else read_model(path, cached=True)
    if hash_of(base.weights) != adapter.sha256:
        raise CheckpointError(
            f"{folder.name} is an adapter of {adapter.base}, and that model's weights have changed since",
            f"put the old weights back in {path}, or train the adapter again",
        )
    return base


def _renamed(architecture: ArchitectureSettings, adapter: Adapter) -> StoredModel | None:
    """Return the base under another name: the model of the library that has its weights."""
    for card in list_models():
        path = Path(card.path)
        if card.problem or card.base or not is_native(path):
            continue
        if _same_net(read_config(path).architecture, architecture):
            model = read_folder(path)
            if hash_of(model.weights) == adapter.sha256:
                return model
    return None


def _same_net(base: ArchitectureSettings, adapted: ArchitectureSettings) -> bool:
    """Whether an adapter of `base` may be a model of the settings `adapted`: its vocabulary and dropout may differ."""
    if type(base) is not type(adapted):
        return False
    free = {name: getattr(adapted, name) for name in {*CHANGES_NO_WEIGHT, "vocab_size"} & {*base.__struct_fields__}}
    return bool(msgspec.structs.replace(base, **free) == adapted)


def _with_head(config: NativeConfig, tensors: Mapping[str, T]) -> dict[str, T]:
    tied = config.architecture.tied_head and EMBEDDING in tensors
    return {**tensors, HEAD: tensors[EMBEDDING]} if tied else dict(tensors)


def read_calibrated(
    inspection: Inspection, corpus: str = "", report: Report | None = None
) -> tuple[Inspection, Weights]:
    """Answer what headers do not tell by measuring, on `corpus` where one is named; return the weights with it.

    `report` is given the settings that are tried, in words.
    Raises CheckpointError where the tensors do not make the net, StorageError, MissingPackageError.
    """
    assembled = inspection.assembled()
    wanted: dict[ArchitectureSettings, Mapping[str, tuple[int, ...]]] = {}

    def weights(one: Inspection) -> Weights:
        if one.settings not in wanted:
            wanted[one.settings] = shapes_of(one.settings, one.name)
        return check_weights(one, one.laid_out(assembled), wanted[one.settings])

    open_settings = [question.setting for question in inspection.questions]

    def build(one: Inspection) -> Forward:
        if report:
            values = {**msgspec.structs.asdict(one.settings), **msgspec.structs.asdict(one.reading)}
            report(answers_in_words({name: values[name] for name in open_settings}) or "its loss on texts")
        return forward_of(one.settings, weights(one), one.name)

    inspection = calibrate(inspection, build, corpus)
    return inspection, weights(inspection)


def weights_of(inspection: Inspection) -> Weights:
    """Read the weights as the net wants them. Raises CheckpointError where they do not make it, MissingPackageError."""
    return check_weights(inspection, inspection.weights(), shapes_of(inspection.settings, inspection.name))
