"""A run that starts from another model's weights: its architecture, recipe and vocabulary; no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tinygpt_tui.checkpoints.card import WEIGHTS, is_native, read_config
from tinygpt_tui.checkpoints.library import find_model
from tinygpt_tui.checkpoints.vocabulary import open_tokenizer
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.corpora.roles import with_roles
from tinygpt_tui.errors import CheckpointError, TinyGPTError, UsageError
from tinygpt_tui.foreign.calibration_cache import inspect_calibrated
from tinygpt_tui.runs.folder import RunFolder, RunSettings, StartingModel
from tinygpt_tui.settings.architecture import CHANGES_NO_WEIGHT, ArchitectureSettings
from tinygpt_tui.settings.fields import fields_of
from tinygpt_tui.settings.presets import CALIBRATION_SHARE
from tinygpt_tui.settings.tokenizer import CHARACTERS
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.dialogues import MARKS, DialogueTokenizer
from tinygpt_tui.tokenizers.documents import DocumentTokenizer, is_of_characters

FREE = CHANGES_NO_WEIGHT  # settings that may differ from the starting model's
RATE = 0.3  # of the recipe's rates: what the model knows must not be lost
STEPS = 0.25  # of the recipe's steps, at most
FEWEST_STEPS = 16
# Epochs by the size of the text in characters: a short one is memorised soon, a long one stays new for longer.
EPOCHS = ((30_000, 6.0), (300_000, 8.0), (3_000_000, 4.0), (math.inf, 1.0))
ONE_PROCESS = "a run that learns from a model is trained by one process"
DROPOUT_WITHOUT_TEACHERS = 0.1  # at least, of a model that was taught: a text alone is memorised sooner
PATIENCE = 5  # evaluations without a better one, of some eight to twenty-five


@dataclass(frozen=True)
class Origin:
    """A model to start from."""

    model: StartingModel
    architecture: ArchitectureSettings
    tokenizer: Tokenizer
    recipe: TrainingSettings | None

    def training(self, other: TrainingSettings, characters: int | None = None) -> TrainingSettings:
        """Return the settings to train this model on a text of `characters`, if known.

        It follows the recipe that the model was trained with, else `other`, at lower rates, for a few epochs.
        """
        recipe = self.recipe or other
        steps = max(FEWEST_STEPS, round(recipe.steps * STEPS))
        if characters is not None:
            learned = characters * (1 - recipe.validation_share)
            epoch = learned / (recipe.batch_size * self.architecture.training_length)
            steps = max(FEWEST_STEPS, min(steps, math.ceil(epochs_for(characters) * epoch)))
        return msgspec.structs.replace(
            recipe,
            architecture=self.architecture,
            tokenizer=self.tokenizer_setting,
            steps=steps,
            minutes=0.0,
            evaluate_every=0,
            calibration_share=recipe.calibration_share or CALIBRATION_SHARE,
            patience=PATIENCE,
            learning_rate=recipe.learning_rate * RATE,
            embedding_rate=recipe.embedding_rate * RATE,
            head_rate=recipe.head_rate * RATE,
            threads=0,
            device="auto",
        )

    @property
    def tokenizer_setting(self) -> str:
        """What the setting says: the model's own tokenizer is used, whatever made it."""
        if is_of_characters(self.tokenizer):
            return CHARACTERS
        return self.recipe.tokenizer if self.recipe and self.recipe.tokenizer != CHARACTERS else self.model.path

    def vocabulary_for(self, text: str) -> Tokenizer:
        """Return the model's tokenizer, extended by what `text` has besides, if it can be extended."""
        return for_text(self.tokenizer, text)


def epochs_for(characters: int) -> float:
    """Return how often a run that starts from a model reads a text of `characters` by default."""
    return next(epochs for most, epochs in EPOCHS if characters <= most)


def origin_of(name: str) -> Origin:
    """Return the model that `name` means, to start from. Raises NotFoundError, CheckpointError, StorageError."""
    path = find_model(name)
    if not is_native(path):
        found = inspect_calibrated(path)  # what headers leave open, the trainer measures
        start = StartingModel(name=found.name, path=str(path), tokens=found.tokenizer.size)
        return Origin(start, found.settings, found.tokenizer, None)
    path = path.parent if path.is_file() else path
    config = read_config(path)
    if not (path / WEIGHTS).is_file() and not (config.adapter and config.adapter.mixed):
        raise CheckpointError(f"{path.name} has no weights yet", "its training has just started; try again soon")
    run = _settings_of(path)
    start = StartingModel(
        name=path.name,
        path=str(path.resolve()),
        step=config.trained.step if config.trained else None,
        tokens=config.architecture.vocab_size,
    )
    if run is not None:
        share = run.training.validation_share
        start = msgspec.structs.replace(start, corpus=run.corpus, validation_share=share)
    net = config.architecture
    if run is not None and run.teachers:
        net = msgspec.structs.replace(net, dropout=max(net.dropout, DROPOUT_WITHOUT_TEACHERS))
    return Origin(start, net, open_tokenizer(path, config), run.training if run else None)


def check_teachers(typed: Mapping[str, Any], start: Origin | None, teachers: Sequence[Origin]) -> None:
    """Raise UsageError if a run cannot learn from the `teachers` together, with the settings that were typed."""
    if not teachers:
        return
    if "tokenizer" in typed:
        raise UsageError("the tokenizer is the teacher's", "leave it out", setting="tokenizer")
    if typed.get("processes", 1) > 1:
        raise UsageError(ONE_PROCESS, "leave it out", setting="processes")
    first, *others = [start, *teachers] if start else teachers
    for other in others:
        if other.tokenizer.to_dict() != first.tokenizer.to_dict():
            raise UsageError(
                f"{other.model.name} has another vocabulary than {first.model.name}",
                "choose models that were trained on the same text",
            )


def check_start(training: TrainingSettings, start: StartingModel | None) -> None:
    """Raise UsageError if a run without a starting model has settings that only one with it can have."""
    for name in ("lora", "mix_old"):
        if start is None and getattr(training, name):
            raise UsageError("needs a model to start from", "choose one (--from MODEL), or 0 here", setting=name)
    if start is not None and start.corpus is None and training.mix_old:
        raise UsageError(f"it is not known what {start.name} was trained on", "choose 0", setting="mix_old")


def check_typed(typed: dict[str, Any], origin: Origin) -> None:
    """Raise UsageError if the user typed a setting that the starting model decides."""
    if "tokenizer" in typed:
        raise UsageError(
            f"tokenizer: {origin.model.name} has its own",
            "a run that starts from a model keeps its tokenizer; leave the setting out",
        )
    for name in typed.keys() & fields_of(type(origin.architecture)).keys() - FREE:
        if typed[name] != getattr(origin.architecture, name):
            raise UsageError(
                f"{name.replace('_', ' ')}: {origin.model.name} has {getattr(origin.architecture, name)}",
                "a run that starts from a model keeps its architecture; leave the setting out",
            )


def with_architecture(training: TrainingSettings, architecture: ArchitectureSettings) -> TrainingSettings:
    """Return `training` with the architecture of its starting model, except for settings that change no weight."""
    free = {name: getattr(training.architecture, name, None) for name in FREE & set(architecture.__struct_fields__)}
    known = {name: value for name, value in free.items() if value is not None}
    return msgspec.structs.replace(training, architecture=msgspec.structs.replace(architecture, **known))


def new_to(tokenizer: Tokenizer, text: str) -> str:
    """Return the characters of `text` that a run adds to the vocabulary of its starting model, in order."""
    if isinstance(tokenizer, DocumentTokenizer):
        return new_to(tokenizer.inner, text)
    text = MARKS.sub("", text)
    return "".join(sorted(tokenizer.unknown_in(text))) if isinstance(tokenizer, CharTokenizer) else ""


def for_text(tokenizer: Tokenizer, text: str) -> Tokenizer:
    """Return `tokenizer` with the characters of `text` that it lacks; one that is not of characters stays as it is."""
    if isinstance(tokenizer, DocumentTokenizer):
        inner = for_text(tokenizer.inner, MARKS.sub("", text))
        return tokenizer if inner is tokenizer.inner else tokenizer.around(inner)
    return tokenizer.extended(text) if isinstance(tokenizer, CharTokenizer) else tokenizer


def text_for(tokenizer: Tokenizer, found: CorpusText) -> CorpusText:
    """Return a text as a run that starts from a model reads it: without boundaries where it has no token for them.

    Raises UsageError if one of the two has turns and the other has not, or other roles.
    """
    if isinstance(tokenizer, DialogueTokenizer):
        return with_roles(tokenizer, found)
    if found.roles is not None:
        raise UsageError(
            "the text is of conversations, and the model has no tokens for their roles",
            "train a new model (without --from), start from one with roles, or read the turns as plain text: "
            "--turns none",
        )
    return found if not found.documents or isinstance(tokenizer, DocumentTokenizer) else found.joined()


def _settings_of(model: Path) -> RunSettings | None:
    try:
        return RunFolder(model).read_settings()
    except TinyGPTError:
        return None
