"""What a run would take, and what may be wrong with it, before it starts; no torch: a form shows it live."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from tinygpt_tui.corpora.read import LARGEST_IN_MEMORY, is_pairs
from tinygpt_tui.doctor.survey import too_many_characters
from tinygpt_tui.events.training import Finding
from tinygpt_tui.planning.cost import evaluation_seconds, memory_bytes, sample_seconds, step_seconds, trains_natively
from tinygpt_tui.planning.evaluation_plan import evaluation_spacing, evaluation_tokens, judged_tokens
from tinygpt_tui.planning.machine import Machine
from tinygpt_tui.planning.time_budget import EVALUATIONS_SHARE, FEWEST, MOST
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.tokenizer import CHARACTERS
from tinygpt_tui.settings.training import BY_DOCUMENT, TrainingSettings
from tinygpt_tui.tokenizers.ids import id_type
from tinygpt_tui.words import duration, printable, ratio, shortened, size

FEW_JUDGES = 3000  # tokens in the validation split
FEW_WINDOWS = 4  # batches in one round through the text
POOR = 1.0  # tokens of text per parameter, below which a model can memorise a text …
MANY_ROUNDS = 8  # … if it reads it this often
TOO_MANY_ROUNDS = 100
MANY_EPOCHS_FROM_MODEL = 12
TORCH_BYTES = 250e6  # what importing torch and this package takes
ONCE_SHOWN = 12
LARGEST_SHARE = 0.25  # of a short text that may be its validation split


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would take; `memory` in bytes, in addition to what torch and the text take."""

    parameters: int
    train_tokens: int
    validation_tokens: int
    tokens_per_step: int
    steps: int
    step_s: float
    evaluations: int
    seconds: float
    memory: float
    text_memory: float = 0.0  # of the text's ids; those of a large text stay in a file

    @property
    def all_memory(self) -> float:
        """What the whole process needs: the training, its text, and the library itself."""
        return self.memory + self.text_memory + TORCH_BYTES

    @property
    def tokens(self) -> int:
        """All tokens that are trained on, with repetitions."""
        return self.tokens_per_step * self.steps

    @property
    def epochs(self) -> float:
        """How often the text is read."""
        return self.tokens / max(1, self.train_tokens)

    @property
    def tokens_per_parameter(self) -> float:
        """Different tokens of text for each parameter."""
        return self.train_tokens / max(1, self.parameters)


def read_apart(settings: TrainingSettings, path: str, documents: int) -> int:
    """Return how many of the `documents` of the text at `path` are rows of their own; 0: windows begin anywhere."""
    apart = settings.windows in BY_DOCUMENT or (settings.windows == "auto" and is_pairs(path))
    return documents if apart else 0


def estimate(
    settings: TrainingSettings,
    tokens: int,
    machine: Machine,
    measured_step_s: float | None = None,
    *,
    documents: int = 0,
) -> Estimate:
    """Return what `settings` would take on a text of `tokens`; a measured step time replaces the computed one.

    `documents` are read one in a row; with 0 every row is a whole window.
    """
    train = int(tokens * (1 - settings.validation_share))
    validation = tokens - train
    length = settings.architecture.training_length
    row = min(length, tokens / documents) if documents else length
    per_step = round(settings.batch_size * row)
    # A batch is as long as its longest row: about half way between the mean one and a window.
    filled = max(1, round(settings.batch_size * (row + length) / (2 * length)))
    computed_s = step_seconds(msgspec.structs.replace(settings, batch_size=filled), machine)
    step_s = measured_step_s if measured_step_s is not None else computed_s
    slower = step_s / max(computed_s, 1e-9)
    budget_s = settings.minutes * 60
    if budget_s:
        settings = msgspec.structs.replace(settings, steps=max(1, round(budget_s / max(step_s, 1e-9))))
    read = evaluation_tokens(settings, validation)
    whole_s = slower * evaluation_seconds(settings, judged_tokens(settings, validation), machine)
    part_s = slower * evaluation_seconds(settings, read, machine) if read else whole_s
    each_s = part_s + slower * sample_seconds(settings, machine)
    if budget_s:
        afford = (EVALUATIONS_SHARE * budget_s - whole_s + part_s) / max(each_s, 1e-9)
        evaluations = int(min(max(afford, FEWEST), MOST))
        steps = max(1, int((budget_s - evaluations * each_s - whole_s + part_s) / max(step_s, 1e-9)))
        seconds = budget_s
    else:
        steps = settings.steps
        evaluations = 1 + math.ceil(steps / evaluation_spacing(settings, validation, read))
        seconds = steps * step_s + evaluations * each_s + whole_s - part_s
    ids = tokens * id_type(settings.architecture.vocab_size).itemsize
    return Estimate(
        parameters=count_parameters(settings.architecture),
        train_tokens=train,
        validation_tokens=validation,
        tokens_per_step=per_step,
        steps=steps,
        step_s=step_s,
        evaluations=evaluations,
        seconds=seconds,
        memory=memory_bytes(settings, trains_natively(settings, machine.threads)),
        text_memory=ids if ids <= LARGEST_IN_MEMORY else 0,
    )


def warnings(
    settings: TrainingSettings,
    found: Estimate,
    rare: str = "",
    free_memory: float = math.inf,
    *,
    fine_tuned: bool = False,
) -> list[str]:
    """Return what may be wrong, in words; `rare` are the characters that the text has only once."""
    return [finding.text for finding in advice(settings, found, rare, free_memory, fine_tuned=fine_tuned)]


def advice(
    settings: TrainingSettings,
    found: Estimate,
    rare: str = "",
    free_memory: float = math.inf,
    *,
    fine_tuned: bool = False,
) -> list[Finding]:
    """Return what may be wrong, with the settings that would help, if any.

    `fine_tuned`: the run starts from a model, which needs few epochs.
    """
    found_wrong: list[Finding] = []

    def warn(check: str, text: str, remedy: dict[str, str] | None = None) -> None:
        found_wrong.append(Finding(0, check, "warning", text, remedy=remedy or {}))

    net = settings.architecture
    row = max(1, found.tokens_per_step // settings.batch_size)
    windows = found.train_tokens // row
    if found.all_memory > free_memory:
        smaller = {"batch_size": str(settings.batch_size // 2)} if settings.batch_size > 1 else {}
        warn(
            "memory",
            f"it needs about {size(found.all_memory)} of memory, and {size(free_memory)} are free: lower batch size",
            smaller,
        )
    if settings.tokenizer == CHARACTERS and not fine_tuned:
        many = too_many_characters(net.vocab_size, found.train_tokens)
        found_wrong += [many] if many is not None else []
    if windows < FEW_WINDOWS * settings.batch_size:
        fewer = max(1, windows // FEW_WINDOWS)
        warn(
            "short-text",
            f"the text is short: {windows} window{'s' * (windows != 1)} of {row}, and a step takes "
            f"{settings.batch_size}; a smaller block size or batch size would show more of it",
            {"batch_size": str(fewer)} if fewer < settings.batch_size else {},
        )
    if found.validation_tokens < FEW_JUDGES:
        share = round(min(LARGEST_SHARE, FEW_JUDGES / max(1, found.train_tokens + found.validation_tokens)), 2)
        warn(
            "judges",
            f"the validation split has only {found.validation_tokens:,} {units(settings)}: its loss is a rough figure",
            {"validation_share": f"{share:g}"} if share > settings.validation_share else {},
        )
    called = units(settings)
    poor = found.tokens_per_parameter < POOR and found.epochs > MANY_ROUNDS
    most = MANY_EPOCHS_FROM_MODEL if fine_tuned else TOO_MANY_ROUNDS
    if fine_tuned and found.epochs > most:
        warn(
            "rounds",
            f"{ratio(found.epochs)} epochs: a run that starts from a model needs {most:g} at most, then it memorises "
            "the text",
            {"steps": str(max(1, int(found.steps * most / found.epochs)))},
        )
    elif poor and net.dropout < 0.1:
        warn(
            "by-heart",
            f"{ratio(found.tokens_per_parameter)} {called} for each parameter and {ratio(found.epochs)} epochs: "
            "it will memorise the text; a smaller model or a dropout of 0.2 helps",
            {"dropout": "0.2"} if "dropout" in net.__struct_fields__ else {},
        )
    elif found.epochs > most:
        enough = max(1, int(found.steps * most / found.epochs))
        warn(
            "rounds",
            f"{ratio(found.epochs)} epochs: fewer steps would do, or a longer text",
            {"steps": str(enough)} | ({"minutes": "0"} if settings.minutes else {}),
        )
    if rare:
        several, shown = len(rare) > 1, printable("".join(sorted(rare)), lines=False)
        warn(
            "rare",
            f"{len(rare)} character{'s' * several} {'occur' if several else 'occurs'} only once "
            f"({shortened(shown, ONCE_SHOWN)}): the model cannot learn {'them' if several else 'it'}",
        )
    return found_wrong


def rare_in(counts: Mapping[str, int]) -> str:
    """Return the characters that occur only once."""
    return "".join(sorted(character for character, count in counts.items() if count == 1))


def units(settings: TrainingSettings) -> str:
    """Return what a run's tokens are called."""
    return "characters" if settings.tokenizer == CHARACTERS else "tokens"


def _step_words(seconds: float) -> str:
    if seconds >= 10:
        return duration(seconds)
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def in_words(settings: TrainingSettings, found: Estimate, machine: Machine, free_memory: float) -> list[str]:
    """Return the estimate line by line, for a terminal."""
    how = (
        "by the clock"
        if settings.minutes
        else "measured here"
        if machine.measured
        else "guessed: not measured here yet"
    )
    called = units(settings)
    return [
        f"{found.parameters:,} parameters; needs about {size(found.all_memory)} of memory, you have "
        f"{size(free_memory)} free",
        f"about {duration(found.seconds)} ({how}): {found.steps:,} steps of {found.tokens_per_step:,} "
        f"{called}, {_step_words(found.step_s)} each, "
        f"and {found.evaluations} evaluations",
        f"{ratio(found.epochs)} epochs, {ratio(found.tokens_per_parameter)} {called} of text for each parameter",
    ]
