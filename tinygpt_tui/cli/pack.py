"""tinygpt-tui pack: write a text as arithmetic code, by a model's probabilities."""

from __future__ import annotations

import argparse

from tinygpt_tui import paths
from tinygpt_tui.cli.output import notify, write, write_data
from tinygpt_tui.errors import storage_error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", help="a file; the better the model predicts it, the smaller it becomes")
    parser.add_argument(
        "--model", required=True, metavar="NAME", help="a model's name (`tinygpt-tui models`) or folder"
    )
    parser.add_argument(
        "--adapt",
        action="store_true",
        help="a copy of the model learns from the text while it is packed, and again while it is unpacked: smaller, "
        "slower, and only for machines like this one",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="the packed file")
    parser.add_argument("--force", action="store_true", help="overwrite an earlier file")
    parser.add_argument("--json", action="store_true", help="print the sizes as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Pack. Raises NotFoundError, UsageError, CheckpointError, StorageError, MissingPackageError."""
    from tinygpt_tui.cli.model_at import model_at
    from tinygpt_tui.cli.reading import with_progress
    from tinygpt_tui.files import check_new, write_bytes
    from tinygpt_tui.packing.packed_file import LARGEST
    from tinygpt_tui.packing.packing import packing
    from tinygpt_tui.packing.predictor import open_predictor
    from tinygpt_tui.reading import read_bytes

    path, out = paths.typed_path(arguments.text), paths.typed_path(arguments.out)
    check_new(out, arguments.force)
    try:
        data = read_bytes(path, LARGEST)
    except OSError as error:
        raise storage_error(error, path) from error
    predictor = open_predictor(model_at(arguments.model), adapt=arguments.adapt)
    done = with_progress(packing(data, predictor), f"packing {path.name}")
    content = done.packed.to_bytes()
    write_bytes(out, content)
    bits = len(content) * 8 / max(1, done.characters)
    if arguments.json:
        import json

        sizes = {
            "characters": done.characters,
            "bytes": len(data),
            "packed_bytes": len(content),
            "bits_per_character": bits,
            "nats": done.nats,
            "unknown_bytes": done.unknown_bytes,
        }
        write_data(json.dumps(sizes) + "\n")
        return 0
    write(
        f"{out}: {len(content):,} bytes for {done.characters:,} characters ({len(data):,} bytes), "
        f"{bits:.4f} bits a character\n"
    )
    if done.unknown_bytes:
        notify(f"{done.unknown_bytes:,} bytes are of characters that the model does not know: packed as bytes")
    if done.packed.engine:
        notify(f"packed by {done.packed.engine}: it may not be unpacked on a machine with another processor or version")
    return 0
