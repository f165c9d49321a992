"""tinygpt-tui completion: print the script with which your shell completes commands, flags and names.

At each Tab the shell starts the program with the line in environment variables; `__main__` calls `complete`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator

from tinygpt_tui.cli.output import write_data

PROGRAM = "tinygpt-tui"
WHERE = {
    "bash": "~/.local/share/bash-completion/completions/tinygpt-tui",
    "zsh": "a file _tinygpt-tui in a folder of $fpath",
    "fish": "~/.config/fish/completions/tinygpt-tui.fish",
    "powershell": "$PROFILE",
}
EPILOG = "Save the output to:\n" + "".join(f"  {shell:11} {place}\n" for shell, place in WHERE.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", choices=list(WHERE), help="your shell")


def run(arguments: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode

    write_data(shellcode([PROGRAM], shell=arguments.shell))
    return 0


def complete() -> None:
    """Print the completions for the line in the environment, and exit."""
    from argcomplete import autocomplete
    from argcomplete.lexers import split_line

    from tinygpt_tui.cli.main import make_parser

    line, point = os.environ["COMP_LINE"], int(os.environ["COMP_POINT"])
    words = split_line(line, point)[3][1:]
    parser = make_parser(next((word for word in words if not word.startswith("-")), None))
    actions = list(_actions(parser))
    for action in actions:
        if names := _names_for(action):
            action.completer = names  # type: ignore[attr-defined]
    # Where a name can come next, only names are offered; else the flags.
    names_follow = any(not action.option_strings and action.dest != "command" for action in actions)
    autocomplete(parser, always_complete_options=False if names_follow else "long")


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of all commands in it."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)


def _names_for(action: argparse.Action) -> Callable[..., Iterable[str]] | None:
    """Return a function that lists the values of an argument; None if they cannot be listed."""
    if action.choices or action.nargs == 0:
        return None
    if isinstance(action.metavar, str) and "|" in action.metavar and action.metavar.islower():
        values = action.metavar.split("|")
        return lambda **_: values
    found = NAMES.get(f"{'--' if action.option_strings else ''}{action.dest}")
    if found is None:
        return None
    # A name, or a file as the shell itself would offer it.
    return lambda prefix, **_: [*found(), *(_files(prefix) if action.dest in FILES_TOO else ())]


def _files(prefix: str) -> Iterable[str]:
    from argcomplete.completers import FilesCompleter

    return FilesCompleter()(prefix)


def _models() -> Iterable[str]:
    from tinygpt_tui.checkpoints.library import list_models

    return [card.name for card in list_models()]


def _runs() -> Iterable[str]:
    from tinygpt_tui.runs.index import list_runs

    return [card.name for card in list_runs()]


def _corpora() -> Iterable[str]:
    from tinygpt_tui.corpora.catalog import list_corpora
    from tinygpt_tui.corpora.tasks import PREFIX, TASKS

    return [*(entry.name for entry in list_corpora()), *(f"{PREFIX}{name}" for name in TASKS)]


def _presets() -> Iterable[str]:
    from tinygpt_tui.settings.presets import ALL_PRESETS

    return list(ALL_PRESETS)


def _forms() -> Iterable[str]:
    from tinygpt_tui.exports.forms import FORMS

    return list(FORMS)


# By the argument's destination in the parser, with -- for a flag.
NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "model": _models,
    "--origin": _models,
    "name": _runs,
    "other": _runs,
    "--corpus": _corpora,
    "--download": _corpora,
    "--preset": _presets,
    "names": _presets,
    "--to": _forms,
}
FILES_TOO = frozenset({"model", "corpus"})
