"""The examination of a corpus: its baselines and what is wrong with it, cached by the text's hash and its split.

A run has a copy in its own folder, so that it can be compared with the baselines without its text.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec

from tinygpt_tui import paths
from tinygpt_tui.corpora.corpus import Corpus, CorpusText
from tinygpt_tui.corpora.floors import SMOOTHING, Floor, floors_of
from tinygpt_tui.corpora.read import is_pairs
from tinygpt_tui.doctor.corpus import damage_findings, repetition_findings, split_findings
from tinygpt_tui.events.training import Finding
from tinygpt_tui.files import write_bytes
from tinygpt_tui.reading import Damage, read_json
from tinygpt_tui.runs.folder import RunFolder, RunSettings
from tinygpt_tui.tokenizers.dialogues import MARKS

FILE, ONE_BATCH_FILE = "examination.json", "one-batch.json"
FORMAT = 1


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """The baselines, in nats per character on the validation split and the best last, and the doctor's findings."""

    format: int = FORMAT
    smoothing: str = SMOOTHING
    floors: list[Floor] = []
    findings: list[Finding] = []


def examine(text: CorpusText, corpus: Corpus) -> Examination:
    """Examine a text that was read and split."""
    parts = (MARKS.sub("\n", part) for part in text.parts) if text.documents or text.roles else text.parts
    findings = [*damage_findings(parts), *split_findings(corpus), *repetition_findings(corpus)]
    # Those of all tokens say nothing of a run that learns replies.
    floors = floors_of(corpus.train, corpus.validation, corpus.tokenizer.size) if corpus.replies is None else []
    return Examination(floors=floors, findings=findings)


def key_of(sha256: str, validation_share: float, tokenizer: dict[str, object]) -> str:
    """Return the name under which an examination is cached: the text's hash, its split, its tokenizer."""
    read = json.dumps(tokenizer, sort_keys=True).encode()
    return f"{sha256[:32]}-{validation_share:g}-{hashlib.sha256(read).hexdigest()[:8]}"


def cache_path(key: str) -> Path:
    """Return where an examination is cached for all runs of the same text."""
    return paths.home() / "examined" / f"{key}.json"


def run_path(run: RunFolder) -> Path:
    """Return where a run's own copy is."""
    return run.folder / FILE


def one_batch_path(run: RunFolder) -> Path:
    """Return where the result of a run's one-batch test is."""
    return run.folder / ONE_BATCH_FILE


def read_one_batch(run: RunFolder) -> Finding | None:
    """Return the result of a run's one-batch test; None if it was not run."""
    try:
        return read_json(one_batch_path(run), Finding)
    except (OSError, Damage):
        return None


def write_one_batch(run: RunFolder, finding: Finding) -> None:
    """Save the result of a run's one-batch test. Raises StorageError."""
    write_bytes(one_batch_path(run), msgspec.json.encode(finding) + b"\n", within=run.folder)


def read_examination(path: Path) -> Examination | None:
    """Return a saved examination; None if there is none, or one that this version cannot read."""
    try:
        found = read_json(path, Examination)
    except (OSError, Damage):
        return None
    return found if found.format == FORMAT else None


def write_examination(examination: Examination, *places: Path, within: Path | None = None) -> None:
    """Save an examination; `within` as for `whole_file`. Raises StorageError."""
    content = msgspec.json.format(msgspec.json.encode(examination), indent=2) + b"\n"
    for place in places:
        write_bytes(place, content, within=within)


def examination_of(run: RunFolder, settings: RunSettings) -> Examination | None:
    """Return the examination of a run's corpus, if there is one; counting letters answers no questions of a task."""
    found = _examination_of(run, settings)
    if found is not None and is_pairs(settings.corpus.path):
        return msgspec.structs.replace(found, floors=[])
    return found


def _examination_of(run: RunFolder, settings: RunSettings) -> Examination | None:
    if (own := read_examination(run_path(run))) is not None:
        return own
    try:
        tokenizer = read_json(run.model / "tokenizer.json")
    except (OSError, Damage):
        return None
    return read_examination(cache_path(key_of(settings.corpus.sha256, settings.training.validation_share, tokenizer)))
