"""Models as strangers save them: the greedy text of the original, or what is not known, by its names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from spellings import PRE, Kind, Spelling, State, forward, greedy, trained
from strangers import REFUSED, STRANGERS

from tinygpt_tui.checkpoints.engines import forward_of
from tinygpt_tui.checkpoints.stored import read_model
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.facts import doubts
from tinygpt_tui.foreign.opening import inspect_checkpoint

# What the loss of a small net on a page may not tell, or not surely; it is said, and the text is the same.
FAINT = {"block_size", "activation", "epsilon", "logit_cap", "residual_scale", "attention_scale", "embedding_scale"}


@pytest.fixture(scope="session")
def nets() -> dict[Kind, tuple[State, list[int]]]:
    return {}


@pytest.mark.parametrize("name", STRANGERS)
def test_it_writes_its_original_text(name: str, nets: dict[Kind, tuple[State, list[int]]], tmp_path: Path) -> None:
    kind, saved = STRANGERS[name]
    if kind not in nets:
        state = trained(kind)
        nets[kind] = state, greedy(lambda ids: forward(kind, state, ids))
    state, text = nets[kind]
    torch.save(saved(state), tmp_path / "model.pt")
    stored = read_model(tmp_path / "model.pt")
    logits = forward_of(stored.config.architecture, stored.weights, "it")
    assert greedy(lambda ids: torch.from_numpy(logits(ids.numpy()))) == text
    guessed = [fact for fact in stored.facts if fact.assumed]
    assert {fact.name for fact in guessed} <= FAINT
    assert all(fact.assumed in doubts(stored.facts) for fact in guessed)
    assert ("averaged copy" in stored.facts[0].detail) == ("averaged" in name)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_built_is_named(name: str, tmp_path: Path) -> None:
    more, said = REFUSED[name]
    torch.save(Spelling().state_dict(trained(PRE, steps=0)) | more, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=re.escape(said)):
        inspect_checkpoint(tmp_path)
