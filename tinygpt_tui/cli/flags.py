"""Flags made from settings: one field, one flag, the same name, help and limits."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from tinygpt_tui.settings.fields import fields_of, parse_value


def add_setting_flags(
    parser: argparse.ArgumentParser, struct: type[msgspec.Struct], title: str, leave_out: frozenset[str] = frozenset()
) -> None:
    """Add a flag for each field of `struct` to `parser`, in a group of that title."""
    group = parser.add_argument_group(title)
    for name, field in fields_of(struct).items():
        if name in leave_out:
            continue
        default = "none" if field.default is None else "yes" if field.default is True else field.default
        shown = "no" if field.default is False else default
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"setting_{name}",
            metavar="|".join(field.choices) if field.choices else _metavar(field.kind),
            help=f"{field.description} (default: {shown if shown != '' else 'none'})".replace("%", "%%"),
        )


def typed_settings(arguments: argparse.Namespace, struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the fields of `struct` that the user typed, as values. Raises UsageError."""
    typed = {}
    for name, field in fields_of(struct).items():
        text = getattr(arguments, f"setting_{name}", None)
        if text is not None:
            typed[name] = parse_value(field, text)
    return typed


def _metavar(kind: type) -> str:
    return {int: "N", float: "X", bool: "yes|no", str: "TEXT"}.get(kind, "VALUE")
