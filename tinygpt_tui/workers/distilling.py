"""What a student reads: the text that its teacher was trained on, or one that the teacher writes; no torch here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from pathlib import Path

from tinygpt_tui.checkpoints.card import WEIGHTS, is_native, read_config
from tinygpt_tui.corpora.catalog import find_corpus
from tinygpt_tui.corpora.read import sha256_of
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import GenerationEnded, Token
from tinygpt_tui.runs.folder import CorpusReference, RunFolder, StartingModel
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.models import open_model

TEXTS, TOKENS = 16, 160_000  # that a teacher writes, if there is time …
FEWEST = 4096  # … and whatever the time


def training_text(teacher: Path) -> tuple[CorpusReference, float | None] | None:
    """Return the text that a model was trained on, and the share that it never read, if known; None if it is not here.

    Of a model without a run only the name of the text is known.
    """
    with contextlib.suppress(TinyGPTError, OSError):
        settings = RunFolder(teacher).read_settings()
        if sha256_of(Path(settings.corpus.path)) == settings.corpus.sha256:
            return settings.corpus, settings.training.validation_share
    with contextlib.suppress(TinyGPTError, OSError):
        trained = read_config(teacher).trained if is_native(teacher) else None
        entry = find_corpus(trained.corpus) if trained else None
        if entry is not None and entry.path is not None and not entry.own:
            row = entry.row
            characters = row.characters or row.bytes
            return CorpusReference(name=entry.name, path=entry.path, characters=characters, entropy=row.entropy), None
    return None


def writing_text(teacher: Path, seconds: float) -> Generator[float, None, str]:
    """Yield the share that is done, and return a text that a model writes in about `seconds`. Raises as `open_model`.

    It draws as the model predicts: what it reads then is what it was taught to expect.
    """
    model, began = open_model(teacher), time.monotonic()
    sampling = SamplingSettings(temperature=1.0, max_new_tokens=TOKENS // TEXTS, seed=1, stop_at_end_of_text=False)
    texts, count = [""] * TEXTS, 0
    for event in model.samples("", sampling, TEXTS):
        if isinstance(event, Token | GenerationEnded):
            texts[event.sample] += event.text
            count += isinstance(event, Token)
        gone = (time.monotonic() - began) / seconds
        if gone > 1 and count >= FEWEST:
            break
        yield min(1.0, max(count / TOKENS, gone))
    return "\n\n".join(texts)


def earlier_student(name: str, teacher: StartingModel, models: Path) -> RunFolder | None:
    """Return the run of the student called `name` if it has learned from this very teacher, and has weights."""
    run = RunFolder(models / name)
    with contextlib.suppress(TinyGPTError, OSError):
        if run.read_settings().teacher == teacher and (run.model / WEIGHTS).is_file():
            return run
    return None
