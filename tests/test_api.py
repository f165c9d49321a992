"""The Python API, with the shipped models."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

import tinygpt_tui
from tinygpt_tui import Model, load
from tinygpt_tui.checkpoints.library import list_models
from tinygpt_tui.errors import NotFoundError, UsageError
from tinygpt_tui.events.generation import Token
from tinygpt_tui.paths import shipped_models


@pytest.fixture(scope="module")
def small() -> Model:
    """The smallest shipped model."""
    return load("shakespeare-small")


def test_every_shipped_model_opens_and_writes() -> None:
    names = [card.name for card in list_models() if card.origin == "shipped"]
    assert {"shakespeare", "shakespeare-small", "tales"} <= set(names)
    for name in names:
        assert len(load(name).generate("The ", max_new_tokens=5, seed=1)) == 5


def test_a_model_opens_by_name_by_folder_and_by_file(small: Model) -> None:
    folder = shipped_models() / "shakespeare-small"
    wanted = small.generate("A", max_new_tokens=20, seed=3)
    for way in (folder, str(folder), folder / "weights.safetensors"):
        assert load(way).generate("A", max_new_tokens=20, seed=3) == wanted


def test_stream_is_the_same_text_in_pieces(small: Model) -> None:
    pieces = list(small.stream("To be", max_new_tokens=40, seed=2))
    assert len(pieces) == 40
    assert "".join(pieces) == small.generate("To be", max_new_tokens=40, seed=2)


def test_samples_are_the_texts_of_seeds_that_count_on(small: Model) -> None:
    settings = {"max_new_tokens": 30, "stop": "the"}
    texts = small.samples("To be", 18, seed=5, **settings)
    assert texts == [small.generate("To be", seed=5 + i, **settings) for i in range(18)]
    assert len(set(texts)) > 1
    assert small.samples("A", 0) == []
    assert len(set(small.samples("A", 3))) == 3


def test_every_setting_counts(small: Model) -> None:
    assert set(small.generate("To be", max_new_tokens=50, allowed="ab ", seed=1)) <= set("ab ")
    assert "e" not in small.generate("To be", max_new_tokens=100, banned="e", seed=1)
    long = small.generate("To be", max_new_tokens=200, seed=1)
    assert (
        small.generate("To be", max_new_tokens=200, seed=1, stop=["zzz", long[50:55]]) == long[: long.find(long[50:55])]
    )
    assert small.generate("To be", max_new_tokens=40, seed=1, window="reanchor")[:3] == long[:3]


def test_events_tell_chances_where_they_are_asked_for(small: Model) -> None:
    tokens = [event for event in small.events("To be", candidates=2, max_new_tokens=3) if isinstance(event, Token)]
    assert [token.chance and len(token.chance.candidates) for token in tokens] == [2, 2, 2]
    assert all(token.chance is None for token in small.events("A", max_new_tokens=1) if isinstance(token, Token))


def test_an_empty_prompt_and_one_longer_than_the_window_write(small: Model) -> None:
    assert len(small.generate("", max_new_tokens=10, seed=1)) == 10
    assert len(small.generate("To be or not to be. " * 50, max_new_tokens=10, seed=1)) == 10


def test_logits_are_those_of_every_position(small: Model) -> None:
    logits = small.logits("To be")
    assert logits.shape == (5, 65)
    likeliest = small.generate("To be", max_new_tokens=1, temperature=0)
    assert small.tokenizer.encode(likeliest) == [int(logits[-1].argmax())]


def test_logits_of_a_text_longer_than_the_window_are_refused(small: Model) -> None:
    with pytest.raises(UsageError, match="window"):
        small.logits("To be or not")


def test_loss_is_the_mean_over_the_texts_tokens(small: Model) -> None:
    text = "To be, o"  # exactly one window and its target
    logits = small.logits(text[:-1])
    targets = torch.tensor(small.tokenizer.encode(text)[1:])
    by_hand = torch.nn.functional.cross_entropy(logits, targets).item()
    assert small.loss(text) == pytest.approx(by_hand, rel=1e-5)
    assert small.loss("To be, or not to be") < math.log(65)


def test_loss_of_one_character_is_refused(small: Model) -> None:
    with pytest.raises(UsageError, match="at least 2"):
        small.loss("T")


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -1.0}, {"top_p": 0.0}, {"warmth": 1}, {"max_new_tokens": 2.5}, {"weights": "int4"},
        {"window": "round"}, {"allowed": "é"}, {"stop": [1]},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused_at_once(small: Model, settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        small.stream("A", **settings)


def test_no_such_model_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        load("shakespear")
    assert "shakespeare" in caught.value.hint


def test_the_shipped_loss_is_the_one_on_the_card(shakespeare: Path) -> None:
    text = shakespeare.read_text(encoding="utf-8")
    model = load("shakespeare")
    assert model.config.trained is not None
    measured = model.loss(text[int(len(text) * 0.9) :])
    assert measured == pytest.approx(model.config.trained.validation_loss, abs=1e-4)
    assert measured <= 1.46


def test_the_package_names_only_what_it_has() -> None:
    assert tinygpt_tui.__version__
    with pytest.raises(AttributeError):
        _ = tinygpt_tui.no_such_thing
