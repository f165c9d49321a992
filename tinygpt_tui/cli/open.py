"""tinygpt-tui open: open another program's checkpoint, show what was detected and how, and save it as a model."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.cli.flags import typed_settings
from tinygpt_tui.cli.output import can_draw, notify, print_error, table, write, write_data
from tinygpt_tui.errors import TinyGPTError, UsageError
from tinygpt_tui.foreign.facts import source_in_words
from tinygpt_tui.foreign.qkv_order import Reading
from tinygpt_tui.platforms import own_command
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.fields import SettingField, fields_of
from tinygpt_tui.words import TRYING, printable

if TYPE_CHECKING:
    from tinygpt_tui.checkpoints.stored import StoredModel
    from tinygpt_tui.foreign.opening import Overrides

# The settings that a file may lack; all others follow from its tensors.
HIDDEN = ("n_head", "attention_scale", "activation", "residual", "n_kv_head", "epsilon", "rotary_base", "block_size")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path",
        help="a .pt, .pth, .bin, .ckpt, .pkl, .safetensors or .gguf file, a folder, a folder of several, or hf:NAME",
    )
    parser.add_argument(
        "--keep",
        nargs="?",
        const="",
        metavar="NAME",
        help="save it among your models, as NAME or under its own name",
    )
    parser.add_argument(
        "--vocabulary",
        metavar="FILE",
        help="the vocabulary of its ids: tokenizer.json, meta.pkl, vocab.txt, the text …",
    )
    parser.add_argument(
        "--corpus", metavar="NAME|FILE", help="a text like its training text, to test possible settings on"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object for each model")
    parser.add_argument(
        "--progress", action="store_true", help="print each setting that is tried, a line each, to stderr"
    )
    group = parser.add_argument_group("overrides for what is detected")
    for name, setting in _hidden().items():
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"setting_{name}",
            metavar="|".join(setting.choices) or "N",
            help=setting.description.replace("%", "%%"),
        )


def _hidden() -> dict[str, SettingField]:
    return {name: setting for name, setting in fields_of(GPTSettings).items() if name in HIDDEN} | fields_of(Reading)


def run(arguments: argparse.Namespace) -> int:
    """Open it and print what it is. Raises UsageError, NotFoundError, CheckpointError, StorageError."""
    from tinygpt_tui.cli.model_at import model_at
    from tinygpt_tui.foreign.opening import Overrides
    from tinygpt_tui.foreign.source import models_in

    vocabulary = paths.typed_path(arguments.vocabulary) if arguments.vocabulary else None
    typed = Overrides(typed_settings(arguments, _hidden()), vocabulary, arguments.corpus or "")
    path = paths.typed_path(arguments.path)
    several = models_in(path)
    if len(several) < 2:
        _open(model_at(arguments.path), typed, arguments)
        return 0
    if arguments.keep:
        raise UsageError(
            f"{path.name} holds {len(several)} models, but only one name was given", "use --keep without a name"
        )
    worst = 0
    for place, one in enumerate(several):
        if place and not arguments.json:
            write("\n")
        try:
            _open(one, typed, arguments)
        except TinyGPTError as error:  # open the others all the same
            print_error(error)
            worst = int(error.exit_code)
    return worst


def _open(path: Path, typed: Overrides, arguments: argparse.Namespace) -> None:
    from tinygpt_tui.checkpoints.card import card_of
    from tinygpt_tui.checkpoints.stored import read_model
    from tinygpt_tui.foreign.opening import Overrides

    with _reporting(arguments.progress) as report:
        stored = read_model(path, typed, report=report, cached=typed == Overrides())
    saved = None if arguments.keep is None else save_model(stored, path, arguments.keep)
    if arguments.json:
        write_data(msgspec.json.encode(_plain(stored, path, saved)).decode() + "\n")
        return
    config = stored.config
    length = config.architecture.context_length
    write(f"{path}\n{config.parameters:,} parameters, {f'a window of {length}' if length else 'no window'}\n")
    rows = [
        (fact.name.replace("_", " "), fact.value, source_in_words(fact.source), fact.detail) for fact in stored.facts
    ]
    if rows:
        write(table(rows, ("SETTING", "VALUE", "FOUND BY", "")))
    elif stored.layout == "native":
        base = card_of(path, "yours").base
        write(f"an adapter of {base}, merged with it\n" if base else "a model in the native format\n")
    if saved is not None:
        notify(f"saved as {saved.name}; to write with it: {own_command('generate', saved.name)}")
    elif stored.layout != "native":
        notify("to save it among your models: --keep NAME")


@contextlib.contextmanager
def _reporting(in_lines: bool) -> Iterator[Callable[[str], None]]:
    """Show what is tried: a line each, or in one line of a terminal that is empty in the end."""
    if in_lines:
        yield lambda words: notify(TRYING + words)
    elif not can_draw(sys.stderr):
        yield lambda words: None
    else:
        from rich.console import Console

        with Console(file=sys.stderr).status("reading") as status:
            yield lambda words: status.update(printable(TRYING + words))


def save_model(stored: StoredModel, path: Path, name: str) -> Path:
    """Save a model that was read from `path` among the user's, as `name` or under its own; return its folder.

    Raises UsageError where the name is taken or cannot be one, StorageError.
    """
    from tinygpt_tui.checkpoints.importing import import_model
    from tinygpt_tui.foreign.hub import folder_name
    from tinygpt_tui.runs.index import check_name, free_name

    if name:
        name = check_name(name)
    folder = paths.models_folder() / (name or free_name(path.stem if path.is_file() else folder_name(path)))
    import_model(stored, folder, path.absolute())
    return folder


def _plain(stored: StoredModel, path: Path, saved: Path | None) -> dict[str, object]:
    return {
        "path": str(path),
        "layout": stored.layout,
        "architecture": msgspec.to_builtins(stored.config.architecture),
        "parameters": stored.config.parameters,
        "facts": msgspec.to_builtins(stored.facts),
        "kept": None if saved is None else str(saved),
    }
