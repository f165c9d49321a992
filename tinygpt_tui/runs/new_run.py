"""What is written down before the first step: the text, the versions, the machine; no torch."""

from __future__ import annotations

import platform
import time
from importlib import metadata

import tinygpt_tui
from tinygpt_tui.corpora.catalog import CorpusEntry
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.runs.folder import CorpusReference, RunSettings, StartingModel
from tinygpt_tui.settings.training import TrainingSettings


def new_run(
    name: str, preset: str, training: TrainingSettings, corpus: CorpusReference, start: StartingModel | None = None
) -> RunSettings:
    """Return the settings of a new run of `training` on `corpus`, ready for `create_run`; its weights are `start`'s."""
    return RunSettings(
        name=name,
        created=time.time(),
        preset=preset,
        corpus=corpus,
        training=training,
        start=start,
        versions=_versions(),
        machine=f"{platform.system()} {platform.machine()}",
    )


def reference(entry: CorpusEntry, text: CorpusText, encoding: str) -> CorpusReference:
    """Return what a run keeps of a corpus that is on this machine: where its text is, and how to know it again."""
    assert entry.path is not None, "a corpus must be downloaded before it can be learnt from"
    return CorpusReference(
        name=entry.name,
        path=entry.path,
        sha256=text.sha256,
        characters=len(text.text),
        entropy=entry.row.entropy,
        encoding=encoding,
    )


def _versions() -> dict[str, str]:
    """Return the versions that decide a result; what is not installed has none (the trainer will say so)."""
    versions = {"python": platform.python_version(), "tinygpt-tui": tinygpt_tui.__version__}
    for package in ("torch", "numpy"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
