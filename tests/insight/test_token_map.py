"""The embeddings of a vocabulary as a map."""

from __future__ import annotations

import math

import pytest
import torch
from makers import VARIANTS, random_model, tiny_gpt

from tinygpt_tui.events.tracing import TokenPlace
from tinygpt_tui.insight.token_map import MOST, embeddings_of, principal_components, token_map
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.tokenizers.char import CharTokenizer

LETTERS = CharTokenizer("\n abcdefghijk")


def places_of(model: object) -> tuple[TokenPlace, ...]:
    return token_map(model, LETTERS)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["classic", "modern", "llama", "rnn", "gru", "lstm", "cnn", "bigram", "backpack"])
def test_every_architecture_has_a_map_of_its_whole_vocabulary(name: str) -> None:
    model = random_model(VARIANTS[name])
    places, share = token_map(model, LETTERS)
    assert [place.text for place in places] == [*"\n abcdefghijk"]
    assert 0 < share <= 1
    assert max(max(abs(place.x), abs(place.y)) for place in places) == pytest.approx(1)
    for place in places:
        assert place.text not in {other.text for other in place.near}
        assert [other.likeness for other in place.near] == sorted((o.likeness for o in place.near), reverse=True)
    assert token_map(model, LETTERS) == (places, share)


def test_the_axes_are_those_of_the_largest_variance() -> None:
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(200, 5, generator=generator, dtype=torch.float64) * torch.tensor([0.1, 7.0, 0.1, 2.0, 0.1])
    points, share = principal_components(rows + 50)
    for axis, column in ((0, 1), (1, 3)):
        together = torch.corrcoef(torch.stack((points[:, axis], rows[:, column])))[0, 1]
        assert abs(together) > 0.99
    assert share > 0.99
    assert points.abs().amax(dim=0).tolist() == pytest.approx([1, 1])
    assert points.amax(dim=0).tolist() == pytest.approx([1, 1])  # an axis points to its farthest token


def test_alike_tokens_are_near_and_each_others_nearest() -> None:
    model = random_model(tiny_gpt())
    table = embeddings_of(model)
    assert table is not None
    weight = model.transformer["wte"].weight.data  # type: ignore[union-attr,index]
    weight[3] = weight[2] * 1.01
    by_text = {place.text: place for place in places_of(model)}
    b, a = by_text["b"], by_text["a"]
    assert (a.near[0].text, b.near[0].text) == ("b", "a")
    assert a.near[0].likeness == pytest.approx(1)
    assert math.dist((a.x, a.y), (b.x, b.y)) < 0.05


def test_what_is_not_finite_is_left_out() -> None:
    model = random_model(tiny_gpt())
    weight = model.transformer["wte"].weight.data  # type: ignore[union-attr,index]
    weight[2] = torch.nan
    assert "a" not in {place.text for place in places_of(model)}
    weight[:] = torch.inf
    assert places_of(model) == ()
    weight[:] = 1.0
    assert {(place.x, place.y) for place in places_of(model)} == {(0, 0)}


def test_a_large_vocabulary_is_cut() -> None:
    table = embeddings_of(random_model(GPTSettings(vocab_size=3000, block_size=8, n_layer=1, n_head=1, n_embd=4)))
    assert table is not None
    assert table.shape == (MOST, 4)
