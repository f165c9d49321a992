"""What is written down before the first step: the text, the versions, the machine."""

from __future__ import annotations

import importlib.metadata
import platform
import time

from tinygpt_tui.corpora.catalog import CorpusEntry
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.runs.folder import CorpusReference, RunSettings
from tinygpt_tui.settings.training import TrainingSettings


def new_run(name: str, preset: str, training: TrainingSettings, entry: CorpusEntry, text: CorpusText) -> RunSettings:
    """Return the settings of a new run of `training` on the text of `entry`, ready for `create_run`."""
    assert entry.path is not None, "the corpus must be on this machine"
    return RunSettings(
        name=name,
        created=time.time(),
        preset=preset,
        corpus=CorpusReference(
            name=entry.name,
            path=entry.path,
            sha256=text.sha256,
            characters=len(text.text),
            entropy=entry.row.entropy,
        ),
        training=training,
        versions={
            "python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in ("torch", "numpy")},
        },
        machine=f"{platform.system()} {platform.machine()}",
    )
