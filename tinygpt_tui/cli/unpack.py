"""tinygpt-tui unpack: give a packed text back, byte by byte."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tinygpt_tui import paths
from tinygpt_tui.cli.output import notify, write_data
from tinygpt_tui.errors import NotFoundError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a file that `tinygpt-tui pack` wrote")
    parser.add_argument(
        "--model", metavar="NAME", help="the model that it was packed with (default: yours of the name in the file)"
    )
    parser.add_argument("--out", metavar="FILE", help="where to write the text (default: stdout)")
    parser.add_argument("--force", action="store_true", help="overwrite an earlier file")


def run(arguments: argparse.Namespace) -> int:
    """Unpack. Raises NotFoundError for another model, EngineError for another engine, CorpusError, StorageError."""
    from tinygpt_tui.cli.model_at import model_at
    from tinygpt_tui.cli.reading import with_progress
    from tinygpt_tui.files import check_new, whole_file
    from tinygpt_tui.packing.packed_file import read_packed
    from tinygpt_tui.packing.packing import unpacking
    from tinygpt_tui.packing.predictor import ADAPTING, open_predictor

    path = paths.typed_path(arguments.file)
    packed = read_packed(path)
    model = model_at(arguments.model) if arguments.model else _own_model(packed.model, path)
    predictor = open_predictor(model, adapt=packed.engine.startswith(ADAPTING))
    if arguments.out is None:
        for_terminal = sys.stdout.isatty()

        def write_part(part: bytes) -> None:
            if for_terminal:
                write_data(part.decode("utf-8", "replace"))
            else:
                sys.stdout.buffer.write(part)

        with_progress(unpacking(path, packed, predictor, write_part), f"unpacking {path.name}")
        sys.stdout.buffer.flush()
        return 0
    out = paths.typed_path(arguments.out)
    check_new(out, arguments.force)
    with whole_file(out, packed.size) as file:
        with_progress(unpacking(path, packed, predictor, file.write), f"unpacking {path.name}")
    notify(f"{out}: {packed.size:,} bytes, as they were packed")
    return 0


def _own_model(name: str, path: Path) -> Path:
    """Return the model of this name. A file may be anyone's: it names no path and no download."""
    from tinygpt_tui.checkpoints.library import list_models

    for card in list_models():
        if card.name == name:
            return Path(card.path)
    raise NotFoundError(f"{path.name} needs the model {name!r}, which is not here", "--model names its folder")
