"""Which settings differ between two runs, in words; no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from tinygpt_tui.runs.folder import RunSettings
from tinygpt_tui.settings.fields import written

NOTHING = "–"


class Difference(NamedTuple):
    """A setting that differs between two runs: its name as shown, and both values."""

    name: str
    first: str
    second: str


def differences(first: RunSettings, second: RunSettings) -> list[Difference]:
    """Return what differs between two runs: text, preset, all settings, versions, machine."""
    one, other = dict(_flat(first)), dict(_flat(second))
    return [
        Difference(name, one.get(name, NOTHING), other.get(name, NOTHING))
        for name in dict.fromkeys([*one, *other])
        if one.get(name, NOTHING) != other.get(name, NOTHING)
    ]


def changed_from(settings: msgspec.Struct, default: msgspec.Struct) -> dict[str, str]:
    """Return the fields of `settings` that differ from `default`, as a user would type them; nested structs, too."""
    known = dict(_values(default))
    return {name: value for name, value in _values(settings) if known.get(name) != value}


def _flat(settings: RunSettings) -> Iterator[tuple[str, str]]:
    yield "text", settings.corpus.name
    yield "text's checksum", settings.corpus.sha256[:12] or NOTHING
    yield "started from", settings.start.words if settings.start else NOTHING
    yield "distilled from", settings.teachers_words or NOTHING
    yield "preset", settings.preset or NOTHING
    for name, value in _values(settings.training):
        yield name.replace("_", " "), value or NOTHING
    for name, version in sorted(settings.versions.items()):
        yield f"{name} version", version
    yield "machine", settings.machine or NOTHING


def _values(settings: msgspec.Struct) -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(settings):
        value: Any = getattr(settings, field.name)
        if isinstance(value, msgspec.Struct):
            yield field.name, str(value.__struct_config__.tag or "")
            yield from _values(value)
        else:
            yield field.name, written(value)
