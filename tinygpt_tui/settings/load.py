"""From many places one set of settings: default < preset < TOML file < what was typed."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.fields import changed, fields_of
from tinygpt_tui.settings.training import TrainingSettings

FROM_CORPUS = frozenset({"vocab_size"})  # decided by the text, never by hand


def read_toml(path: Path) -> dict[str, Any]:
    """Return the settings of a TOML file, as plain values by name.

    Raises UsageError where it cannot be read, or names a setting that does not exist (with the nearest that does).
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", "check the path of the settings file") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}", "one `name = value` a line") from None
    known = (fields_of(TrainingSettings).keys() | fields_of(GPTSettings).keys()) - FROM_CORPUS
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
    architecture = changed(base.architecture, {name: typed[name] for name in typed.keys() & architecture_names})
    rest = {name: typed[name] for name in typed.keys() - architecture_names}
    plain = msgspec.structs.replace(changed(base, rest), architecture=architecture)
    if architecture.n_embd % architecture.n_head:
        raise UsageError(
            f"n embd {architecture.n_embd} cannot be shared among {architecture.n_head} heads",
            f"choose a multiple of {architecture.n_head}",
        )
    return plain
