"""tinygpt-tui config: print the path of the app's settings file, edit it, or list the app's keys."""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import subprocess
from pathlib import Path

from tinygpt_tui import files, paths, platforms
from tinygpt_tui.cli.output import notify, table, write
from tinygpt_tui.errors import UsageError, storage_error
from tinygpt_tui.reading import read_bytes
from tinygpt_tui.settings.app import LARGEST, check_toml
from tinygpt_tui.ui.shell.preferences import Preferences

ACTIONS = {
    "path": "print the path of the settings file.",
    "keys": "list the app's key bindings; the [keys] table of the settings file gives them other keys.",
    "edit": "open the settings file in $VISUAL or $EDITOR, then check it; quit the app first: it writes the file, too.",
}
EDITORS = ("nano", "vi", "notepad")  # tried if neither variable is set


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    for name, words in ACTIONS.items():
        actions.add_parser(name, help=words, description=words)


def run(arguments: argparse.Namespace) -> int:
    """Print the path, or edit the file. Raises UsageError, StorageError."""
    path = paths.settings_file()
    if arguments.action == "path":
        write(f"{path}\n")
        return 0
    if arguments.action == "keys":
        write(_keys())
        return 0
    if not files.is_file(path):
        Preferences().save()  # the defaults, or the settings of an earlier version
    _edit(path)
    try:
        settings = check_toml(read_bytes(path, LARGEST))
    except OSError as error:
        raise storage_error(error, path) from error
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", f"{error.hint}\n  tinygpt-tui config edit".lstrip("\n ")) from None
    _check_theme(settings.theme)
    _check_keys(settings.own_keys())
    notify(f"{path} is valid; the app reads it when it starts")
    return 0


def _edit(path: Path) -> None:
    """Open a file in the user's editor and wait until that ends. Raises UsageError."""
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR") or next(filter(shutil.which, EDITORS), None)
    if chosen is None:
        raise UsageError("no editor found", f"set EDITOR to its command, or open {path} in any editor")
    try:
        status = subprocess.run([*platforms.split_command(chosen), str(path)], check=False).returncode
    except OSError as error:
        raise UsageError(
            f"the editor {chosen!r} could not be started: {error.strerror or error}", "set EDITOR to its command"
        ) from None
    if status:
        raise UsageError(f"the editor {chosen!r} ended with status {status}", "set EDITOR to another command")


def _keys() -> str:
    from tinygpt_tui.ui.shell.keymap import default_bindings

    rows = [
        (name, ",".join(one.key for one in bindings), bindings[0].description, bindings[0].tooltip)
        for name, bindings in default_bindings().items()
    ]
    return table(rows, ("BINDING", "KEYS", "ACTION", "DESCRIPTION"))


def _check_keys(typed: dict[str, object]) -> None:
    """Raise UsageError for the first entry of `[keys]` that is wrong."""
    if not typed:
        return
    from tinygpt_tui.ui.shell.keymap import own_keys

    for problem in own_keys(typed).problems:
        raise UsageError(problem.message, f"{problem.hint}\n  tinygpt-tui config edit")


def _check_theme(name: str) -> None:
    from textual.theme import BUILTIN_THEMES

    from tinygpt_tui.ui.shell.themes import THEMES

    known = [*(theme.name for theme in THEMES), *BUILTIN_THEMES]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            f"theme: there is no theme {name!r}",
            f"did you mean {near[0]}?" if near else f"the themes are {', '.join(known)}",
        )
