"""What a run learns from another model: its probabilities for the next token (Hinton, Vinyals, Dean 2015)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.corpora.batches import Batches, Windows
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.settings.training import TrainingSettings

MOST_SAVED = 1 << 27  # probabilities: a quarter of a gigabyte


class Teacher:
    """Learned by cross entropy, which differs from the KL divergence only by what no weight changes.

    Of a text that is not too long the probabilities are computed once for each place, when it is first read, and saved
    in half precision. The teacher has then read at least half a window before each place, also where the run's window
    begins there: its answers are better, and cost nothing when the text is read again.
    """

    def __init__(self, model: LanguageModel, corpus: Corpus, batches: Batches, settings: TrainingSettings) -> None:
        """`model` is on the device of the run."""
        self.model, self._batches, self._size = model, batches, settings.batch_size
        length = settings.architecture.training_length
        self._span = min(length, model.block_size or length)
        self._block = max(1, self._span // 2)
        count = len(corpus.train)
        self._saved: Tensor | None = None
        if isinstance(batches, Windows) and count >= self._span and count * model.vocab_size <= MOST_SAVED:
            self._ids = torch.from_numpy(np.asarray(corpus.train, dtype=np.int64))
            self._saved = torch.empty(count, model.vocab_size, dtype=torch.float16, device=model.device)
            self._known = np.zeros(-(-count // self._block), dtype=bool)  # by block

    @torch.no_grad()
    def probabilities(self, inputs: Tensor, step: int) -> Tensor:
        """Return what it expects after each of `inputs` (B, T), which are those of `step`, as (B T, V)."""
        if self._saved is None:
            return self._answers(inputs).flatten(0, 1)
        assert isinstance(self._batches, Windows)
        starts = self._batches.starts(step * self._size, self._size)
        places = (starts[:, None] + np.arange(inputs.shape[1])).ravel()
        blocks = np.unique(places // self._block)
        self._learn(blocks[~self._known[blocks]])
        return self._saved[torch.from_numpy(places).to(self._saved.device)].float()

    def _learn(self, blocks: NDArray[np.int64]) -> None:
        """Compute and save the probabilities after each token of some blocks."""
        if not len(blocks):
            return
        assert self._saved is not None
        count = len(self._saved)
        first = (blocks * self._block - (self._span - self._block)).clip(0, count - self._span)
        windows = self._ids[torch.from_numpy(first[:, None] + np.arange(self._span))]
        for block, start, answers in zip(blocks, first, self._answers(windows.to(self._saved.device)), strict=True):
            begin, end = block * self._block, min((block + 1) * self._block, count)
            self._saved[begin:end] = answers[begin - start : end - start].half()
        self._known[blocks] = True

    def _answers(self, ids: Tensor) -> Tensor:
        answers: Tensor = self.model(ids).float().softmax(-1)
        return answers
