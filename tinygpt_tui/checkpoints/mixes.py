"""Several adapters of one model, each weakened or strengthened: `BASE+ADAPTER:0.7+OTHER:0.3`; no torch here.

A mix is a model folder without weights: its config names its adapters, which are added to their base when it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.card import ModelCard, read_config, write_config
from tinygpt_tui.checkpoints.vocabulary import read_tokenizer, write_tokenizer
from tinygpt_tui.errors import NotFoundError, TinyGPTError, UsageError
from tinygpt_tui.files import whole_folder
from tinygpt_tui.settings.fields import checked
from tinygpt_tui.settings.model_config import MixedAdapter
from tinygpt_tui.tokenizers.table import tokenizer_from

AND, TIMES, SHOWN_TIMES = "+", ":", "×"
SYNTAX = f"write BASE{AND}ADAPTER{TIMES}0.7, or several: BASE{AND}ADAPTER{TIMES}0.7{AND}OTHER{TIMES}0.3"


def is_mix(name: str) -> bool:
    """Whether a name is that of a mix: no model's name has such characters."""
    return AND in name or TIMES in name


def weighed(name: str, by: float) -> str:
    """Return the name of a mix, or of a base and an adapter, with the last adapter stronger by that much.

    >>> weighed("shakespeare+diary", -0.1), weighed("shakespeare+diary×0.7+letters×0.3", 0.1)
    ('shakespeare+diary:0.9', 'shakespeare+diary:0.7+letters:0.4')
    """
    head, _, last = name.replace(SHOWN_TIMES, TIMES).rpartition(AND)
    adapter, _, weight = last.partition(TIMES)
    return f"{head}{AND}{adapter}{TIMES}{round(float(weight or 1) + by, 3):g}"


def mix_named(name: str, known: Mapping[str, ModelCard]) -> Path:
    """Return the folder of a mix of models that are `known`, which is written if it is not there yet.

    Raises NotFoundError, UsageError for models that cannot be mixed, CheckpointError, StorageError.
    """
    parts = [_part(part.strip(), known) for part in name.split(AND)]
    first = known[parts[0].name]
    base = first.base
    if len(parts) > 1 and (not base or known[parts[1].name].base == first.name):
        base, parts = first.name, parts[1:]
    folders = [Path(part.path) for part in parts]
    configs = [read_config(folder) for folder in folders]
    adapters = [config.adapter for config in configs]
    for part, adapter in zip(parts, adapters, strict=True):
        if adapter is None or adapter.base != base or adapters[0] is None:
            problem = f"is no adapter of {base}" if base else "is no adapter"
            raise UsageError(f"{part.name} {problem}", "`tinygpt-tui models` lists each adapter under its base")
        if adapter.sha256 != adapters[0].sha256:
            raise UsageError(
                f"{part.name} was trained on other weights of {base} than {parts[0].name}",
                "mix adapters of the same weights",
            )
    from tinygpt_tui.checkpoints.adapters import ROWS
    from tinygpt_tui.checkpoints.weights import weight_places

    widest = [place for place, folder in enumerate(folders) if any(one.endswith(ROWS) for one in weight_places(folder))]
    if len(widest) > 1:
        both = " and ".join(parts[place].name for place in widest[:2])
        raise UsageError(f"{both} have characters of their own", "mix adapters of which one at most has new characters")
    config, tokenizer = configs[(*widest, 0)[0]], read_tokenizer(folders[(*widest, 0)[0]])
    assert config.adapter is not None
    mixed = msgspec.structs.replace(config.adapter, rank=0, mixed=tuple(parts))
    config = msgspec.structs.replace(config, adapter=mixed, trained=None, calibration=None)
    label = AND.join([mixed.base, *(f"{part.name}{SHOWN_TIMES}{part.weight:g}" for part in parts)])
    folder = paths.mixes_folder() / label
    try:
        same = read_config(folder) == config and read_tokenizer(folder) == tokenizer
    except TinyGPTError:
        same = False
    if not same:
        with whole_folder(folder, replace=True) as place:
            write_tokenizer(place, tokenizer_from(tokenizer))
            write_config(place, config)
    return folder


def _part(text: str, known: Mapping[str, ModelCard]) -> MixedAdapter:
    name, _, weight = text.partition(TIMES)
    card = paths.find_named(known, name)
    if card is None:
        raise NotFoundError(f"no model is called {name!r}", SYNTAX)
    try:
        number = float(weight or 1)
    except ValueError:
        raise UsageError(f"{weight!r} is not a number", SYNTAX) from None
    return checked(MixedAdapter, {"name": card.name, "path": card.path, "weight": number})
