"""The user's own keys: the `[keys]` table of the settings file, checked against the app's bindings.

To know all bindings means to import every screen, so this module is imported only if the table is not empty.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from textual.app import App
from textual.binding import Binding, BindingsMap
from textual.dom import DOMNode
from textual.keys import Keys

from tinygpt_tui.errors import UsageError

MODIFIERS = {"ctrl", "shift", "alt", "super", "hyper", "meta"}
NAMED_KEYS = {key.value for key in Keys if not key.value.startswith("<")}
# Names of earlier versions, which settings files may have: the binding that does the same now.
ALIASES = {"microscope.colours": "generate.surprise"}


class Own(NamedTuple):
    """The user's keys that can be used, as Textual's keymap, and what is wrong with the others."""

    keymap: dict[str, str]
    problems: list[UsageError]


@cache
def widgets() -> tuple[type[DOMNode], ...]:
    """Return the app, its screens and its widgets; imports all of them."""
    package = importlib.import_module("tinygpt_tui.ui")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)

    def below(kind: type[DOMNode]) -> Iterator[type[DOMNode]]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    found = {kind for kind in below(DOMNode) if kind.__module__.startswith(f"{package.__name__}.")}
    return tuple(sorted(found, key=lambda kind: (kind.__module__, kind.__name__)))


@cache
def default_bindings() -> dict[str, tuple[Binding, ...]]:
    """Return the app's bindings by id, one for each key."""
    found: dict[str, dict[str, Binding]] = {}
    for kind in widgets():
        for bindings in BindingsMap(kind.__dict__.get("BINDINGS", ())).key_to_bindings.values():
            for binding in bindings:
                if binding.id:
                    found.setdefault(binding.id, {}).setdefault(binding.key, binding)
    return {name: tuple(found[name].values()) for name in sorted(found)}


def own_keys(typed: Mapping[str, object]) -> Own:
    """Check the `[keys]` table, which is given by id; a wrong entry is left out and reported."""
    keymap: dict[str, str] = {}
    problems: list[UsageError] = []
    for written, keys in typed.items():
        name = ALIASES.get(written, written)
        try:
            keymap[name] = _checked(name, keys)
        except UsageError as error:
            problems.append(error)
    clashes = {name: other for name in keymap if (other := _clash(name, keymap)) is not None}
    for name, other in clashes.items():
        what = f"{other.id} ({other.description})" if other.id else f"{other.description or other.action!r}"
        message = f'keys: {name} = "{keymap[name]}": this key already belongs to {what}'
        also = f", or give {other.id} another one, too" if other.id else ""
        problems.append(UsageError(message, f"choose another key{also}"))
    keymap = {name: keys for name, keys in keymap.items() if name not in clashes}
    return Own({**_sharing(keymap), **keymap}, problems)


def _checked(name: str, keys: object) -> str:
    known = default_bindings()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "`tinygpt-tui config keys` lists them"
        raise UsageError(f"keys: there is no binding {name!r}", hint)
    if not isinstance(keys, str) or not keys.strip():
        raise UsageError(f"keys: {name} needs a key in quotes, not {keys!r}", f'for example {name} = "alt+a"')
    names = [key.strip() for key in keys.split(",")] if keys != "," else [keys]
    for key in names:
        if not _is_key(key):
            near = difflib.get_close_matches(key, NAMED_KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else "write it as ctrl+x, alt+a, f8, home or a character"
            raise UsageError(f"keys: {name}: there is no key {key!r}", hint)
    return App._normalize_keymap({name: ",".join(names)})[name]


def _is_key(key: str) -> bool:
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    if not set(modifiers) <= MODIFIERS:
        return False
    if len(last) == 1 or last in NAMED_KEYS:
        return True
    try:
        unicodedata.lookup(last.replace("_", " "))
    except KeyError:
        return False
    return True


def _clash(name: str, keymap: Mapping[str, str]) -> Binding | None:
    """Return another binding that one of the new keys of `name` already belongs to, in its widget or the app."""
    keys = set(keymap[name].split(","))
    everywhere = [kind for kind in widgets() if issubclass(kind, App)]
    of_app = any(binding.id == name for kind in everywhere for binding in _of(kind))
    for kind in widgets():
        own = _of(kind)
        if kind not in everywhere and not of_app and all(binding.id != name for binding in own):
            continue
        for other in own:
            if other.id == name or (of_app and kind not in everywhere and not other.id):
                continue
            if keys & set(keymap.get(other.id or "", other.key).split(",")) and not _share(name, other.id):
                return other
    return None


def _share(name: str, other: str | None) -> bool:
    """Whether two bindings have a key in common by default: only one of them can be used at a time."""
    known = default_bindings()
    return bool({one.key for one in known[name]} & {one.key for one in known.get(other or "", ())})


def _of(kind: type[DOMNode]) -> list[Binding]:
    """Return the bindings of a class and of what it inherits from."""
    merged = BindingsMap.merge(
        [BindingsMap(base.__dict__.get("BINDINGS", ())) for base in reversed(kind.__mro__) if issubclass(base, DOMNode)]
    )
    return [binding for bindings in merged.key_to_bindings.values() for binding in bindings]


def _sharing(keymap: Mapping[str, str]) -> dict[str, str]:
    """Return the default keys of bindings that share a key with a changed one: Textual would drop them with it."""
    found = {}
    for kind in widgets():
        own = _of(kind)
        moved = {binding.key for binding in own if binding.id in keymap}
        for binding in own:
            if binding.id and binding.key in moved:
                found[binding.id] = ",".join(one.key for one in default_bindings()[binding.id])
    return found
