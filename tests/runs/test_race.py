"""Who races, at which size and for how long."""

from __future__ import annotations

import pytest
import torch

from tinygpt_tui.architectures.table import build
from tinygpt_tui.errors import NotFoundError, UsageError
from tinygpt_tui.runs.race import contenders_of, with_time
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.ladder import LADDER
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.settings.scaling import scaled_to


def test_each_trains_as_its_preset_says_unless_told_otherwise() -> None:
    found = contenders_of(["cnn", "lstm"], 65)
    assert [one.training.steps for one in found] == [ALL_PRESETS[name].training.steps for name in ("cnn", "lstm")]
    found = contenders_of(["cnn", "lstm"], 40, steps=7)
    assert [(one.training.steps, one.training.architecture.vocab_size) for one in found] == [(7, 40)] * 2
    assert [one.training.minutes for one in contenders_of(["cnn", "lstm"], 65, minutes=1.5)] == [1.5, 1.5]
    assert with_time(found[0], 30.0).training.minutes == 0.5


def test_equal_parameters_makes_all_as_large_as_the_first() -> None:
    found = contenders_of(["nanogpt", "rnn", "gru", "lstm", "cnn", "backpack"], 65, equal="parameters")
    counts = [count_parameters(one.training.architecture) for one in found]
    assert all(abs(count / counts[0] - 1) < 0.06 for count in counts), counts


@pytest.mark.parametrize("name", ALL_PRESETS)
@pytest.mark.parametrize("parameters", [60_000, 800_000, 5_000_000])
def test_a_scaled_net_is_the_nearest_there_is_and_can_be_built(name: str, parameters: int) -> None:
    net = ALL_PRESETS[name].training.architecture
    scaled = scaled_to(net, parameters)
    with torch.device("meta"):
        assert build(scaled).count_parameters() == count_parameters(scaled)
    if not getattr(net, "ngram_rows", 0) and name != "bigram":
        assert 0.5 < count_parameters(scaled) / parameters < 2
    assert (scaled.n_layer, scaled.block_size) == (net.n_layer, net.block_size)


def test_a_race_wants_two_that_exist_and_one_measure() -> None:
    with pytest.raises(UsageError, match="two"):
        contenders_of(["cnn"], 65)
    with pytest.raises(NotFoundError, match="cmm"):
        contenders_of(["cnn", "cmm"], 65)
    with pytest.raises(UsageError, match="exclude each other"):
        contenders_of(["cnn", "rnn"], 65, steps=3, minutes=1)


def test_the_ladder_is_the_lectures_stages() -> None:
    nets = [stage.training.architecture for stage in LADDER]
    counts = [build(net).count_parameters() for net in nets]
    assert counts == [count_parameters(net) for net in nets]
    assert counts[0] == 65 * 32 + 8 * 32 + 3 * 32 * 32 + 32 * 65 + 65  # embeddings, one head, the output
    assert counts[1] == counts[0]  # the same numbers, in four heads
    assert counts == sorted(counts)
    assert [stage.published for stage in LADDER] == [2.5, 2.28, 2.24, None, 2.06, None]
    assert contenders_of(["ladder"], 65)[0].name == "one-head"
