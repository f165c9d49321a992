"""What the senses of a text's tokens are, which of them are meant, and what it does to turn one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from makers import TINY, make_model, random_ids, random_model

from tinygpt_tui.architectures.backpack import Backpack
from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, SensesSeen, Token
from tinygpt_tui.events.requests import EVERY_TOKEN, Gain, Generate, LookAtSenses
from tinygpt_tui.settings.architecture import BackpackSettings
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.service import EngineService

NETS = {
    "whole": BackpackSettings(**TINY, n_layer=1, n_head=2, n_sense=4, sliding=False),
    "sliding": BackpackSettings(**TINY, n_layer=2, n_head=2, n_sense=2),
}


@pytest.mark.parametrize("name", NETS)
@torch.no_grad()
def test_what_is_meant_is_what_the_logits_are_made_of(name: str) -> None:
    model = random_model(NETS[name]).eval()
    assert isinstance(model, Backpack)
    length = model.settings.block_size + (5 if model.settings.sliding else 0)
    ids = torch.tensor([random_ids(length)])
    meant = model.meant(ids)
    torch.testing.assert_close(meant.sum(-1), torch.ones(1, model.settings.n_sense))
    mixed = torch.einsum("bst,btsc->bc", meant, model.senses_of(ids))
    torch.testing.assert_close(model.lm_head(mixed), model(ids)[:, -1], rtol=1e-4, atol=1e-4)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A backpack on the disk; it knows a newline, a space, and the letters a to k."""
    make_model(tmp_path / "pack", NETS["sliding"])
    return str(tmp_path / "pack")


def answer(*requests: Generate | LookAtSenses) -> list[GenerationEvent]:
    service = EngineService()
    events = [event for request in requests for event in service.handle(0.0, request)]
    while service.busy:
        events += service.advance()
    return events


def test_a_text_longer_than_what_is_seen(folder: str) -> None:
    block = NETS["sliding"].block_size
    text = "abc z" * block  # z is not known
    seen, ended = answer(LookAtSenses(folder, text, candidates=3, job=1))
    assert isinstance(seen, SensesSeen)
    assert isinstance(ended, GenerationEnded)
    assert (ended.reason, len(seen.tokens)) == ("length", block)
    assert all(text[token.start] in "abc " and token.end == token.start + 1 for token in seen.tokens)
    assert [sum(token.meant[sense] for token in seen.tokens) for sense in range(2)] == pytest.approx([1, 1])
    assert seen.senses.keys() == {token.id for token in seen.tokens}
    for senses in seen.senses.values():
        assert [len(sense.candidates) for sense in senses] == [3, 3]
        assert all(not {other.text for other in sense.candidates} & set(sense.against) for sense in senses)


def test_a_text_of_nothing_has_no_senses(folder: str) -> None:
    seen, _ = answer(LookAtSenses(folder, "zzz", job=1))
    assert seen == SensesSeen(1, (), {})


def test_a_sense_that_is_turned_changes_the_text(folder: str) -> None:
    def text(*gains: Gain) -> str:
        sampling = SamplingSettings(max_new_tokens=40, seed=1, temperature=1.0)
        events = answer(Generate(folder, "abc", sampling, gains=gains, job=1))
        return "".join(event.text for event in events if isinstance(event, Token))

    plain = text()
    assert text((3, 0, 1.0)) == plain
    assert text((EVERY_TOKEN, 0, 3.0)) != plain
    assert text((EVERY_TOKEN, 0, 2.0), (EVERY_TOKEN, 0, 0.5)) == plain


@pytest.mark.parametrize("gain", [(13, 0, 1.0), (-2, 0, 1.0), (0, 2, 1.0), (0, -1, 1.0)])
def test_a_sense_that_is_not_there_is_refused(folder: str, gain: Gain) -> None:
    (ended,) = answer(Generate(folder, "abc", SamplingSettings(), gains=(gain,), job=1))
    assert isinstance(ended, GenerationEnded)
    assert f"token {gain[0]} has no sense {gain[1]}" in ended.message


def test_other_nets_have_no_senses(tmp_path: Path) -> None:
    make_model(tmp_path / "gpt")
    for request in (
        LookAtSenses(str(tmp_path / "gpt"), "abc", job=1),
        Generate(str(tmp_path / "gpt"), "abc", SamplingSettings(), gains=((0, 0, 2.0),), job=1),
    ):
        (ended,) = answer(request)
        assert isinstance(ended, GenerationEnded)
        assert "a gpt has no senses" in ended.message
