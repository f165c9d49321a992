"""A run on conversations: replies alone are learned and judged, it resumes exactly, and the model answers."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from makers import make_run, small_training

from tinygpt_tui.checkpoints.native import load
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.corpora.formats import Choices
from tinygpt_tui.corpora.gathering import gathering
from tinygpt_tui.corpora.read import read_text
from tinygpt_tui.corpora.replies import targets_of
from tinygpt_tui.corpora.rows import IGNORED, Rows
from tinygpt_tui.events.training import Calibrated, RunEnded, Sample, Step, TrainingEvent
from tinygpt_tui.progress import exhausted
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import CorpusReference, RunFolder
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer
from tinygpt_tui.training.distributed import ProcessGroup
from tinygpt_tui.training.evaluate import summed_losses, whole_loss
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.run import run_training
from tinygpt_tui.training.vocabulary import tokenizer_for


@pytest.fixture
def gathered(tmp_path: Path) -> Path:
    """Conversations whose questions are noise: a model that learns them learns nothing else."""
    random = np.random.default_rng(1)
    lines = []
    for _ in range(200):
        said = "".join(random.choice([*"abcdefgh"], 12))
        turns = [{"role": "user", "content": said}, {"role": "assistant", "content": f"yes {said[0]}"}]
        lines.append(json.dumps({"messages": turns}))
    path = tmp_path / "chat.jsonl"
    path.write_text("\n".join(lines))
    return Path(exhausted(gathering([str(path)], Choices())).path)


def corpus_of(gathered: Path, training: TrainingSettings) -> tuple[TrainingSettings, Corpus]:
    text = read_text(gathered)
    corpus = text.split(training, tokenizer_for("characters", text))
    architecture = msgspec.structs.replace(training.architecture, vocab_size=corpus.tokenizer.size)
    return msgspec.structs.replace(training, architecture=architecture), corpus


def new_run(gathered: Path, name: str = "chat", **changes: object) -> RunFolder:
    run = make_run(name, **changes)
    corpus = CorpusReference(name="chat", path=str(gathered))
    run.write_settings(msgspec.structs.replace(run.read_settings(), corpus=corpus))
    return run


def test_the_loss_is_that_of_the_replies(gathered: Path) -> None:
    training, corpus = corpus_of(gathered, small_training(block_size=8))
    run = Training(training, corpus, torch.device("cpu"))
    ids = corpus.validation
    inputs, targets = targets_of(ids, np.zeros(1, np.int64), len(ids) - 1, corpus.replies)
    found = []
    with torch.no_grad():
        for start in range(0, len(ids) - 1, 8):
            logits = run.model.eval()(torch.from_numpy(inputs[:, start : start + 8].copy()))[0].double()
            for row, target in zip(logits, targets[0, start : start + 8], strict=True):
                if target != IGNORED:
                    found.append(float(row.logsumexp(0) - row[target]))
    assert whole_loss(run.model, ids, 8, corpus.replies) == pytest.approx(np.mean(found), rel=1e-5)
    pieces = list(summed_losses(run.model, Rows.side_by_side(ids, 8, corpus.replies)))
    assert sum(piece.learned for piece in pieces) == len(found)
    assert sum(piece.tokens for piece in pieces) == len(ids) - 1
    assert whole_loss(run.model, ids, 8) != pytest.approx(np.mean(found), rel=1e-3)


class _OneOfTwo(ProcessGroup):
    """A process that never meets the other."""

    def mean(self, model: torch.nn.Module, loss: torch.Tensor, count: int) -> torch.Tensor:
        return loss.detach()


def test_the_gradients_of_two_processes_are_those_of_the_batch(gathered: Path) -> None:
    training, corpus = corpus_of(gathered, small_training(block_size=8, batch_size=5))

    def gradients(group: ProcessGroup) -> torch.Tensor:
        run = Training(training, corpus, torch.device("cpu"), group=group)
        run.gradients.add(run.step)
        return torch.cat([weight.grad.reshape(-1) for weight in run.model.parameters() if weight.grad is not None])

    groups = [_OneOfTwo(rank, 2) for rank in range(2)]
    together = sum(gradients(group) * group.share(5) for group in groups)
    assert isinstance(together, torch.Tensor)
    assert torch.allclose(together, gradients(ProcessGroup()), atol=1e-6)


def test_it_resumes_exactly_and_the_model_answers(gathered: Path) -> None:
    def events_of(run: RunFolder, stop: int = 0) -> list[TrainingEvent]:
        found = []
        for event in run_training(run.model):
            found.append(event)
            if stop and isinstance(event, Step) and event.step == stop:
                Control(run.control).send("stop")
        return found

    wanted = {"steps": 24, "evaluate_every": 8, "sample_tokens": 12, "calibration_share": 0.3}
    whole = events_of(new_run(gathered, "whole", **wanted))
    run = new_run(gathered, "parts", **wanted)
    parts = events_of(run, stop=9)[:-1] + events_of(run)
    losses = [[event.loss for event in events if isinstance(event, Step)] for events in (whole, parts)]
    assert losses[0] == losses[1]
    ended = whole[-1]
    assert isinstance(ended, RunEnded)
    assert ended.reason == "finished"
    assert ended.best_loss is not None
    calibrated = next(event for event in whole if isinstance(event, Calibrated))
    assert calibrated.tokens < 600  # replies, of 1,300 tokens
    model = load(run.model)
    assert isinstance(model.tokenizer, DialogueTokenizer)
    _, corpus = corpus_of(gathered, run.read_settings().training)
    judged = whole_loss(model.model, corpus.validation, 8, corpus.replies)
    assert calibrated.validation_loss == pytest.approx(judged, rel=1e-4)
    sample = [event for event in whole if isinstance(event, Sample)][-1].text
    assert sample.startswith("user: ")
    assert "\nassistant: " in sample
