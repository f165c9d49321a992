"""The tokenizer of a run: made from its text or read from a file, saved with the model, and used again."""

from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import pytest
from makers import TEXT, make_run, split

from tinygpt_tui.checkpoints.card import read_config
from tinygpt_tui.checkpoints.vocabulary import open_tokenizer
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.errors import CorpusError, UsageError
from tinygpt_tui.events.training import Evaluation, RunStarted, Step
from tinygpt_tui.runs.control import Control
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.history import RunHistory
from tinygpt_tui.tokenizers.bpe import BPETokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.training.run import run_training
from tinygpt_tui.training.vocabulary import count_tokens, file_size, tokenizer_for, whole_path

WORDS = "the old fox and the wet dog, naïve as ever, sat on the mat.\n" * 60


def made(name: str, text: str = WORDS, share: float = 0.1) -> object:
    return tokenizer_for(name, CorpusText.of(text), share).to_dict()


def with_tokenizer(name: str) -> RunFolder:
    run = make_run()
    settings = run.read_settings()
    run.write_settings(
        msgspec.structs.replace(settings, training=msgspec.structs.replace(settings.training, tokenizer=name))
    )
    return run


def test_each_name_is_made_from_the_text_and_never_from_what_judges() -> None:
    assert made("characters") == CharTokenizer.of(WORDS).to_dict()
    assert made("bytes") == {"name": "byte"}
    assert made("bpe:300") == BPETokenizer.trained_on(WORDS[: int(len(WORDS) * 0.9)], 300).to_dict()
    assert made("bpe:300", WORDS[:1800] + "zq" * 100) == made("bpe:300", WORDS[:1800] + "kx" * 100)
    assert made("bpe:300", share=0.05) == made("bpe:300")  # a smaller split changes nothing


def test_a_file_is_ours_or_another_programs(tmp_path: Path) -> None:
    own = BPETokenizer.trained_on(WORDS, 280)
    place = tmp_path / "ours.json"
    place.write_text(json.dumps(own.to_dict()), encoding="utf-8")
    assert made(str(place)) == own.to_dict()
    assert file_size(place) == 280
    (tmp_path / "model").mkdir()
    place.rename(tmp_path / "model" / "tokenizer.json")
    assert made(str(tmp_path / "model")) == own.to_dict()
    assert whole_path("x.json") == str(Path.cwd() / "x.json")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("none.json", None, "there is no file"), ("bad.json", "{", "bad.json"), ("odd.json", "{}", "describes no vocab")],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=said) as refused:
        made(str(tmp_path / name))
    assert refused.value.hint


def test_a_text_is_split_at_the_same_character_whatever_its_tokens() -> None:
    text = WORDS * 2
    for tokenizer in (CharTokenizer.of(text), BPETokenizer.trained_on(text, 300)):
        corpus = split(text, 8, 0.1, tokenizer)
        judged = b"".join(tokenizer.bytes_of(int(id)) for id in corpus.validation).decode()
        assert judged == text[int(len(text) * 0.9) :]
        assert count_tokens(CorpusText.of(text), tokenizer) == pytest.approx(
            len(corpus.train) + len(corpus.validation), rel=0.02
        )
        assert corpus.characters_per_token == pytest.approx(len(judged) / len(corpus.validation))
    with pytest.raises(CorpusError, match="a window of 5000"):
        split(text, 5000, 0.1, tokenizer)


@pytest.mark.torch
def test_a_run_saves_its_tokens_and_reports_losses_per_character(tmp_path: Path) -> None:
    place = tmp_path / "tokenizer.json"
    place.write_text(json.dumps(BPETokenizer.trained_on(TEXT, 270).to_dict()), encoding="utf-8")
    run = with_tokenizer(str(place))
    events = []
    for event in run_training(run.model):
        events.append(event)
        if isinstance(event, Step) and event.step == 5:
            Control(run.control).send("stop")
    place.unlink()  # the model has its own copy, also to resume with
    events += run_training(run.model)
    started = [event for event in events if isinstance(event, RunStarted)]
    config = read_config(run.model)
    assert started[0].characters_per_token == started[1].characters_per_token > 1
    assert open_tokenizer(run.model, config).size == config.architecture.vocab_size == 270
    last = [event for event in events if isinstance(event, Evaluation)][-1]
    history = RunHistory()
    history.add(events)
    assert history.last_evaluation is not None
    assert history.best is not None
    assert history.last_evaluation.validation_loss == last.validation_loss / history.characters_per_token
    assert config.trained is not None
    assert config.trained.loss_per_character == pytest.approx(history.best[1])
    first = history.validation_losses[1][0] * history.characters_per_token
    assert first == pytest.approx(math.log(270), rel=0.1)
    assert " a token)" in "".join(history.log)
