"""tinygpt-tui export: write a model as another program's file, with its card."""

from __future__ import annotations

import argparse
from pathlib import Path

from tinygpt_tui import paths
from tinygpt_tui.cli.output import say, write, write_data
from tinygpt_tui.exports.forms import FORMS, find_form
from tinygpt_tui.words import size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    width = max(map(len, FORMS))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "forms:\n" + "\n".join(f"  {form.name:{width}}  {form.description}" for form in FORMS.values())
    parser.add_argument("model", help="a model's name (`tinygpt-tui models`), its folder, or hf:NAME")
    parser.add_argument("--to", required=True, metavar="FORM", help=", ".join(FORMS))
    parser.add_argument("path", help="the folder to make, or a file named as the form's: x.onnx, x.gguf, x.safetensors")
    parser.add_argument("--force", action="store_true", help="replace what an earlier export wrote there")
    parser.add_argument(
        "--approximate", action="store_true", help="take the nearest that the form has, and say by how much it differs"
    )
    parser.add_argument("--no-check", action="store_true", help="do not read it back with the other program's library")
    parser.add_argument("--json", action="store_true", help="what was written, as JSON, instead of its path")


def run(arguments: argparse.Namespace) -> int:
    """Export. Raises NotFoundError, UsageError, CheckpointError, StorageError, MissingPackageError."""
    form = find_form(arguments.to)

    from tinygpt_tui.cli.model_at import model_at

    model = model_at(arguments.model)
    path = paths.typed_path(arguments.path)

    from tinygpt_tui.exports.export import export

    done = export(
        model,
        form,
        path,
        force=arguments.force,
        approximate=arguments.approximate,
        checking=not arguments.no_check,
    )
    if arguments.json:
        import msgspec

        write_data(msgspec.json.encode(done).decode() + "\n")
        return 0
    for name, count in done.files.items():
        say(f"  {size(count):>10}  {name}")
    for note in done.notes:
        say(note)
    if done.checked is None and not arguments.no_check:
        say("It was not read back: no library that could is installed.")
    write(f"{Path(done.path)}\n")
    return 0
