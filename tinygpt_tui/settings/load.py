"""From many places one set of settings: default < preset < TOML file < what was typed."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import msgspec

from tinygpt_tui.errors import UsageError
from tinygpt_tui.reading import Damage, decode_toml, read_bytes
from tinygpt_tui.settings.architecture import ARCHITECTURE_SETTINGS, ArchitectureSettings, name_of
from tinygpt_tui.settings.fields import SettingField, changed, fields_of
from tinygpt_tui.settings.rules import check
from tinygpt_tui.settings.training import TrainingSettings

LARGEST = 1 << 20  # bytes of a settings file
FROM_CORPUS = frozenset({"vocab_size", "separator"})  # decided by the text, never by hand


def architecture_fields() -> dict[str, SettingField]:
    """Return the settings of all architectures by name; one that several have is listed once, as the first has it."""
    found: dict[str, SettingField] = {}
    for struct in ARCHITECTURE_SETTINGS:
        found = {**fields_of(struct), **found}
    return found


def read_toml(path: Path) -> dict[str, Any]:
    """Return the settings of a TOML file, as plain values by name.

    Raises UsageError where it cannot be read, or names a setting that does not exist (with the nearest that does).
    """
    try:
        values = decode_toml(read_bytes(path, LARGEST), dict[str, Any])
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", "check the path of the settings file") from None
    except Damage as error:
        raise UsageError(f"{path} is not TOML: {error}", "one `name = value` a line") from None
    known = (fields_of(TrainingSettings).keys() | architecture_fields().keys()) - FROM_CORPUS
    for name in values:
        if name in FROM_CORPUS:
            raise UsageError(f"{path}: {name} cannot be set by hand", "the text decides it: leave the line out")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "`tinygpt-tui train --help` lists the settings"
            raise UsageError(f"{path}: there is no setting called {name!r}", hint)
    return values


def resolve(base: TrainingSettings, *layers: dict[str, Any]) -> TrainingSettings:
    """Return `base` with each layer's values over it, later ones winning.

    Names of the architecture's settings and of the training's share one flat space. Raises UsageError.
    """
    typed: dict[str, Any] = {}
    for layer in layers:
        typed |= layer
    architecture_names = fields_of(type(base.architecture)).keys()
    _check_known(typed, base.architecture)
    architecture = changed(base.architecture, {name: typed[name] for name in typed.keys() & architecture_names})
    rest = {name: typed[name] for name in typed.keys() - architecture_names}
    resolved = msgspec.structs.replace(changed(base, rest), architecture=architecture)
    check(resolved)
    return resolved


def _check_known(typed: dict[str, Any], architecture: ArchitectureSettings) -> None:
    own = fields_of(type(architecture)).keys()
    foreign = typed.keys() & (architecture_fields().keys() - own - fields_of(TrainingSettings).keys())
    if foreign:
        raise UsageError(
            f"{min(foreign).replace('_', ' ')}: the architecture {name_of(architecture)} has no such setting",
            f"it has {', '.join(name.replace('_', ' ') for name in own if name not in FROM_CORPUS)}",
        )
