"""Which model, batch and rates suit a number of minutes, a text and this machine; no torch.

At a fixed time smaller and shallower wins: a model too large for its time has seen too little at the end. And a text
that is read many times is memorised, unless the model is small or has dropout; n-gram tables memorise fastest, and pay
only if a text is read a few times.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tinygpt_tui.planning.cost import evaluation_seconds, step_seconds
from tinygpt_tui.planning.estimate import estimate
from tinygpt_tui.planning.machine import Machine
from tinygpt_tui.planning.time_budget import FEWEST
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.settings.training import TrainingSettings

NGRAM_ROWS = 16_384
TABLES_PAY_ROUNDS = 4.0  # rounds through the text beyond which n-gram tables only memorise it
SMALLEST_BLOCK = 8
WINDOWS_IN_TEXT = 16  # at least this many windows must fit the text


@dataclass(frozen=True)
class Size:
    """What suits runs of up to `seconds` on the core of the cost model."""

    seconds: float
    n_layer: int
    n_head: int
    n_embd: int
    block_size: int
    batch_size: int
    learning_rate: float
    head_rate: float
    embedding_rate: float


SIZES = (
    Size(20, 2, 4, 64, 64, 8, 2e-2, 2e-2, 4e-2),
    Size(150, 3, 4, 96, 128, 4, 2e-2, 2e-2, 4e-2),
    Size(720, 4, 4, 96, 128, 8, 1.2e-2, 1e-2, 2e-2),
    Size(10_800, 4, 4, 128, 128, 8, 1.2e-2, 1e-2, 2e-2),
    Size(float("inf"), 6, 6, 192, 256, 8, 8e-3, 8e-3, 1.5e-2),
)
# A larger model learns nothing more from a text this short: characters, and the largest index in SIZES.
LARGEST = ((60_000, 1), (300_000, 2), (3_000_000, 3))
# Dropout by rounds through the text.
DROPOUTS = ((4.0, 0.0), (12.0, 0.1), (40.0, 0.2), (100.0, 0.3), (float("inf"), 0.4))
# With this much dropout the weights are decayed more, too.
FORGETFUL, STRONG_DECAY = 0.3, 0.5
# A text read this often has nothing new: a run that no longer improves may end before its time.
WORN_OUT_ROUNDS, PATIENCE = 300.0, 10
# Evaluating on a tenth of a long text can take longer than there is time: then the validation split is smaller.
JUDGING_SHARE, FEWEST_JUDGES = 0.2, 10_000


def fitted(minutes: float, characters: int, vocab_size: int, machine: Machine) -> TrainingSettings:
    """Return the training that learns most of such a text in `minutes` on `machine`."""
    base = ALL_PRESETS["modern"].training
    slowness = step_seconds(base, machine) / step_seconds(base, Machine())
    place = next(i for i, size in enumerate(SIZES) if minutes * 60 / slowness <= size.seconds)
    place = min([place, *(largest for length, largest in LARGEST if characters < length)])
    size = SIZES[place]
    block = size.block_size
    while block > SMALLEST_BLOCK and 2 * block * WINDOWS_IN_TEXT > characters:
        block //= 2
    with_tables = TrainingSettings(
        architecture=msgspec.structs.replace(
            base.architecture,
            vocab_size=vocab_size,
            n_layer=size.n_layer,
            n_head=size.n_head,
            n_embd=size.n_embd,
            block_size=block,
            dropout=0.0,
            ngram_rows=NGRAM_ROWS,
        ),
        minutes=minutes,
        batch_size=size.batch_size * size.block_size // block,
        learning_rate=size.learning_rate,
        head_rate=size.head_rate,
        embedding_rate=size.embedding_rate,
    )
    with_tables = with_few_judges(with_tables, characters, machine)
    if estimate(with_tables, characters, machine).epochs <= TABLES_PAY_ROUNDS:
        return _with_steps(with_tables, characters, machine)
    plain = _with(with_tables, ngram_rows=0)
    rounds = estimate(plain, characters, machine).epochs
    dropout = next(share for most, share in DROPOUTS if rounds <= most)
    decay = STRONG_DECAY if dropout >= FORGETFUL else plain.weight_decay
    patience = PATIENCE if rounds > WORN_OUT_ROUNDS else 0
    forgetful = msgspec.structs.replace(_with(plain, dropout=dropout), weight_decay=decay, patience=patience)
    return _with_steps(forgetful, characters, machine)


def with_few_judges(settings: TrainingSettings, characters: int, machine: Machine) -> TrainingSettings:
    """Return a run by the clock on such a text, whose validation part is small enough for its time."""
    judging_s = FEWEST * evaluation_seconds(settings, 1, machine)
    judges = max(JUDGING_SHARE * settings.minutes * 60 / judging_s, FEWEST_JUDGES)
    share = min(settings.validation_share, judges / characters)
    return msgspec.structs.replace(settings, validation_share=round(share, 3) or 0.001)


def _with(settings: TrainingSettings, **changes: float) -> TrainingSettings:
    architecture = msgspec.structs.replace(settings.architecture, **changes)
    return msgspec.structs.replace(settings, architecture=architecture)


def _with_steps(settings: TrainingSettings, characters: int, machine: Machine) -> TrainingSettings:
    """Set how many steps will fit: the schedule uses it until the first steps are measured."""
    return msgspec.structs.replace(settings, steps=estimate(settings, characters, machine).steps)
