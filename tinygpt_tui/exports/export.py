"""One export from beginning to end: asked whether it can be, written whole or not at all, read back, described."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinygpt_tui.checkpoints.card import is_native, read_config
from tinygpt_tui.checkpoints.stored import read_model
from tinygpt_tui.errors import UsageError, storage_error
from tinygpt_tui.exports import gguf_file, hugging_face
from tinygpt_tui.exports.check import check
from tinygpt_tui.exports.forms import STANDARD, Form, check_form, net_of, strangers
from tinygpt_tui.exports.model_card import CardForm, run_of, write_card
from tinygpt_tui.exports.place import CARD, MODEL_FILE, check_place
from tinygpt_tui.exports.result import Checked, Exported
from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.exports.writers import WRITERS
from tinygpt_tui.files import is_file, replace_file, whole_folder
from tinygpt_tui.foreign.hub import folder_name
from tinygpt_tui.runs.distilled import cost_words
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.settings.architecture import GPTSettings


def export(
    model: Path, form: Form, path: Path, *, force: bool = False, approximate: bool = False, checking: bool = True
) -> Exported:
    """Write the model at `model`, ours or another program's, to `path` as `form`.

    `path` becomes a folder, or a file where its name ends as the form's file does and that says everything by itself.
    `force` replaces what an earlier export wrote there. Raises UsageError where the form cannot say what the model is,
    or `path` is taken, CheckpointError, StorageError, MissingPackageError.
    """
    name = folder_name(model) if model.is_dir() else model.stem
    if is_native(model):  # it can be said before anything is read
        check_form(form, name, read_config(model).architecture, approximate)
    single = check_place(form, path, force)
    source = ExportSource(name, read_model(model))
    check_form(form, name, source.config.architecture, approximate)
    with _place(path, single, form, force) as folder:
        WRITERS[form.name](source, folder)
        if single and len(list(folder.iterdir())) > 1 and not is_file(folder / form.file):
            raise UsageError(f"this model is too large for one {form.file}", "give a folder")
        checked = check(form.name, source, folder) if checking else None
        notes = notes_on(form, source, checked)
        notes += [words] if (words := cost_words(RunFolder(model))) else []
        card = write_card(source.name, source.config, [CardForm(form, notes)], run_of(RunFolder(model)), source.prompt)
        (folder / CARD).write_text(card, encoding="utf-8", newline="\n")
        files = {entry.name: entry.stat().st_size for entry in sorted(folder.iterdir())}
        if single:
            files = {path.name: files[form.file]}
    return Exported(form.name, str(path), files, notes, checked)


@contextmanager
def _place(path: Path, single: bool, form: Form, force: bool) -> Iterator[Path]:
    """Yield the folder to write into; what is in it becomes `path` if the block ends well."""
    if not single:
        with whole_folder(path, replace=force) as folder:
            yield folder
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".part", dir=path.parent) as name:
            yield Path(name)
            replace_file(Path(name) / form.file, path)
    except OSError as error:
        raise storage_error(error, path) from error


def notes_on(form: Form, source: ExportSource, checked: Checked | None) -> list[str]:
    """Return what a reader must know of the model in this form, and what the check found."""
    settings, notes = source.config.architecture, []
    if form.name == "hf" and net_of(form, settings) not in STANDARD:
        notes.append(f"transformers loads it with trust_remote_code=True: {MODEL_FILE} computes the model.")
    elif isinstance(settings, GPTSettings) and form.name not in ("safetensors", "onnx", "lecture"):
        if settings.attention_scale == "n_embd":
            notes.append(
                "The model divides attention's scores by the root of n_embd, this format by the root of head_size: the "
                "queries' weights have been multiplied by the difference."
            )
        if form.name.startswith("gguf") and settings.activation == "gelu":
            notes.append("The model's GELU is the exact one, this program's its tanh form: the logits differ.")
    places = {"hf": hugging_face.has_place_for, "gguf": gguf_file.has_place_for}
    fits = places.get(form.name.partition("-")[0])
    if fits is not None and not fits(source.tokenizer):
        notes.append("The model's tokenizer cannot be stored in this format: ids go in and out, not text.")
    inexact = form.rounds or bool(strangers(form, settings))
    if checked is not None and inexact:
        notes.append(f"Compared with {checked.program}: {_difference(checked)}.")
    elif checked is not None:
        notes.append(f"Verified with {checked.program}: {_difference(checked)}.")
    return notes


def _difference(checked: Checked) -> str:
    return f"logits differ by at most {checked.difference:.1e} (their range is {checked.spread:.1f})"
