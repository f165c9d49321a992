"""What is written down before the first step: the text, the versions, the machine; no torch."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from importlib import metadata

import tinygpt_tui
from tinygpt_tui.corpora.catalog import CorpusEntry
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.runs.folder import CorpusReference, RunSettings, StartingModel
from tinygpt_tui.settings.training import TrainingSettings


def new_run(
    name: str,
    preset: str,
    training: TrainingSettings,
    corpus: CorpusReference,
    start: StartingModel | None = None,
    teachers: Sequence[StartingModel] = (),
) -> RunSettings:
    """Return the settings of a new run, ready for `create_run`.

    It starts from the weights of `start`, if given, and learns the probabilities of the `teachers`, if there are any.
    """
    return RunSettings(
        name=name,
        created=time.time(),
        preset=preset,
        corpus=corpus,
        training=training,
        start=start,
        teacher=next(iter(teachers), None),
        other_teachers=list(teachers[1:]),
        versions=_versions(),
        machine=f"{platform.system()} {platform.machine()}",
    )


def reference(entry: CorpusEntry, text: CorpusText, encoding: str) -> CorpusReference:
    """Return how a run refers to a corpus of this machine: where its text is, and how to recognise it."""
    assert entry.path is not None, "a corpus must be downloaded before a run can train on it"
    return CorpusReference(
        name=entry.name,
        path=entry.path,
        sha256=text.sha256,
        characters=text.characters,
        entropy=entry.row.entropy,
        encoding=encoding,
    )


def _versions() -> dict[str, str]:
    """Return the versions that influence a result; packages that are not installed are left out."""
    versions = {"python": platform.python_version(), "tinygpt-tui": tinygpt_tui.__version__}
    for package in ("torch", "numpy"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
