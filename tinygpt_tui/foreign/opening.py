"""Inspects a checkpoint of any layout: its settings, and where each fact comes from.

`inspect_checkpoint` reads headers alone and needs no torch. calibrate.py measures what headers do not tell.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tinygpt_tui.errors import CheckpointError, UsageError
from tinygpt_tui.foreign.arrangement import arranged
from tinygpt_tui.foreign.facts import Fact, in_words
from tinygpt_tui.foreign.folder_names import with_name
from tinygpt_tui.foreign.layouts.base import Layout, LayoutMatch, Question, Weights
from tinygpt_tui.foreign.layouts.table import match_of
from tinygpt_tui.foreign.qkv_order import READINGS, Reading
from tinygpt_tui.foreign.rename import assemble
from tinygpt_tui.foreign.source import Source, open_source
from tinygpt_tui.foreign.vocabulary import Possible, check_stored_tokenizer, find_vocabulary, vocabulary_from
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.fields import changed, fields_of
from tinygpt_tui.settings.model_config import EMBEDDING, FORMAT, HEAD, NativeConfig
from tinygpt_tui.tokenizers.base import Tokenizer


@dataclass(frozen=True)
class Inspection:
    """A foreign checkpoint, as far as its headers describe it.

    `questions` is what they leave open; `settings` holds the default answer to each.
    """

    source: Source
    layout: Layout
    settings: ArchitectureSettings
    reading: Reading
    tokenizer: Tokenizer
    facts: tuple[Fact, ...]
    questions: tuple[Question, ...]
    match: LayoutMatch
    possible: tuple[Possible, ...] = ()  # vocabularies that the loss may confirm

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def config(self) -> NativeConfig:
        """The settings as a model folder of ours would keep them."""
        return NativeConfig(
            format=FORMAT,
            architecture=self.settings,
            parameters=count_parameters(self.settings),
            trained=self.match.trained,
        )

    def weights(self) -> Weights:
        """Read the tensors, in our names, for these settings. Raises CheckpointError, StorageError."""
        return self.laid_out(self.assembled())

    def assembled(self) -> Weights:
        """Read the tensors, in our names, as the file has them. Raises CheckpointError, StorageError."""
        return assemble(self.source, self.match.placed)

    def laid_out(self, assembled: Weights) -> Weights:
        """Return what was assembled as it is for these settings and this reading; `assembled` stays as it is."""
        weights = arranged(assembled, self.reading, self.settings)
        if self.settings.tied_head and EMBEDDING in weights:
            weights[HEAD] = weights[EMBEDDING]
        return self.match.finish(weights, self.settings) if self.match.finish else weights


@dataclass(frozen=True)
class Overrides:
    """What the user sets: settings by name, the file of the vocabulary, a text to calibrate on."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    vocabulary: Path | None = None
    corpus: str = ""  # a text that the model was trained on: a name or a path


_LAYER = re.compile(r"\.\d+\.")


def inspect_checkpoint(path: Path, overrides: Overrides | None = None) -> Inspection:
    """Read a foreign checkpoint's headers.

    Raises CheckpointError where it is damaged or of no known layout, UsageError for typed settings that cannot be,
    NotFoundError, StorageError.
    """
    overrides = overrides or Overrides()
    layout, source, found = match_of(open_source(path))
    match = with_name(found, source.folder.name, overrides.settings)
    settings, reading, facts = _with_overrides(match, overrides.settings)
    possible: tuple[Possible, ...] = ()
    if overrides.vocabulary is None and match.tokenizer is not None:
        tokenizer, vocabulary = check_stored_tokenizer(match.tokenizer, settings.vocab_size, source.name)
    elif overrides.vocabulary is None:
        tokenizer, vocabulary, possible = find_vocabulary(
            source, settings.vocab_size, match.characters, match.vocabulary_files
        )
    else:
        tokenizer = vocabulary_from(overrides.vocabulary, settings.vocab_size)
        words = f"{tokenizer.size:,} tokens"
        vocabulary = Fact(name="vocabulary", value=words, source="typed", detail=overrides.vocabulary.name)
    first = Fact(name="layout", value=layout.title, source="tensor", detail=_wrapping(source))
    questions = tuple(question for question in match.questions if question.setting not in overrides.settings)
    return Inspection(
        source, layout, settings, reading, tokenizer, (first, *facts, vocabulary), questions, match, possible
    )


def with_answers(inspection: Inspection, answers: Mapping[str, Any], evidence: str) -> Inspection:
    """Return it with answers to its questions, and `evidence` as their source."""
    of_reading = {name: answer for name, answer in answers.items() if name in READINGS}
    of_net = {name: answer for name, answer in answers.items() if name not in READINGS}
    facts = tuple(
        Fact(name=fact.name, value=in_words(answers[fact.name]), source="calibrated", detail=evidence)
        if fact.name in answers
        else fact
        for fact in inspection.facts
    )
    left = tuple(question for question in inspection.questions if question.setting not in answers)
    reading = msgspec.structs.replace(inspection.reading, **of_reading)
    return dataclasses.replace(
        inspection,
        settings=inspection.match.followed(msgspec.structs.replace(inspection.settings, **of_net), reading),
        reading=reading,
        facts=facts,
        questions=left,
    )


def _with_overrides(
    match: LayoutMatch, overrides: Mapping[str, Any]
) -> tuple[ArchitectureSettings, Reading, tuple[Fact, ...]]:
    if not overrides:
        return match.settings, match.reading, match.facts
    unknown = overrides.keys() - fields_of(type(match.settings)).keys() - READINGS
    if unknown:
        raise UsageError(f"this architecture has no setting {', '.join(sorted(unknown))}", "")
    settings = changed(match.settings, {name: overrides[name] for name in overrides.keys() - READINGS})
    reading = changed(match.reading, {name: overrides[name] for name in overrides.keys() & READINGS})
    told = {name: Fact(name=name, value=in_words(value), source="typed") for name, value in overrides.items()}
    facts = [fact for fact in match.facts if fact.name not in told]
    return match.followed(settings, reading), reading, (*facts, *told.values())


def _wrapping(source: Source) -> str:
    without = f"names without {' '.join(source.wrapped_in)}" if source.wrapped_in else ""
    copies = f"the averaged copy {' '.join(source.copies)} is not used" if source.copies else ""
    return "; ".join(filter(None, (without, copies)))


def check_weights(inspection: Inspection, weights: Weights, wanted: Mapping[str, tuple[int, ...]]) -> Weights:
    """Return exactly the wanted tensors; a kind of bias that the file does not have anywhere is zero: it adds nothing.

    Raises CheckpointError, which names what is missing, unknown or of another shape.
    """
    missing = [name for name in wanted if name not in weights]
    kinds = {_LAYER.sub(".", name) for name in weights}
    absent = [name for name in missing if not name.endswith(".bias") or _LAYER.sub(".", name) in kinds]
    extra = sorted(weights.keys() - wanted.keys())
    other = [name for name in wanted if name in weights and weights[name].shape != wanted[name]]
    if absent or extra or other:
        parts = (("missing", absent), ("without a place", extra), ("of another shape", other))
        found = "; ".join(f"{words}: {', '.join(names[:3])}" for words, names in parts if names)
        raise CheckpointError(f"the tensors of {inspection.name} do not make a model ({found})", "the file is damaged")
    for name in missing:
        weights[name] = np.zeros(wanted[name], dtype=np.float32)
    strange = [name for name in wanted if not np.isfinite(weights[name]).all()]
    if strange:
        raise CheckpointError(
            f"{inspection.name}: {strange[0]} has values that are not finite", "its training diverged"
        )
    return weights
