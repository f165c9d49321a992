"""tinygpt-tui open: name another program's checkpoint, say what was taken from where, and keep it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.cli.flags import typed_settings
from tinygpt_tui.cli.output import say, say_error, table, write, write_data
from tinygpt_tui.errors import TinyGPTError, UsageError
from tinygpt_tui.foreign.facts import source_in_words
from tinygpt_tui.foreign.qkv_order import Reading
from tinygpt_tui.platforms import own_command
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.fields import SettingField, fields_of

if TYPE_CHECKING:
    from tinygpt_tui.checkpoints.stored import StoredModel
    from tinygpt_tui.foreign.opening import Overrides

# What a file may not tell; everything else is in its tensors.
HIDDEN = ("n_head", "attention_scale", "activation", "residual", "n_kv_head", "epsilon", "rotary_base", "block_size")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "path", help="a .pt, .pth, .bin, .ckpt or .safetensors file, a folder, a folder of several, or hf:NAME"
    )
    parser.add_argument(
        "--keep",
        nargs="?",
        const="",
        metavar="NAME",
        help="keep it among your models; without NAME under its own",
    )
    parser.add_argument("--vocabulary", metavar="FILE", help="what its ids mean: chars.txt, meta.pkl, tokenizer.json …")
    parser.add_argument("--corpus", metavar="NAME|FILE", help="a text of the kind it learned from, to measure by")
    parser.add_argument("--json", action="store_true", help="one JSON object a model")
    group = parser.add_argument_group("what you know better than the file")
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
    """Open it and say what it is. Raises UsageError, NotFoundError, CheckpointError, StorageError."""
    from tinygpt_tui.cli.model_at import model_at
    from tinygpt_tui.foreign.opening import Overrides
    from tinygpt_tui.foreign.source import models_in

    vocabulary = paths.typed_path(arguments.vocabulary) if arguments.vocabulary else None
    typed = Overrides(typed_settings(arguments, _hidden()), vocabulary, arguments.corpus or "")
    path = paths.typed_path(arguments.path)
    several = models_in(path)
    if len(several) < 2:
        _open(model_at(arguments.path), typed, arguments.keep, arguments.json)
        return 0
    if arguments.keep:
        raise UsageError(f"{path.name} holds {len(several)} models, and one name was given", "leave the name out")
    worst = 0
    for place, one in enumerate(several):
        if place and not arguments.json:
            write("\n")
        try:
            _open(one, typed, arguments.keep, arguments.json)
        except TinyGPTError as error:  # the others are opened none the less
            say_error(error)
            worst = int(error.exit_code)
    return worst


def _open(path: Path, typed: Overrides, name: str | None, as_json: bool) -> None:
    from tinygpt_tui.checkpoints.stored import read_model

    stored = read_model(path, typed)
    kept = None if name is None else _keep(stored, path, name)
    if as_json:
        write_data(msgspec.json.encode(_plain(stored, path, kept)).decode() + "\n")
        return
    config = stored.config
    write(f"{path}\n{config.parameters:,} parameters, a window of {config.architecture.block_size}\n")
    rows = [
        (fact.name.replace("_", " "), fact.value, source_in_words(fact.source), fact.detail) for fact in stored.facts
    ]
    if rows:
        write(table(rows, ("WHAT", "IS", "HOW IT IS KNOWN", "")))
    elif stored.layout == "native":
        write("a model of this program\n")
    if kept is not None:
        say(f"kept as {kept.name}: {own_command('generate', kept.name)}")
    elif stored.layout != "native":
        say("--keep NAME keeps it among your models")


def _keep(stored: StoredModel, path: Path, name: str) -> Path:
    from tinygpt_tui.checkpoints.keep import keep
    from tinygpt_tui.foreign.hub import folder_name
    from tinygpt_tui.runs.index import check_name, free_name

    if name:
        name = check_name(name)
    folder = paths.models_folder() / (name or free_name(path.stem if path.is_file() else folder_name(path)))
    keep(stored, folder, path.absolute())
    return folder


def _plain(stored: StoredModel, path: Path, kept: Path | None) -> dict[str, object]:
    return {
        "path": str(path),
        "layout": stored.layout,
        "architecture": msgspec.to_builtins(stored.config.architecture),
        "parameters": stored.config.parameters,
        "facts": msgspec.to_builtins(stored.facts),
        "kept": None if kept is None else str(kept),
    }
