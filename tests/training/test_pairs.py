"""Pairs are trained and judged on their answers; the share of right ones is that of greedy decoding."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch
from makers import tiny_gpt

from tinygpt_tui.corpora.corpus import Corpus, CorpusText
from tinygpt_tui.corpora.rows import Rows
from tinygpt_tui.events.training import Evaluation, Sample, Step
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.settings.architecture import ArchitectureSettings, BigramSettings, GRUSettings
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.documents import BOUNDARY, SEPARATOR, separator_of
from tinygpt_tui.training.evaluate import Answers, summed_losses
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.vocabulary import tokenizer_for

NETS: dict[str, ArchitectureSettings] = {
    "gpt": tiny_gpt(),
    "sliding": tiny_gpt(positions="rotary", sliding=True),
    "gru": GRUSettings(block_size=8, n_layer=1, n_embd=16, n_hidden=24),
    "bigram": BigramSettings(block_size=8),
}


def pairs(net: ArchitectureSettings, steps: int = 150) -> tuple[TrainingSettings, Corpus]:
    """A corpus of letters and their successors, and settings for it."""
    text = "".join(f"{a}{b}{SEPARATOR}{b}{BOUNDARY}" for b in "abcdefgh" for a in "abcdefgh")
    found = CorpusText.of(text, documents=64)
    tokenizer = tokenizer_for("characters", found)
    training = TrainingSettings(
        architecture=msgspec.structs.replace(net, vocab_size=tokenizer.size), windows="pairs", steps=steps,
        batch_size=16, optimizer="adamw", learning_rate=2e-2, evaluate_every=50,
    )  # fmt: skip
    return training, found.split(training, tokenizer)


@pytest.mark.parametrize("net", NETS.values(), ids=NETS.keys())
def test_any_architecture_learns_answers(net: ArchitectureSettings) -> None:
    training, corpus = pairs(net)
    run = Training(training, corpus, torch.device("cpu"))
    events = list(run.events())
    evaluations = [event for event in events if isinstance(event, Evaluation)]
    assert all(event.right is not None and 0 <= event.right <= 1 for event in evaluations)
    separator, answers = separator_of(corpus.tokenizer), Answers()
    assert separator is not None
    list(summed_losses(run.model, Rows.of_pairs(corpus.train, 8, separator), answers=answers))
    assert (answers.share == 1.0) == (not isinstance(net, BigramSettings))  # which does not see the question
    lines = [event.text for event in events if isinstance(event, Sample)][-1].splitlines()
    assert len(lines) == 5
    for line in lines:
        question, _, found = line.partition(SEPARATOR)
        assert found == question[1] or found.endswith(f"(not {question[1]})")
    history = RunHistory()
    history.add([event for event in events if isinstance(event, Step | Evaluation)])
    assert history.has_answers
    assert history.right_answers[1][-1] == evaluations[-1].right


def test_the_right_answers_are_those_of_greedy_decoding() -> None:
    training, corpus = pairs(tiny_gpt(), steps=12)
    run = Training(training, corpus, torch.device("cpu"))
    for _ in range(training.steps):
        run.take_step()
    separator = separator_of(corpus.tokenizer)
    assert separator is not None
    rows, answers = Rows.of_pairs(corpus.train, 8, separator), Answers()
    list(summed_losses(run.model, rows, answers=answers))
    right = 0
    for document in np.split(corpus.train, np.flatnonzero(corpus.train == 0) + 1)[:-1]:
        ids = [0, *document[:3].tolist()]
        while len(ids) < len(document) + 1:
            with torch.no_grad():
                ids.append(int(run.model(torch.tensor([ids]))[0, -1].argmax()))
        right += ids[1:] == document.tolist()
    assert (answers.right, answers.rows) == (right, len(rows))
    assert 0 < right < len(rows)
