"""A settings struct's fields, for flags, forms and help texts, and their values as a user types them.

A text may hold what cannot be typed: `\\n` is a new line, `\\t` a tab, `\\r` a carriage return, `\\\\` a backslash; any
other backslash is itself. Where a setting takes several texts, a box holds them with ` | ` between, and `\\|` is a bar
that belongs to a text; a flag is given once for each.
"""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Meta

from tinygpt_tui.errors import UsageError
from tinygpt_tui.reading import convert

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
STEPS: dict[type, float] = {int: 1, float: 0.1}  # how far a key moves a number, unless its field says otherwise
BETWEEN = " | "  # texts in one box
TRUTHS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}


class SettingField(msgspec.Struct, frozen=True):
    """One setting, as a form or a flag needs it.

    `kind` is the Python type of the value (`choices` are its values where they are few); `optional` says that it may
    be None, which a user writes as nothing at all; `several` that the value is a tuple of that kind. `step` is how far
    a key moves a number; 0 for what is no number. `alone` is the value of its flag without one, if that is allowed.
    """

    name: str
    kind: type
    default: Any
    description: str
    choices: tuple[str, ...] = ()
    optional: bool = False
    several: bool = False
    minimum: float | None = None
    maximum: float | None = None
    step: float = 0.0
    alone: Any = None

    @property
    def title(self) -> str:
        """The name as people read it: `max new tokens`."""
        return self.name.replace("_", " ")


def fields_of(struct: type[msgspec.Struct]) -> dict[str, SettingField]:
    """Return the settings of `struct` by name, in their order; nested structs are left out."""
    return dict(_read(struct))


@cache
def _read(struct: type[msgspec.Struct]) -> dict[str, SettingField]:
    """Read them off the struct, once: a server asks for each request, and taking types apart takes a millisecond."""
    hints = typing.get_type_hints(struct, include_extras=True)
    found = {}
    for field in msgspec.structs.fields(struct):
        annotated = hints[field.name]
        if not hasattr(annotated, "__metadata__"):
            continue
        several = typing.get_origin(annotated.__origin__) is tuple
        plain = typing.get_args(annotated.__origin__)[0] if several else annotated.__origin__
        kind, optional, choices, limits = _plain(plain)
        limits = limits or annotated.__metadata__[0]
        extra = annotated.__metadata__[0].extra or {}
        found[field.name] = SettingField(
            name=field.name,
            kind=kind,
            default=field.default,
            description=annotated.__metadata__[0].description or "",
            choices=choices,
            optional=optional,
            several=several,
            minimum=limits.ge if limits.ge is not None else limits.gt,
            maximum=limits.le if limits.le is not None else limits.lt,
            step=extra.get("step", STEPS.get(kind, 0.0)),
            alone=extra.get("alone"),
        )
    return found


def parse_value(field: SettingField, text: str) -> Any:
    """Turn what a user typed into the field's type (limits are checked by `changed`). Raises UsageError."""
    if field.several:
        return parse_values(field, _split(text))
    typed = text.strip()
    if field.optional and not typed:
        return None
    if field.kind is bool:
        if typed.lower() not in TRUTHS:
            raise UsageError(f"{text!r} is neither yes nor no", setting=field.name)
        return TRUTHS[typed.lower()]
    if field.kind is str:
        return typed if field.choices else _unescaped(text)
    try:
        return field.kind(typed.replace("_", ""))
    except ValueError:
        wanted = "a whole number" if field.kind is int else "a number"
        raise UsageError(f"{text!r} is not {wanted}", setting=field.name) from None


def parse_values(field: SettingField, texts: Iterable[str]) -> tuple[Any, ...]:
    """Turn several texts, each typed by itself, into the value of a field that takes `several`. Raises UsageError.

    Empty ones are left out: one empty text alone says "none".
    """
    single = msgspec.structs.replace(field, several=False)
    return tuple(parse_value(single, text) for text in texts if text)


def parse_all(settings: msgspec.Struct, texts: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, UsageError]]:
    """Parse what a user typed for fields of `settings`, each by itself; return the valid values, and what is wrong."""
    fields, values, wrong = fields_of(type(settings)), {}, {}
    for name, text in texts.items():
        try:
            values[name] = getattr(changed(settings, {name: parse_value(fields[name], text)}), name)
        except UsageError as error:
            wrong[name] = error
    return values, wrong


def written(value: Any) -> str:
    """Return a setting's value as a user would type it in one box: `parse_value` reads it back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return BETWEEN.join(written(one).replace("|", r"\|") for one in value)
    if isinstance(value, str):
        for letter, character in reversed(ESCAPES.items()):  # the backslash first
            value = value.replace(character, f"\\{letter}")
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def stepped(field: SettingField, text: str, by: int) -> str:
    """Return the number in `text` moved by this many steps, on the grid of the steps and within the field's limits.

    What is no number counts as the default.

    >>> stepped(SettingField("share", float, 1.0, "", minimum=0.0, maximum=1.0, step=0.05), "0.72", -1)
    '0.7'
    """
    try:
        value = parse_value(field, text)
    except UsageError:
        value = field.default
    steps = (value or 0) / field.step
    whole = math.floor(steps + 1e-6) if by > 0 else math.ceil(steps - 1e-6)
    moved = (whole + by) * field.step
    low, high = field.minimum, field.maximum
    moved = max(moved, low) if low is not None else moved
    moved = min(moved, high) if high is not None else moved
    return written(field.kind(round(moved, 6)))


S = typing.TypeVar("S", bound=msgspec.Struct)


def changed(settings: S, changes: dict[str, Any]) -> S:
    """Return `settings` with some fields changed and every limit checked.

    Raises UsageError, in the setting's own words, for the first value that cannot be.
    """
    merged = {**msgspec.structs.asdict(settings), **changes}
    return checked(type(settings), merged)


def checked(struct: type[S], values: dict[str, Any]) -> S:
    """Build `struct` from plain values with every type and limit checked. Raises UsageError.

    Where a setting takes several texts, a single one may stand for a list of one.
    """
    fields = fields_of(struct)
    values = {
        name: [value] if isinstance(value, str) and name in fields and fields[name].several else value
        for name, value in values.items()
    }
    try:
        # msgspec checks when it converts, not when a struct is built; floats that JSON cannot say (NaN) are caught here
        for name, value in values.items():
            if isinstance(value, float) and not -float("inf") < value < float("inf"):
                raise UsageError(f"{value} is not a finite number", setting=name)
        return convert(msgspec.to_builtins(values), struct)
    except msgspec.ValidationError as error:
        raise _in_words(struct, str(error)) from None


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


def _split(text: str) -> list[str]:
    """Take the texts of one box apart, their escapes still in them, except the bar's."""
    texts = [""]
    for escaped, between, plain in re.findall(r"(\\.)|( \| )|(.)", text, re.DOTALL):
        if between:
            texts.append("")
        else:
            texts[-1] += "|" if escaped == r"\|" else escaped or plain
    return texts


def _unescaped(text: str) -> str:
    return re.sub(r"\\([ntr\\])", lambda found: ESCAPES[found[1]], text)


def _in_words(struct: type[msgspec.Struct], found: str) -> UsageError:
    """Turn msgspec's "Expected `int` >= 1 - at `$.top_k`" into "top k: must be at least 1"."""
    what, _, where = found.partition(" - at `$.")
    name = where.rstrip("`").split(".")[-1].partition("[")[0]
    field = fields_of(struct).get(name)
    if field is None:
        return UsageError(found.replace("`", "'"))
    said = what.removeprefix("Expected ").replace("`", "").replace(" | null", "").strip()
    if field.several:
        return UsageError("must be texts", setting=name)
    if field.choices:
        return UsageError(f"must be one of {', '.join(field.choices)}", setting=name)
    for sign, words in (
        (">=", "must be at least"),
        ("<=", "must be at most"),
        (">", "must be more than"),
        ("<", "must be less than"),
    ):
        if sign in said:
            return UsageError(f"{words} {said.split(sign)[-1].strip()}", setting=name)
    return UsageError(f"expected {said}", setting=name)
