"""A model's folder for the Hub: its model card with curve and samples, and the model in several forms; and its upload.

The folder's top is what transformers loads, with llama.cpp's and ONNX's files beside it; the model as it is here is in
a folder of its own.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinygpt_tui.charts.export import export_svg
from tinygpt_tui.errors import DownloadError, TinyGPTError, UsageError
from tinygpt_tui.exports.check import check
from tinygpt_tui.exports.export import notes_on
from tinygpt_tui.exports.forms import FORMS, Form, check_form, unsaid
from tinygpt_tui.exports.model_card import CardForm, run_of, write_card
from tinygpt_tui.exports.place import CARD
from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.exports.writers import WRITERS
from tinygpt_tui.foreign.hub import OURS, endpoint, first_line, library
from tinygpt_tui.packages import require
from tinygpt_tui.runs.aspects import Comparison, chart_of
from tinygpt_tui.runs.distilled import cost_words
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.journal import read_journal
from tinygpt_tui.settings.architecture import ArchitectureSettings

CURVE = "curve.svg"
USUAL = ("hf", "safetensors", "gguf", "onnx")
POSSIBLE = (*USUAL, "gguf-f16", "gguf-q8_0")  # without pickles, which the Hub warns of
GOOD_NAME = re.compile(r"[\w-][\w.-]{0,95}/[\w-][\w.-]{0,95}", re.ASCII)
WIDTH, HEIGHT = 100, 24  # cells of the curve


def check_repository(name: str) -> None:
    """Raise UsageError unless `name` can be one of the Hub's repositories."""
    if not GOOD_NAME.fullmatch(name) or ".." in name or "--" in name:
        raise UsageError(f"{name!r} is not the name of a repository", "like USER/NAME")


def forms_for(name: str, settings: ArchitectureSettings, wanted: Sequence[str] = ()) -> tuple[list[Form], list[str]]:
    """Return the forms to publish a model in, the usual ones if none is wanted, and notes on those left out.

    Raises UsageError, MissingPackageError for a wanted form that cannot be written.
    """
    for form in map(_form, wanted):
        check_form(form, name, settings)
        if form.package:
            require(form.package, f"writing {form.title}", form.extra)
    if wanted:
        return [FORMS[form] for form in dict.fromkeys(wanted)], []
    notes, forms = [], []
    for form in map(_form, USUAL):
        if strange := unsaid(form, settings):
            notes.append(f"left out: {form.name}, which has no place for {'; '.join(strange)}")
        elif form.package and importlib.util.find_spec(form.package) is None:
            notes.append(f"left out: {form.name}, which needs the package {form.package}")
        else:
            forms.append(form)
    return forms, notes


def write_hub_folder(
    source: ExportSource, run: RunFolder, folder: Path, repository: str, forms: Sequence[Form], samples: Sequence[str]
) -> None:
    """Write a model in `forms` into an empty folder, verified, with its card; `samples` are texts of it.

    `run` is its run, if it has one. Raises StorageError, MissingPackageError.
    """
    described = []
    for form in forms:
        ours = form.name == "safetensors"
        place = folder / OURS if ours else folder
        place.mkdir(exist_ok=True)
        WRITERS[form.name](source, place)
        notes = notes_on(form, source, check(form.name, source, place))
        described.append(CardForm(form, notes, f"hf:{repository}" if ours else repository))
    parts = [words] if (words := cost_words(run)) else []
    history = RunHistory()
    history.add(read_journal(run.events))
    if len(history.losses[0]):
        chart = chart_of(history, Comparison(vocab_size=source.config.architecture.vocab_size), width=WIDTH)
        (folder / CURVE).write_text(export_svg(chart, WIDTH, HEIGHT, source.name), encoding="utf-8", newline="\n")
        parts += ["## Training", f"![the loss of each step]({CURVE})"]
    if samples:
        parts += ["## Samples", *(f"~~~text\n{sample.replace('~~~', '~ ~ ~').strip()}\n~~~" for sample in samples)]
    card = write_card(source.name, source.config, described, run_of(run), source.prompt, "\n\n".join(parts))
    (folder / CARD).write_text(card, encoding="utf-8", newline="\n")


def open_hub() -> Any:
    """Return the Hub's library, which has a token: that of HF_TOKEN, or of `hf auth login`.

    Raises UsageError without one, MissingPackageError.
    """
    hub = library("publish")
    importlib.import_module("huggingface_hub.utils").disable_progress_bars()
    if hub.get_token() is None:
        raise UsageError("publishing needs a token of the Hub that may write", "`hf auth login`, or set HF_TOKEN")
    return hub.HfApi(endpoint=endpoint())


def upload(api: Any, folder: Path, repository: str, *, private: bool) -> str:
    """Make the repository if it is not there, and upload the folder to it; return its address.

    Raises UsageError where the token may not write there, DownloadError.
    """
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Published by tinygpt-tui")
    except Exception as error:
        raise _in_words(error, repository) from error
    return f"{api.endpoint}/{repository}"


def _in_words(error: Exception, repository: str) -> TinyGPTError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return UsageError(
            f"the Hub does not let this token write to {repository}", "`hf auth login` with one that may write there"
        )
    return DownloadError(
        f"{repository} could not be uploaded: {first_line(error)}", "check the connection and try again"
    )


def _form(name: str) -> Form:
    if name not in POSSIBLE:
        raise UsageError(f"formats: {name!r} is not published", f"there is {', '.join(POSSIBLE)}")
    return FORMS[name]
