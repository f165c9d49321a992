"""The gradients of one step: its batch, the forward pass, the loss, and the backward pass."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.corpora.batches import Batches, MixedWindows, ShuffledRows, Windows
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.corpora.rows import IGNORED, rows_of
from tinygpt_tui.corpora.streams import MixedStreams, Streams, rows_of_old
from tinygpt_tui.settings.training import BY_DOCUMENT, TrainingSettings
from tinygpt_tui.tokenizers.documents import separator_of
from tinygpt_tui.training.compiling import Compiling
from tinygpt_tui.training.device import placed
from tinygpt_tui.training.distributed import ProcessGroup
from tinygpt_tui.training.precision import Precision
from tinygpt_tui.training.teacher import Teacher
from tinygpt_tui.training.truncated_bptt import TruncatedBPTT


class Gradients:
    """Adds the gradients of a step to a model; `bptt` has the state that a recurrent one carries between steps."""

    def __init__(
        self,
        model: LanguageModel,
        corpus: Corpus,
        settings: TrainingSettings,
        precision: Precision,
        compiling: Compiling,
        group: ProcessGroup,
        teacher: LanguageModel | None,
    ) -> None:
        """As for a Training; the `teacher`, if there is one, is on the model's device."""
        self.tokens_a_step, self.batches = _batches(corpus, settings)
        batches = self.batches
        self.bptt = TruncatedBPTT(batches) if isinstance(batches, Streams | MixedStreams) else None
        self._model = model
        self._teacher = None if teacher is None else Teacher(teacher, corpus, batches, settings)
        self._batch_size = settings.batch_size
        self._sums = corpus.replies is not None or settings.windows in BY_DOCUMENT
        self._precision, self._compiling, self._group = precision, compiling, group

    def add(self, step: int) -> Tensor:
        """Add the gradients of this process's share of the batch of `step`; return its loss, a scalar."""
        batch = self.batches.batch(step)
        learned = int((batch[1] != IGNORED).sum()) * self._group.share(self._batch_size)
        inputs, targets = (placed(part, self._model.device) for part in self._group.rows(batch))
        loss = self._loss(inputs, targets, learned, step)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def _loss(self, inputs: Tensor, targets: Tensor, learned: float, step: int) -> Tensor:
        """Return the mean loss, a scalar, of `inputs` and `targets` (B, T).

        Of conversations and documents it is the sum over `learned`, this process's share of the targets that are
        counted: a process may have more of them than another.
        """
        with self._precision():
            if self.bptt:
                logits = self.bptt.logits(self._model, inputs, step)
            else:
                logits = self._compiling.forward(self._model)(inputs)
            goals, logits = targets.reshape(-1), logits.float().flatten(0, 1)
            if self._teacher is not None:
                counted = goals != IGNORED
                goals, logits = self._teacher.probabilities(inputs, step)[counted], logits[counted]
        if not self._sums:
            return F.cross_entropy(logits, goals)
        return F.cross_entropy(logits, goals, reduction="sum") / max(learned, 1)


def _batches(corpus: Corpus, settings: TrainingSettings) -> tuple[float, Batches]:
    """Return how many tokens a step learns from, on average, and the batches of all steps."""
    length, size, seed, replies = (
        settings.architecture.training_length,
        settings.batch_size,
        settings.seed,
        corpus.replies,
    )
    mixes = bool(settings.mix_old and len(corpus.old))
    if settings.windows in BY_DOCUMENT:
        rows = rows_of(corpus.train, settings, length, replies, separator_of(corpus.tokenizer))
        return size * rows.tokens / len(rows), ShuffledRows(rows, size, seed)
    batches: Batches
    if settings.architecture.is_stateful:
        of_old = rows_of_old(size, settings.mix_old) if mixes else 0
        block_size = settings.architecture.block_size
        batches = streams = Streams(corpus.train, block_size, size - of_old, seed, replies)
        if of_old:
            batches = MixedStreams(streams, Streams(corpus.old, block_size, of_old, seed, replies))
    else:
        batches = windows = Windows(corpus.train, length, size, seed, replies)
        if mixes:
            batches = MixedWindows(windows, Windows(corpus.old, length, size, seed, replies), size, settings.mix_old)
    return float(size * length), batches
