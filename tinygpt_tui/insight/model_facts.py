"""Everything that is known of a model without running it, and where each thing is known from; no torch."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tinygpt_tui.checkpoints.card import CONFIG, ORIGIN, TOKENIZER, WEIGHTS, Origin, is_native, read_config
from tinygpt_tui.checkpoints.vocabulary import open_tokenizer
from tinygpt_tui.checkpoints.weights import weight_places
from tinygpt_tui.errors import CheckpointError, TinyGPTError
from tinygpt_tui.foreign.calibration_cache import inspect_calibrated
from tinygpt_tui.foreign.facts import Fact, source_in_words
from tinygpt_tui.foreign.opening import Inspection
from tinygpt_tui.insight.parts import Part, Shape, tree_of
from tinygpt_tui.reading import Damage, read_json
from tinygpt_tui.runs.folder import RunFolder, RunSettings
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.runs.journal import JournalFollower
from tinygpt_tui.settings.architecture import ArchitectureSettings, name_of
from tinygpt_tui.settings.fields import fields_of, written
from tinygpt_tui.settings.model_config import NativeConfig
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.byte import ByteTokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.words import duration, size


class Row(NamedTuple):
    """One fact: what, how much, and (where it is not the whole section's) how it is known."""

    name: str
    value: str
    source: str = ""


class Section(NamedTuple):
    """Facts that belong together, and the file they are from."""

    title: str
    source: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, eq=False)
class ModelFacts:
    """A model's card in full. `problem` is why a part of it is missing, where one is."""

    name: str
    path: Path
    parts: Part
    settings: ArchitectureSettings
    sections: tuple[Section, ...]
    history: RunHistory | None = None
    entropy: float | None = None
    problem: str = ""
    foreign: bool = False


def model_facts(path: Path) -> ModelFacts:
    """Gather what is known of the model at `path`, ours or another program's. Raises CheckpointError, StorageError."""
    return _of_ours(path) if is_native(path) else _of_others(path)


def _of_ours(path: Path) -> ModelFacts:
    config = read_config(path)
    problems: list[str] = []
    try:
        parts = tree_of(tensors_in(path))
    except CheckpointError as error:
        parts, problems = Part("", 0), [] if config.adapter and config.adapter.mixed else [error.message]
    try:
        vocabulary = _vocabulary(open_tokenizer(path, config))
    except TinyGPTError as error:
        vocabulary, problems = (), [*problems, error.message]
    run = RunFolder(path)
    settings = _settings_of(run)
    history = _history_of(run)
    sections = [
        Section("model", "", tuple(_model(path, config, parts))),
        Section(
            "losses", f"{CONFIG}, run/events.jsonl" if history else CONFIG, tuple(_losses(config, history, settings))
        ),
        Section("vocabulary", TOKENIZER, vocabulary),
        Section("training", "run/settings.json", tuple(_training(settings)) if settings else ()),
        Section("settings", CONFIG, tuple(_architecture(config.architecture))),
        Section("where each fact comes from", ORIGIN, tuple(_origin(path))),
    ]
    return ModelFacts(
        name=path.name,
        path=path,
        parts=parts,
        settings=config.architecture,
        sections=tuple(section for section in sections if section.rows),
        history=history,
        entropy=settings.corpus.entropy if settings else None,
        problem="; ".join(problems),
    )


def _of_others(path: Path) -> ModelFacts:
    """Gather what the headers of another program's checkpoint tell, and what was measured of it."""
    inspection = inspect_calibrated(path)
    source = inspection.source
    parts = tree_of({name: (place.shape, place.kind) for name, place in source.tensors.items()})
    sections = (
        Section("model", inspection.layout.title, tuple(_foreign(inspection, parts))),
        Section("where each fact comes from", "", tuple(_known(inspection))),
        Section("vocabulary", "", _vocabulary(inspection.tokenizer)),
        Section("settings", "", tuple(_architecture(inspection.settings))),
    )
    return ModelFacts(inspection.name, path, parts, inspection.settings, sections, foreign=True)


def _foreign(inspection: Inspection, parts: Part) -> Iterator[Row]:
    source, config = inspection.source, inspection.config
    yield Row("architecture", name_of(config.architecture))
    yield Row("parameters", f"{config.parameters:,}")
    yield from _window(inspection.settings)
    if parts.count != config.parameters:
        yield Row("in the file", f"{parts.count:,}, with duplicates and masks")
    yield Row("precision", ", ".join(sorted(_kinds(parts))))
    yield Row("on disk", size(source.size_bytes))
    yield Row("files", "\n".join(str(file) for file in source.files))


def _origin(path: Path) -> Iterator[Row]:
    """What was written down when another program's model was kept."""
    try:
        origin = read_json(path / ORIGIN, Origin)
    except (OSError, Damage):
        return
    yield Row("opened from", origin.path)
    yield from _facts(origin.facts)


def _facts(facts: tuple[Fact, ...]) -> Iterator[Row]:
    for fact in facts:
        source = source_in_words(fact.source)
        yield Row(fact.name, fact.value, f"{source}: {fact.detail}" if fact.detail else source)


def _known(inspection: Inspection) -> Iterator[Row]:
    yield from _facts(inspection.facts)
    if inspection.questions:
        open_ones = ", ".join(question.setting for question in inspection.questions)
        yield Row("unknown", open_ones, "measured when the model is first used")


def tensors_in(folder: Path) -> dict[str, tuple[Shape, str]]:
    """Return shape and kind of each tensor of a model folder of ours, from its header. Raises CheckpointError."""
    return {name: (place.shape, place.kind) for name, place in weight_places(folder).items()}


def _model(path: Path, config: NativeConfig, parts: Part) -> Iterator[Row]:
    yield Row("architecture", name_of(config.architecture))
    yield Row("parameters", f"{config.parameters:,}")
    if (adapter := config.adapter) is not None:
        mixed = ", ".join(f"{one.name} × {one.weight:g}" for one in adapter.mixed)
        what = f", rank {adapter.rank}, matrices: {adapter.matrices}"
        yield Row("adapters of" if mixed else "adapter of", adapter.base + (f": {mixed}" if mixed else what))
    yield from _window(config.architecture)
    if parts.count and parts.count != config.parameters:
        yield Row("in the file", f"{parts.count:,}", WEIGHTS)
    kinds = sorted(_kinds(parts))
    if kinds:
        yield Row("precision", ", ".join(kinds), WEIGHTS)
    weights, whole = _bytes(path / WEIGHTS), sum(_bytes(file) for file in path.rglob("*"))
    yield Row("on disk", f"{size(whole)} (weights {size(weights)})")
    yield Row("folder", str(path))


def _window(settings: ArchitectureSettings) -> Iterator[Row]:
    """How much text the model sees; nothing for one that carries a state instead."""
    if length := settings.context_length:
        yield Row("block size", f"{length:,} tokens at once")


def _losses(config: NativeConfig, history: RunHistory | None, run: RunSettings | None) -> Iterator[Row]:
    if (trained := config.trained) is not None:
        read = f", on {trained.tokens:,} tokens" if trained.tokens else ""
        how = "calibrated, " if config.calibration is not None else ""
        yield Row("validation", f"{how}{trained.validation_loss:.4f} nats per token at step {trained.step:,}{read}")
        if trained.characters_per_token != 1.0:
            nats = trained.loss_per_character
            yield Row("per character", f"{nats:.4f} nats, {nats / math.log(2):.4f} bits")
            yield Row("a token", f"{trained.characters_per_token:.2f} characters in the validation split")
        yield Row("perplexity", f"{math.exp(min(trained.validation_loss, 100)):.2f}")
    if (found := config.calibration) is not None:
        yield Row("calibrated", f"logits × {found.logit_scale:.3f}, decided by {found.text}")
    if run is not None and run.corpus.entropy is not None:
        yield Row("floor", f"{run.corpus.entropy:.4f}: no model can get below it")
    if history is None:
        return
    if history.last_evaluation is not None:
        last = history.last_evaluation
        yield Row("at the end", f"train {last.train_loss:.4f}, validation {last.validation_loss:.4f}")
    if history.step:
        yield Row("steps", f"{history.step:,} of {history.steps:,} in {duration(history.elapsed_s)}")


def _vocabulary(tokenizer: Tokenizer) -> tuple[Row, ...]:
    rows = [Row("kind", tokenizer.name), Row("tokens", f"{tokenizer.size:,}")]
    if isinstance(tokenizer, CharTokenizer | ByteTokenizer) and tokenizer.characters:
        rows.append(Row("characters", shown_characters(tokenizer.characters)))
    end = tokenizer.end_of_text
    rows.append(Row("end of text", "none" if end is None else f"id {end}"))
    return tuple(rows)


def shown_characters(characters: str) -> str:
    """Return characters side by side, those that are no sign by their escape or number.

    >>> print(shown_characters("\\n ab\\u200b"))
    \\n␣ab\\u200b
    """
    return "".join(
        "␣" if character == " " else character if character.isprintable() else _escape(character)
        for character in characters
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _training(run: RunSettings) -> Iterator[Row]:
    corpus, training = run.corpus, run.training
    characters = f", {corpus.characters:,} characters" if corpus.characters else ""
    yield Row("corpus", f"{corpus.name}{characters}")
    if corpus.sha256:
        yield Row("SHA-256", corpus.sha256)
    if run.preset:
        yield Row("preset", run.preset)
    if run.start:
        yield Row("started from", run.start.words)
    yield Row("started", time.strftime("%d %b %Y %H:%M", time.localtime(run.created)))
    for name, field in fields_of(type(training)).items():
        value = getattr(training, name)
        if value != field.default or name in ("steps", "batch_size", "optimizer", "learning_rate", "seed"):
            yield Row(name, written(value) or "none")
    if run.machine:
        yield Row("machine", run.machine)
    if run.versions:
        yield Row("versions", ", ".join(f"{name} {version}" for name, version in run.versions.items()))


def _architecture(settings: ArchitectureSettings) -> Iterator[Row]:
    """Sizes always; of the rest, what is not as by default."""
    for name, field in fields_of(type(settings)).items():
        value = getattr(settings, name)
        if value != field.default or name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd"):
            yield Row(name, written(value))


def _settings_of(run: RunFolder) -> RunSettings | None:
    try:
        return run.read_settings()
    except TinyGPTError:
        return None


def _history_of(run: RunFolder) -> RunHistory | None:
    if not run.events.is_file():
        return None
    history = RunHistory()
    try:
        history.add(JournalFollower(run.events).poll())
    except TinyGPTError:
        return None
    return history


def _kinds(part: Part) -> set[str]:
    return {part.kind} if part.shape is not None else {kind for inner in part.parts for kind in _kinds(inner)}


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except OSError:
        return 0
