"""The text that a starting model was trained on: what a run does to the loss on it, and how it is mixed in."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import msgspec
import numpy as np

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.native import checkpoint_of
from tinygpt_tui.checkpoints.stored import StoredModel, read_folder, read_model
from tinygpt_tui.corpora.read import read_text
from tinygpt_tui.corpora.replies import Replies
from tinygpt_tui.corpora.rows import Rows
from tinygpt_tui.errors import NotFoundError, UsageError
from tinygpt_tui.events.training import OldText, TrainingEvent
from tinygpt_tui.foreign.calibration_texts import FOLDER
from tinygpt_tui.runs.folder import RunSettings, StartingModel
from tinygpt_tui.runs.texts import text_of
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.ids import Ids
from tinygpt_tui.training.evaluate import summed_losses
from tinygpt_tui.training.fine_tuning import text_for
from tinygpt_tui.training.loop import Training

JUDGED = 20_000  # tokens of the old text's validation part
LARGEST = 100_000_000  # characters: a longer text is not read again only to be judged


def old_ids(start: StartingModel, training: TrainingSettings, tokenizer: Tokenizer) -> Ids:
    """Return the part of the old text that `start` was trained on. Raises UsageError if it is not on this machine."""
    assert start.corpus is not None, "checked before the run starts"
    try:
        found = text_for(tokenizer, text_of(start.corpus))
    except NotFoundError as error:
        raise UsageError(error.message, error.hint, setting="mix_old") from error
    training = msgspec.structs.replace(training, validation_share=start.validation_share)
    return found.split(training, tokenizer).train


def judging_old_text(model: Path, settings: RunSettings, training: Training) -> Generator[TrainingEvent, None, None]:
    """Yield what the run has done to the loss on the old text, if that text and the starting model are here.

    The best weights, those of the folder `model`, are judged. Raises TinyGPTError if one of them cannot be read.
    """
    if settings.start is None or (text := _validation_text(settings.start)) is None:
        return
    before = _loss(read_model(Path(settings.start.path), cached=True), text, training)
    after = _loss(read_folder(model), text, training)
    if before is not None and after is not None:
        name = settings.start.corpus.name if settings.start.corpus else settings.start.name
        yield OldText(training.step, name, before, after, settings.corpus.name)


def _validation_text(start: StartingModel) -> str | None:
    """Return the part of the old text that the starting model was not trained on; shipped pages if that is not here."""
    if start.corpus is None or start.corpus.characters > LARGEST:
        return None
    try:
        text = text_of(start.corpus).plain
    except NotFoundError:
        pages = paths.shipped_data() / FOLDER / f"{start.corpus.name}.txt"
        return read_text(pages).plain if pages.is_file() else None
    return text[int(len(text) * (1 - start.validation_share)) :]


def _loss(stored: StoredModel, text: str, training: Training) -> float | None:
    """Return the loss on a part of `text`, nats per character; None if a stop comes before the end."""
    model = checkpoint_of(stored, training.device).model
    ids = np.array(stored.tokenizer.encode(text), dtype=np.int64)
    replies = Replies.of(stored.tokenizer)
    rows = Rows.side_by_side(ids, stored.config.architecture.block_size, replies)
    chosen = rows.spread(JUDGED)
    pieces = list(training.commands.until_late(summed_losses(model, rows, chosen, chosen[:0])))
    total, count, learned = (sum(each) for each in zip(*pieces, strict=True)) if pieces else (0.0, 0, 0)
    if count < rows.tokens_in(chosen) or not learned:
        return None
    return total / learned * len(ids) / len(text)
