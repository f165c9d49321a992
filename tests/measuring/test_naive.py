"""The yardsticks: nanoGPT's way, and Hugging Face's with the same weights."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from makers import tiny_gpt

from tinygpt_tui.architectures.table import build
from tinygpt_tui.measuring import hugging_face
from tinygpt_tui.measuring.naive import NaiveGPT
from tinygpt_tui.settings.architecture import GPTSettings

PLAIN, BIASED = tiny_gpt(), tiny_gpt(bias=True, qkv_bias=True)


def naive_net(settings: GPTSettings) -> NaiveGPT:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        net = NaiveGPT(settings).eval()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.normal_(std=0.4)
    return net


@pytest.mark.parametrize("settings", [PLAIN, BIASED], ids=["plain", "biased"])
def test_naive_is_the_packages_own_net_at_the_last_position(settings: GPTSettings) -> None:
    net, model = naive_net(settings), build(settings).eval()
    model.load_state_dict(net.state_dict())
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    with torch.no_grad():
        logits = net(ids)
        assert logits.shape == (1, 1, settings.vocab_size)
        torch.testing.assert_close(logits[:, 0], model(ids)[:, -1])


def test_naive_crops_to_the_window_and_takes_the_likeliest_when_greedy() -> None:
    net = naive_net(PLAIN)
    text = [1, 2, 3]
    for found in net.generate(list(text), 20, temperature=0):
        with torch.no_grad():
            assert found == int(net(torch.tensor([text[-PLAIN.block_size :]])).argmax())
        text.append(found)
    assert len(text) == 23
    assert len(set(text[3:])) > 1


def test_naive_draws_every_id_about_as_often_as_its_probability_says() -> None:
    net = naive_net(PLAIN)
    with torch.no_grad():
        chances = net(torch.tensor([[7]]))[0, -1].softmax(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn = torch.tensor([next(net.generate([7], 1)) for _ in range(600)])
    shares = torch.bincount(drawn, minlength=PLAIN.vocab_size) / len(drawn)
    assert (shares - chances).abs().max() < 0.06


@pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("settings", [PLAIN, BIASED], ids=["plain", "biased"])
def test_hugging_face_writes_the_same_greedy_text_with_the_same_weights(settings: GPTSettings) -> None:
    net = naive_net(settings)
    other = hugging_face.HuggingFaceGPT2(settings, net.state_dict())
    wanted = list(net.generate([1, 2], 6, temperature=0))
    assert list(other.generate([1, 2], 6, temperature=0)) == wanted
    assert len(list(other.generate([1, 2], 6))) == 6
