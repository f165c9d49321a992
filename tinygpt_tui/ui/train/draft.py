"""A run before its start: what was typed into the form, and whether it is valid. It knows nothing of Textual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec

from tinygpt_tui.corpora.corpus import check_length
from tinygpt_tui.errors import CorpusError, StorageError, TinyGPTError, UsageError
from tinygpt_tui.events.training import Finding
from tinygpt_tui.paths import typed_path
from tinygpt_tui.planning.estimate import Estimate, advice, estimate, read_apart
from tinygpt_tui.planning.fitting import fitted
from tinygpt_tui.planning.machine import Machine, free_memory
from tinygpt_tui.planning.tokens import bytes_per_token, with_fallback
from tinygpt_tui.runs.index import check_name, free_name
from tinygpt_tui.runs.text_facts import CorpusFacts
from tinygpt_tui.settings import rules
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.fields import SettingField, changed, fields_of, parse_all, parse_value, written
from tinygpt_tui.settings.load import FROM_CORPUS
from tinygpt_tui.settings.presets import ALL_PRESETS, TIMED_PRESET
from tinygpt_tui.settings.tokenizer import CHARACTERS, tokenizer_choice
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.training.fine_tuning import FREE, Origin, check_start, new_to
from tinygpt_tui.training.vocabulary import file_size, whole_path
from tinygpt_tui.ui.shared.wrapping import shown
from tinygpt_tui.words import shortened

Architecture = type[ArchitectureSettings]

# What most users change; the rest is under "all settings". Architectures with few settings show all of them.
IMPORTANT_BY_ARCHITECTURE: dict[Architecture, tuple[str, ...]] = {
    GPTSettings: ("n_layer", "n_head", "n_embd", "block_size", "dropout")
}
IMPORTANT_OF_TRAINING = ("tokenizer", "steps", "minutes", "batch_size", "learning_rate", "lora")
# Set by the corpus, not by the user.
DECIDED = FROM_CORPUS
NEW_SHOWN = 16  # characters that are new to a model


@dataclass(frozen=True)
class Draft:
    """`settings` is None if something is invalid; `problems` say what, by setting.

    `architecture` is there if its own settings are valid, so that the parameters can be counted.
    """

    settings: TrainingSettings | None
    architecture: ArchitectureSettings | None
    problems: dict[str, str] = field(default_factory=dict)
    fine_tuned: bool = False  # it starts from a model
    tokens: int = 0  # about how many the text has; 0: there is no text

    @property
    def parameters(self) -> int | None:
        return count_parameters(self.architecture) if self.architecture else None

    def expected(self, facts: CorpusFacts | None, machine: Machine) -> Estimate | None:
        """Return what the training would take on that text; None if the settings are invalid or there is no text."""
        if self.settings is None or facts is None:
            return None
        documents = read_apart(self.settings, facts.reference.path, facts.documents)
        return estimate(self.settings, self.tokens, machine, documents=documents)

    def warnings(self, facts: CorpusFacts | None, machine: Machine) -> list[str]:
        """Return what may be wrong although all settings are valid."""
        return [finding.text for finding in self.advice(facts, machine)]

    def advice(self, facts: CorpusFacts | None, machine: Machine) -> list[Finding]:
        """Return what may be wrong although all settings are valid, with the settings that would help."""
        expected = self.expected(facts, machine)
        if self.settings is None or facts is None or expected is None:
            return []
        rare = facts.rare if self.settings.tokenizer == CHARACTERS else ""
        return advice(self.settings, expected, rare, free_memory(), fine_tuned=self.fine_tuned)


def words_of_origin(origin: Origin, facts: CorpusFacts | None) -> str:
    """Return facts about a starting model: its size, and what its vocabulary lacks."""
    size = f"{count_parameters(origin.architecture):,} parameters"
    if facts is None:
        return size
    if not isinstance(origin.tokenizer, CharTokenizer):
        return f"{size}; uses its own vocabulary of {origin.tokenizer.size:,} tokens"
    new = new_to(origin.tokenizer, facts.characters)
    if not new:
        return f"{size}; knows every character of the text"
    several = "" if len(new) == 1 else "s"
    return f"{size}; adds {len(new)} new character{several}: {shortened(shown(new), NEW_SHOWN)}"


def suited(minutes: str, tokenizer: str, facts: CorpusFacts, machine: Machine) -> TrainingSettings:
    """Return settings for minutes and tokenizer (as typed; if invalid the preset's), a text and a machine."""
    training = ALL_PRESETS[TIMED_PRESET].training
    try:
        typed = changed(training, {"minutes": parse_value(form_fields(GPTSettings)["minutes"], minutes)}).minutes
    except UsageError:
        return training
    tokens, size = vocabulary_of(tokenizer, facts)
    return fitted(typed or training.minutes, tokens, size, machine)


def vocabulary_of(tokenizer: str, facts: CorpusFacts) -> tuple[int, int]:
    """Return about how many tokens a text has with a tokenizer (as typed), and how many different ones there are.

    One that cannot be used counts as characters.
    """
    try:
        choice = tokenizer_choice(tokenizer)
        if choice.kind == "fallback":
            return with_fallback(dict(zip(facts.characters, facts.counts, strict=False)), choice.fewest)
        size = {"bytes": 256, "bpe": choice.size}.get(choice.kind, 0) or (
            file_size(typed_path(choice.path)) if choice.kind == "file" else 0
        )
    except TinyGPTError:
        size = 0
    if not size:
        return facts.reference.characters, facts.vocab_size
    return max(1, round((facts.text_bytes or facts.reference.characters) / bytes_per_token(size))), size


@cache
def important(kind: Architecture) -> tuple[str, ...]:
    """Return the settings that most users change, in the order of the form."""
    own = IMPORTANT_BY_ARCHITECTURE.get(kind)
    if own is None:
        last = ("block_size", "sliding", "dropout")  # after what describes the architecture
        found = [name for name in fields_of(kind) if name not in DECIDED]
        own = tuple(sorted(found, key=lambda name: last.index(name) + 1 if name in last else 0))
    return own + IMPORTANT_OF_TRAINING


@cache
def form_fields(kind: Architecture) -> dict[str, SettingField]:
    """Return every setting that a user can choose, the important ones first."""
    found = fields_of(kind) | fields_of(TrainingSettings)
    first = important(kind)
    names = [*first, *(name for name in found if name not in first and name not in DECIDED)]
    return {name: found[name] for name in names}


def texts_of(settings: TrainingSettings) -> dict[str, str]:
    """Return `settings` as the form shows them."""
    values = {**msgspec.structs.asdict(settings), **msgspec.structs.asdict(settings.architecture)}
    return {name: written(values[name]) for name in form_fields(type(settings.architecture))}


def draft_of(
    texts: Mapping[str, str], facts: CorpusFacts | None, kind: Architecture = GPTSettings, origin: Origin | None = None
) -> Draft:
    """Check what was typed, each setting by itself and then all together.

    Without `facts` the vocabulary is the default's, and the text is not checked against the block size. With `origin`
    the architecture is that model's, whatever is typed, and its vocabulary grows by the text's new characters.
    """
    values, problems = _parsed(texts, kind)
    tokens, size = vocabulary_of(texts["tokenizer"], facts) if facts else (0, 0)
    if origin is None:
        problems |= _tokenizer_problem(values.get("tokenizer", ""))
    elif facts:
        tokens = facts.reference.characters
    own_names = {name for name in fields_of(kind) if name not in DECIDED}
    architecture = None
    if not own_names & problems.keys():
        vocabulary = {"vocab_size": size} if facts else {}
        if origin is None:
            architecture = changed(kind(), {name: values[name] for name in own_names} | vocabulary)
        else:
            free = {name: values[name] for name in own_names & FREE}
            size = origin.vocabulary_for(facts.characters).size if facts else origin.architecture.vocab_size
            architecture = changed(origin.architecture, {**free, "vocab_size": size})
        problems |= _problems(architecture)
    if facts and architecture is not None and "validation_share" not in problems:
        length = architecture.training_length
        problems |= _length_problem(tokens, length, values["validation_share"])
    if problems or architecture is None:
        return Draft(None, architecture, problems)
    rest = {name: values[name] for name in values if name not in own_names}
    if origin is None:
        rest["tokenizer"] = whole_path(rest["tokenizer"])
        rest |= {"lora": 0, "mix_old": 0.0}  # they are of the starting model
    training = changed(TrainingSettings(architecture=architecture), rest)
    if problems := _problems(training) | _start_problem(training, origin):
        return Draft(None, architecture, problems)
    return Draft(training, architecture, fine_tuned=origin is not None, tokens=tokens)


def name_problem(name: str) -> str:
    """Return why a model cannot be named `name`; empty if it can."""
    try:
        check_name(name)
    except UsageError as error:
        return error.hint if name else "a model needs a name"
    if free_name(name) != name:
        return f"a model named {name} exists; {free_name(name)} is free"
    return ""


def _parsed(texts: Mapping[str, str], kind: Architecture) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the valid values, and why the others are invalid."""
    names = form_fields(kind)
    own = fields_of(kind).keys() & names.keys()
    values, wrong = parse_all(kind(), {name: texts[name] for name in names if name in own})
    others, wrong_others = parse_all(TrainingSettings(), {name: texts[name] for name in names if name not in own})
    problems = wrong | wrong_others
    said = {name: problems[name].problem if texts[name].strip() else "is empty" for name in names if name in problems}
    return values | others, said


def _problems(settings: ArchitectureSettings | TrainingSettings) -> dict[str, str]:
    """Return which settings do not fit together, and why."""
    return {found.field: f"{found.message}; {found.hint}" for found in rules.problems(settings)}


def _start_problem(training: TrainingSettings, origin: Origin | None) -> dict[str, str]:
    try:
        check_start(training, origin.model if origin else None)
    except UsageError as error:
        return {error.setting: f"{error.problem}; {error.hint}"}
    return {}


def _tokenizer_problem(name: str) -> dict[str, str]:
    try:
        choice = tokenizer_choice(name)
        if choice.kind == "file":
            file_size(typed_path(choice.path))
    except (UsageError, StorageError) as error:
        problem = error.problem if isinstance(error, UsageError) else error.message
        return {"tokenizer": f"{problem}; {error.hint}"}
    return {}


def _length_problem(characters: int, block_size: int, validation_share: float) -> dict[str, str]:
    try:
        check_length(characters, block_size, validation_share)
    except CorpusError as error:
        return {"block_size": f"{error.message}; {error.hint}"}
    return {}
