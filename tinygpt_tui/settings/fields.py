"""A settings struct's fields, for flags, forms and help texts."""

from __future__ import annotations

import types
import typing
from typing import Any, Literal

import msgspec
from msgspec import Meta

from tinygpt_tui.errors import UsageError


class SettingField(msgspec.Struct, frozen=True):
    """One setting, as a form or a flag needs it.

    `kind` is the Python type of the value (`choices` are its values where they are few); `optional` says that it may
    be None, which a user writes as nothing at all.
    """

    name: str
    kind: type
    default: Any
    description: str
    choices: tuple[str, ...] = ()
    optional: bool = False
    minimum: float | None = None
    maximum: float | None = None

    @property
    def title(self) -> str:
        """The name as people read it: `max new tokens`."""
        return self.name.replace("_", " ")


def fields_of(struct: type[msgspec.Struct]) -> dict[str, SettingField]:
    """Return the settings of `struct` by name, in their order; nested structs are left out."""
    hints = typing.get_type_hints(struct, include_extras=True)
    found = {}
    for field in msgspec.structs.fields(struct):
        annotated = hints[field.name]
        if not hasattr(annotated, "__metadata__"):
            continue
        kind, optional, choices, limits = _plain(annotated.__origin__)
        limits = limits or annotated.__metadata__[0]
        found[field.name] = SettingField(
            name=field.name,
            kind=kind,
            default=field.default,
            description=annotated.__metadata__[0].description or "",
            choices=choices,
            optional=optional,
            minimum=limits.ge if limits.ge is not None else limits.gt,
            maximum=limits.le if limits.le is not None else limits.lt,
        )
    return found


def parse_value(field: SettingField, text: str) -> Any:
    """Turn what a user typed into the field's type (limits are checked by `changed`). Raises UsageError."""
    typed = text.strip()
    if field.optional and not typed:
        return None
    if field.kind is bool:
        words = {
            "yes": True,
            "true": True,
            "on": True,
            "1": True,
            "no": False,
            "false": False,
            "off": False,
            "0": False,
        }
        if typed.lower() not in words:
            raise UsageError(f"{field.title}: {text!r} is neither yes nor no")
        return words[typed.lower()]
    if field.kind is str:
        return text if not field.choices else typed
    try:
        return field.kind(typed.replace("_", ""))
    except ValueError:
        wanted = "a whole number" if field.kind is int else "a number"
        raise UsageError(f"{field.title}: {text!r} is not {wanted}") from None


S = typing.TypeVar("S", bound=msgspec.Struct)


def changed(settings: S, changes: dict[str, Any]) -> S:
    """Return `settings` with some fields changed and every limit checked.

    Raises UsageError, in the setting's own words, for the first value that cannot be.
    """
    merged = {**msgspec.structs.asdict(settings), **changes}
    return checked(type(settings), merged)


def checked(struct: type[S], values: dict[str, Any]) -> S:
    """Build `struct` from plain values with every type and limit checked. Raises UsageError."""
    try:
        # msgspec checks when it converts, not when a struct is built; floats that JSON cannot say (NaN) are caught here
        for name, value in values.items():
            if isinstance(value, float) and not -float("inf") < value < float("inf"):
                raise UsageError(f"{name.replace('_', ' ')}: {value} is not a finite number")
        return msgspec.convert(msgspec.to_builtins(values), struct)
    except msgspec.ValidationError as error:
        raise UsageError(_in_words(struct, str(error))) from None


def _plain(kind: Any) -> tuple[type, bool, tuple[str, ...], Meta | None]:
    """Take `Annotated[int, Meta(...)] | None` or `Literal[...]` apart: type, optional, choices, limits."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        inner = next(argument for argument in typing.get_args(kind) if argument is not type(None))
        if typing.get_origin(inner) is typing.Annotated:
            return inner.__origin__, True, (), inner.__metadata__[0]
        return inner, True, (), None
    if typing.get_origin(kind) is Literal:
        return str, False, tuple(typing.get_args(kind)), None
    return kind, False, (), None


def _in_words(struct: type[msgspec.Struct], found: str) -> str:
    """Turn msgspec's "Expected `int` >= 1 - at `$.top_k`" into "top k: must be at least 1"."""
    what, _, where = found.partition(" - at `$.")
    name = where.rstrip("`").split(".")[-1]
    field = fields_of(struct).get(name)
    if field is None:
        return found.replace("`", "'")
    said = what.removeprefix("Expected ").replace("`", "").replace(" | null", "").strip()
    if field.choices:
        return f"{field.title}: must be one of {', '.join(field.choices)}"
    for sign, words in (
        (">=", "must be at least"),
        ("<=", "must be at most"),
        (">", "must be more than"),
        ("<", "must be less than"),
    ):
        if sign in said:
            return f"{field.title}: {words} {said.split(sign)[-1].strip()}"
    return f"{field.title}: expected {said}"
