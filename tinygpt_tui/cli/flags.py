"""The parser, and flags made from settings: one field is one flag with the same name, help and limits.

A flag that takes several texts is repeated for each. Texts may hold the escapes of settings/fields.py.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from typing import Any

import msgspec

from tinygpt_tui.settings.fields import SettingField, fields_of, parse_value, parse_values, written

METAVARS = {int: "N", float: "X", bool: "yes|no", str: "TEXT"}
SPELT_ALIKE = 0.65  # of two names, from 0 to 1: less alike, they mean different things


class Parser(argparse.ArgumentParser):
    """Refuses an unknown flag with the nearest known one and the usage of the command that it was typed for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for action in (None, "store"):
            self.register("action", action, Once)

    def parse_known_args(  # type: ignore[override]  # the overloads differ in the namespace's type only
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse; ends the program at an unknown argument, where argparse would leave it to the parser of commands."""
        for argument in args or ():  # before argparse complains that the flag which was meant is missing
            if argument == "--" or (self._subparsers is not None and not argument.startswith("-")):
                break  # what follows a command is for that command's parser
            self._check_known(argument)
        parsed, unknown = super().parse_known_args(args, namespace)
        for argument in unknown:
            self._check_known(argument)
        if unknown:
            self.error(f"unexpected {'arguments' if len(unknown) > 1 else 'argument'}: {' '.join(unknown)}")
        return parsed, unknown

    def _check_known(self, argument: str) -> None:
        if "-" not in self.prefix_chars:
            return
        flag = argument.partition("=")[0]
        known = self._option_string_actions
        if not flag.startswith("--") or flag == "--" or " " in flag or any(name.startswith(flag) for name in known):
            return
        names = [name.removeprefix("--") for name in known if name.startswith("--")]
        near = _near_flags(flag.removeprefix("--"), names)
        hint = f"did you mean --{near[0]}?" if near else f"`{self.prog} --help` lists the flags"
        self.error(f"there is no flag {flag}; {hint}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        near = difflib.get_close_matches(str(value), map(str, action.choices or ()), n=1)
        if action.choices is not None and value not in action.choices and near:
            raise argparse.ArgumentError(action, f"there is no {value!r}; did you mean {near[0]}?")
        super()._check_value(action, value)


def _near_flags(given: str, names: Sequence[str]) -> list[str]:
    """Return the flag whose initials `given` is, or else the one that is spelt most like it; none if neither is.

    >>> [_near_flags(given, ["learning-rate", "n-layer"]) for given in ("lr", "n_layers", "lora")]
    [['learning-rate'], ['n-layer'], []]
    """
    initials = [name for name in names if given == "".join(word[0] for word in name.split("-"))]
    return initials[:1] or difflib.get_close_matches(given, names, n=1, cutoff=SPELT_ALIKE if len(given) > 3 else 0.5)


class Once(argparse.Action):
    """Stores a flag's value and refuses a second one, which would silently replace the first."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        given: set[str] = namespace.__dict__.setdefault("_given", set())
        if option_string is not None and self.dest in given:
            parser.error(f"{option_string} was given twice: {getattr(namespace, self.dest)!r} and {values!r}")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


def add_setting_flags(
    parser: argparse.ArgumentParser,
    settings: type[msgspec.Struct] | dict[str, SettingField],
    title: str,
    leave_out: frozenset[str] = frozenset(),
) -> None:
    """Add a flag for each field of `settings` to `parser`, in a group with that title."""
    group = parser.add_argument_group(title)
    for name, field in _fields(settings).items():
        if name in leave_out:
            continue
        again = "; may be repeated" if field.several else ""
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"setting_{name}",
            type=text_argument,
            action="append" if field.several else "store",
            nargs=None if field.alone is None else "?",
            const=None if field.alone is None else written(field.alone),
            metavar="|".join(field.choices) if field.choices else METAVARS[field.kind],
            help=f"{field.description} (default: {written(field.default) or 'none'}{again})".replace("%", "%%"),
        )


def text_argument(text: str) -> str:
    """Decode an argument as UTF-8: in an ASCII locale Python passes each byte above 127 as a surrogate.

    Not for paths and names, which the operating system needs as they are.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:  # not UTF-8, or a real surrogate
        return text


def typed_settings(
    arguments: argparse.Namespace, settings: type[msgspec.Struct] | dict[str, SettingField]
) -> dict[str, Any]:
    """Return the values of the settings that were given as flags. Raises UsageError."""
    typed = {}
    for name, field in _fields(settings).items():
        given = getattr(arguments, f"setting_{name}", None)
        if given is not None:
            typed[name] = parse_values(field, given) if field.several else parse_value(field, given)
    return typed


def _fields(settings: type[msgspec.Struct] | dict[str, SettingField]) -> dict[str, SettingField]:
    return settings if isinstance(settings, dict) else fields_of(settings)


def add_plain_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag for plain mode; see cli/output.py."""
    parser.add_argument(
        "--plain",
        action="store_true",
        help="one line a fact: no chart, no columns, no colour, no moving cursor (automatic where TERM=dumb)",
    )


def add_corpus_flags(parser: argparse._ActionsContainer, *, required: bool, words: str = "the text:") -> None:
    """Add the flags that say where a text comes from; `words` say what it is for."""
    parser.add_argument(
        "--corpus",
        required=required,
        nargs="+",
        metavar="NAME|FILE|FOLDER",
        help=f"{words} a corpus (`tinygpt-tui data` lists them), a file (.txt .md .html .epub .jsonl .json .csv .tsv "
        ".parquet, also .gz .xz .zip), a folder, a glob, an address (https://…), a data set of the Hugging Face "
        "Hub (hf:OWNER/NAME), - for stdin; or several of these",
    )
    parser.add_argument("--field", default="", metavar="NAME", help="the field of records that is the text, a.b inside")
    parser.add_argument(
        "--documents",
        default="auto",
        choices=("auto", "lines", "none"),
        help="what a document is: each file and record, each line, or nothing (all is one text); the model learns "
        "where documents end (default: auto)",
    )
    parser.add_argument(
        "--turns",
        default="auto",
        choices=("auto", "play", "none"),
        help="conversations (.jsonl with `messages` or `conversations`) become turns with a token for each role, and "
        "only replies are learned; play: lines of NAME: are turns, too; none: plain text (default: auto)",
    )
    parser.add_argument(
        "--replies",
        default="",
        metavar="ROLE,…",
        help="the roles whose turns are learned (default: assistant; of a play all)",
    )
    parser.add_argument(
        "--leave-out",
        nargs="+",
        default=[],
        choices=("addresses", "keys", "copies"),
        help="leave out e-mail addresses, secret keys, or documents that were there already "
        "(`tinygpt-tui doctor --corpus` counts them)",
    )
    parser.add_argument(
        "--encoding",
        default="auto",
        metavar="NAME",
        help="encoding of the text: utf-8, cp1252, iso8859-2, mac-roman, utf-16 … (default: detected)",
    )
