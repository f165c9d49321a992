"""tinygpt-tui export: save a model in another program's format, with a model card."""

from __future__ import annotations

import argparse
from pathlib import Path

from tinygpt_tui import paths
from tinygpt_tui.cli.distil import add_distil_flags, distilled
from tinygpt_tui.cli.output import notify, write, write_data
from tinygpt_tui.exports.forms import FORMS, find_form
from tinygpt_tui.words import size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    width = max(map(len, FORMS))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "formats:\n" + "\n".join(f"  {form.name:{width}}  {form.description}" for form in FORMS.values())
    parser.add_argument("model", help="a model's name (`tinygpt-tui models`), its folder, or hf:NAME")
    parser.add_argument("--to", required=True, metavar="FORMAT", help=", ".join(FORMS))
    parser.add_argument("path", help="a new folder, or a file with the format's suffix: x.onnx, x.gguf, x.safetensors")
    parser.add_argument("--force", action="store_true", help="overwrite an earlier export")
    parser.add_argument(
        "--approximate",
        action="store_true",
        help="if the format lacks a part of the model, use the nearest it has and report the difference",
    )
    parser.add_argument(
        "--no-check", action="store_true", help="do not verify the export with the other program's library"
    )
    parser.add_argument(
        "--adapter",
        action="store_true",
        help="of an adapter: write it alone, for Hugging Face's peft and the folder that its base's --to hf writes",
    )
    parser.add_argument("--json", action="store_true", help="print what was written as JSON instead of its path")
    add_distil_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the export. Raises NotFoundError, UsageError, CheckpointError, StorageError, MissingPackageError."""
    form = find_form(arguments.to)

    from tinygpt_tui.cli.model_at import model_at

    model = model_at(arguments.model)
    path = paths.typed_path(arguments.path)

    from tinygpt_tui.exports.export import export
    from tinygpt_tui.exports.place import check_place

    if arguments.distil:
        check_place(form, path, arguments.force)  # before minutes are spent
        model = distilled(arguments, form, model)
    if arguments.adapter:
        from tinygpt_tui.exports.peft import export_adapter

        done = export_adapter(model, form, path, force=arguments.force)
    else:
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
        notify(f"  {size(count):>10}  {name}")
    for note in done.notes:
        notify(note)
    if done.checked is None and not arguments.no_check and not arguments.adapter:
        notify("not verified: the library that reads this format is not installed")
    write(f"{Path(done.path)}\n")
    return 0
