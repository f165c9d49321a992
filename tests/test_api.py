"""The Python API, with the shipped models."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

import tinygpt_tui
from tinygpt_tui import Model, load
from tinygpt_tui.checkpoints.library import list_models
from tinygpt_tui.errors import NotFoundError, UsageError
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


@pytest.mark.parametrize("settings", [{"temperature": -1.0}, {"top_p": 0.0}, {"warmth": 1}, {"max_new_tokens": 2.5}])
def test_settings_that_cannot_be_are_refused_at_once(small: Model, settings: dict[str, float]) -> None:
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
