"""tinygpt-tui publish: upload a model to the Hugging Face Hub, with its model card, curve and samples."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tinygpt_tui import paths
from tinygpt_tui.cli.output import notify, table, write
from tinygpt_tui.files import check_new, is_folder
from tinygpt_tui.words import size

SAMPLES, TOKENS = 2, 300  # in the card


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a model's name (`tinygpt-tui models`) or its folder")
    parser.add_argument("--to", required=True, dest="repository", metavar="USER/NAME", help="the repository on the Hub")
    parser.add_argument(
        "--formats",
        nargs="+",
        default=(),
        metavar="FORMAT",
        help="hf, safetensors, gguf, gguf-f16, gguf-q8_0, onnx (default: of hf, safetensors, gguf and onnx those that "
        "can store the model)",
    )
    parser.add_argument("--private", action="store_true", help="make the repository private if it is a new one")
    parser.add_argument("--folder", metavar="PATH", help="also save what is uploaded in this new folder")
    parser.add_argument("--dry-run", action="store_true", help="print the files and the model card, and upload nothing")


def run(arguments: argparse.Namespace) -> int:
    """Write the folder and upload it. Raises UsageError, CheckpointError, StorageError, DownloadError …"""
    from tinygpt_tui.checkpoints.library import find_model
    from tinygpt_tui.checkpoints.stored import read_model
    from tinygpt_tui.exports.place import CARD
    from tinygpt_tui.exports.publishing import check_repository, forms_for, open_hub, upload, write_hub_folder
    from tinygpt_tui.exports.source import ExportSource
    from tinygpt_tui.runs.folder import RunFolder

    check_repository(arguments.repository)
    if arguments.folder:
        check_new(paths.typed_path(arguments.folder), False)
    model = find_model(arguments.model)
    api = None if arguments.dry_run else open_hub()  # before anything is written
    source = ExportSource(model.name if is_folder(model) else model.stem, read_model(model))
    forms, notes = forms_for(source.name, source.config.architecture, arguments.formats)
    for note in notes:
        notify(note)
    with _place(arguments.folder) as folder:
        samples = _samples(model, source.prompt)
        write_hub_folder(source, RunFolder(model), folder, arguments.repository, forms, samples)
        if api is None:
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            rows = [(path.relative_to(folder).as_posix(), size(path.stat().st_size)) for path in files]
            write(table(rows, ("FILE", "SIZE"), right=frozenset({1})))
            write("\n" + (folder / CARD).read_text(encoding="utf-8"))
        else:
            notify(f"uploading to {arguments.repository}")
            write(f"{upload(api, folder, arguments.repository, private=arguments.private)}\n")
    return 0


@contextlib.contextmanager
def _place(path: str | None) -> Iterator[Path]:
    """Yield the folder to write into: a new one of the user's, or one that is gone afterwards."""
    from tinygpt_tui.files import whole_folder

    if path is None:
        with tempfile.TemporaryDirectory(prefix="tinygpt-tui-") as name:
            yield Path(name)
        return
    with whole_folder(paths.typed_path(path)) as folder:
        yield folder


def _samples(model: Path, prompt: str) -> list[str]:
    """Return what the model writes after the prompt, always the same."""
    from tinygpt_tui.events.generation import GenerationEnded, Token
    from tinygpt_tui.settings.sampling import SamplingSettings
    from tinygpt_tui.workers.models import open_model

    texts = [prompt] * SAMPLES
    for event in open_model(model).samples(prompt, SamplingSettings(max_new_tokens=TOKENS, seed=1), SAMPLES):
        if isinstance(event, Token | GenerationEnded):
            texts[event.sample] += event.text
    return texts
