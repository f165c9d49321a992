"""Flags made from settings: one field, one flag, the same name, help and limits.

A flag that takes several texts is given once for each. Texts know the escapes of settings/fields.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import msgspec

from tinygpt_tui.settings.fields import SettingField, fields_of, parse_value, parse_values, written

METAVARS = {int: "N", float: "X", bool: "yes|no", str: "TEXT"}


class Once(argparse.Action):
    """Stores a flag's value, and refuses a second one: the first would be dropped silently."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store the value."""
        given: set[str] = namespace.__dict__.setdefault("_given", set())
        if option_string is not None and self.dest in given:
            parser.error(f"{option_string} is given twice: {getattr(namespace, self.dest)!r} and {values!r}")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


def add_setting_flags(
    parser: argparse.ArgumentParser,
    settings: type[msgspec.Struct] | dict[str, SettingField],
    title: str,
    leave_out: frozenset[str] = frozenset(),
) -> None:
    """Add a flag for each field of `settings` to `parser`, in a group of that title."""
    group = parser.add_argument_group(title)
    for name, field in _fields(settings).items():
        if name in leave_out:
            continue
        again = "; once for each" if field.several else ""
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"setting_{name}",
            type=text_argument,
            action="append" if field.several else "store",
            metavar="|".join(field.choices) if field.choices else METAVARS[field.kind],
            help=f"{field.description} (default: {written(field.default) or 'none'}{again})".replace("%", "%%"),
        )


def text_argument(text: str) -> str:
    """Return an argument as UTF-8 has it: in an ASCII locale Python gives each byte above 127 as half of a pair.

    Not for paths and names, which the system wants as they are.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:  # no UTF-8, or really half of a pair
        return text


def typed_settings(
    arguments: argparse.Namespace, settings: type[msgspec.Struct] | dict[str, SettingField]
) -> dict[str, Any]:
    """Return the fields of `settings` that the user typed, as values. Raises UsageError."""
    typed = {}
    for name, field in _fields(settings).items():
        given = getattr(arguments, f"setting_{name}", None)
        if given is not None:
            typed[name] = parse_values(field, given) if field.several else parse_value(field, given)
    return typed


def _fields(settings: type[msgspec.Struct] | dict[str, SettingField]) -> dict[str, SettingField]:
    return settings if isinstance(settings, dict) else fields_of(settings)


def add_encoding_flag(parser: argparse.ArgumentParser) -> None:
    """Let the user name the text's encoding."""
    parser.add_argument(
        "--encoding",
        default="auto",
        metavar="NAME",
        help="the text's encoding: utf-8, cp1252, iso8859-2, mac-roman, utf-16 … (default: found out)",
    )
