"""GPTs of programs that are not known: any names, any arrangement, with the text of their original."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from spellings import (
    MODERN,
    MODERN_SPELLINGS,
    ODD,
    ODD_SPELLINGS,
    POST,
    PRE,
    SPELLINGS,
    Kind,
    Spelling,
    State,
    forward,
    greedy,
    trained,
)

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.engines import forward_of
from tinygpt_tui.checkpoints.foreign_card import foreign_card
from tinygpt_tui.checkpoints.library import doubts_of
from tinygpt_tui.checkpoints.stored import read_model
from tinygpt_tui.cli.main import run as main
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.decisions import BY_LAYOUT, DECISIONS
from tinygpt_tui.foreign.facts import doubts
from tinygpt_tui.foreign.opening import inspect_checkpoint
from tinygpt_tui.foreign.qkv_order import READINGS
from tinygpt_tui.settings.architecture import GPTSettings

NETS: dict[str, Kind] = {"pre-norm": PRE, "post-norm": POST, "modern": MODERN, "odd": ODD}
CASES = [
    *((name, "pre-norm") for name in SPELLINGS),
    *((name, "post-norm") for name in list(SPELLINGS)[::2]),  # names do not depend on it
    *((name, "modern") for name in MODERN_SPELLINGS),
    *((name, "odd") for name in ODD_SPELLINGS),
]


# What the loss of a small net on a page may not tell: the kind of GELU, or a cap that is far above all logits.
FAINT = {"block_size", "activation", "epsilon", "logit_cap", "residual_scale"}
# Settings that the shapes of the tensors tell, or that follow from others, and those that count in a training alone.
BY_TENSORS = {
    "vocab_size", "n_layer", "n_embd", "n_kv_head", "head_width", "hidden", "projection", "feed_forward", "bias",
    "qkv_bias", "head_bias", "tied_head", "norm_weight", "qk_norm_weight", "positions", "rotary_width",
}  # fmt: skip
OF_TRAINING = {"dropout", "attention_dropout", "start"}
# Of this program's nets alone, or of configs: each would have tensors of its own, or is refused where it is told.
NOT_BY_SHAPE = {"token_shift", "sliding", "ngram_rows", "rotary_factors", "local_windows"}


@pytest.fixture(scope="session")
def states(shared_folder: Path) -> dict[str, State]:
    made = shared_folder / "by shape.pt"
    with FileLock(shared_folder / "by shape.lock"):
        if not made.exists():
            torch.save({name: trained(kind) for name, kind in NETS.items()}, made)
    states: dict[str, State] = torch.load(made)
    return states


@pytest.fixture(scope="session")
def texts(states: dict[str, State]) -> dict[str, list[int]]:
    return {
        name: greedy(lambda ids, kind=kind, name=name: forward(kind, states[name], ids)) for name, kind in NETS.items()
    }


@pytest.mark.parametrize(("spelling", "net"), CASES)
def test_any_spelling_writes_its_original_text(
    spelling: str, net: str, states: dict[str, State], texts: dict[str, list[int]], tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    torch.save((SPELLINGS | MODERN_SPELLINGS | ODD_SPELLINGS)[spelling].state_dict(states[net]), path)
    stored = read_model(path)
    logits = forward_of(stored.config.architecture, stored.weights, "it")
    found = greedy(lambda ids: torch.from_numpy(logits(ids.numpy())))
    assert found == texts[net]
    guessed = {fact.name: fact for fact in stored.facts if fact.assumed}
    assert set(guessed) <= FAINT  # all else is told by the text
    assert all(fact.value in ("gelu", "gelu_tanh") for name, fact in guessed.items() if name == "activation")
    assert all(fact.assumed in doubts(stored.facts) for fact in guessed.values())


# What is like a GPT and is none: said by the names of its tensors, never opened in part.
REFUSED: dict[str, tuple[State, str]] = {
    "attention to another text": (
        {f"blocks.{i}.cross_attn.{part}.weight": torch.ones(32, 32) for i in range(2) for part in "qkvo"},
        "has tensors that are not understood: blocks.0.cross_attn.q.weight (32, 32)",
    ),
    "experts": (
        {f"blocks.{i}.mlp.experts.{e}.fc.weight": torch.ones(80, 32) for i in range(2) for e in range(4)},
        "has tensors that are not understood: blocks.0.mlp.experts",
    ),
    "a third norm": (
        {f"blocks.{i}.ln3.weight": torch.ones(32) for i in range(2)},
        "not understood: blocks.0.ln3.weight (32,)",
    ),
    "segments": ({"segment_emb.weight": torch.ones(2, 32)}, "not understood: segment_emb.weight (2, 32)"),
    "layers of other sizes": ({"blocks.1.more.weight": torch.ones(7, 32)}, "not understood: blocks.1.more.weight"),
    "a table of distances beside the blocks' own parts": (
        {f"blocks.{i}.rel_pos": torch.ones(33, 16) for i in range(2)},
        "is like a GPT, but has tensors that are not understood: blocks.0.rel_pos (33, 16), blocks.1.rel_pos (33, 16)",
    ),
    "a table of distances for each head": (
        {"blocks.0.attn.rel_pos": torch.ones(4, 33, 8)},
        "not understood: blocks.0.attn.rel_pos (4, 33, 8)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_other_parts_is_refused_by_their_names(name: str, states: dict[str, State], tmp_path: Path) -> None:
    more, message = REFUSED[name]
    torch.save(SPELLINGS["separate"].state_dict(states["pre-norm"]) | more, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=re.escape(message)) as error:
        inspect_checkpoint(tmp_path)
    if "not understood" in message:
        known = "the others are understood: 2 blocks of 32 channels with attention and an MLP, 65 tokens"
        assert error.value.hint.startswith(known)


@pytest.mark.parametrize("shape", [(0,), (0, 32), (3, 0)], ids=str)
def test_a_tensor_without_numbers_is_ignored(shape: tuple[int, ...], states: dict[str, State], tmp_path: Path) -> None:
    more = {"blocks.0.attn.nothing": torch.ones(shape), "nothing": torch.ones(shape)}
    torch.save(SPELLINGS["separate"].state_dict(states["pre-norm"]) | more, tmp_path / "model.pt")
    assert inspect_checkpoint(tmp_path).layout.name == "by-shape"


def test_what_no_text_tells_is_a_guess_everywhere(
    states: dict[str, State], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Random weights know no text: the list, the card and the line before a text say what is assumed."""
    state = {name: torch.randn(tensor.shape) for name, tensor in states["pre-norm"].items()}
    torch.save(SPELLINGS["rasbt"].state_dict(state), tmp_path / "model.pt")
    paths.models_folder().mkdir(parents=True)
    torch.save(SPELLINGS["rasbt"].state_dict(state), paths.models_folder() / "net.pt")
    assert main(["models"]) == 0
    said = "not known: assumed 4 heads, pre-norm, attention before the MLP, gelu, scale 1/√head_size, no norms of"
    card = foreign_card(tmp_path / "model.pt").facts
    assert said in doubts(card)
    facts = {fact.name: fact for fact in read_model(tmp_path / "model.pt").facts}
    for name in (*DECISIONS, *BY_LAYOUT):  # measured, or told by a tensor, or said to be a guess: nothing is silent
        for fact in [facts[name]] if name in facts else []:
            assert fact.source in ("tensor", "calibrated") or (fact.source == "guess" and fact.assumed in doubts(card))
    asked = {question.setting for question in inspect_checkpoint(tmp_path / "model.pt").questions}
    assert {name for name, decision in DECISIONS.items() if not decision.needs} - {"final_norm"} <= asked
    assert said in doubts_of(tmp_path / "model.pt")
    assert f"net.pt: its 65 ids are shown as numbers: no file says what they mean; {said}" in capsys.readouterr().err


def test_every_setting_of_a_net_has_someone_who_decides_it() -> None:
    """A new setting is decided by the table, by a layout, or by the tensors: none is silently its default."""
    decided = {*DECISIONS, *BY_LAYOUT}
    assert decided & (BY_TENSORS | OF_TRAINING | NOT_BY_SHAPE) == set()
    assert {*GPTSettings.__struct_fields__, *READINGS} == decided | BY_TENSORS | OF_TRAINING | NOT_BY_SHAPE


def test_a_config_beside_the_weights_is_no_guess(states: dict[str, State], tmp_path: Path) -> None:
    config = {"vocab_size": 65, "context_length": 24, "emb_dim": 32, "n_heads": 8, "n_layers": 2}
    state = SPELLINGS["rasbt"].state_dict(states["pre-norm"])
    torch.save({"model_state_dict": state, "config": config}, tmp_path / "model.pt")
    facts = {fact.name: fact for fact in inspect_checkpoint(tmp_path / "model.pt").facts}
    assert (facts["n_head"].value, facts["n_head"].source, facts["n_head"].assumed) == ("8", "file", "")


def test_norms_and_matrices_in_any_order_are_told_by_the_text(
    states: dict[str, State], texts: dict[str, list[int]], tmp_path: Path
) -> None:
    """Names that say nothing: the file's order is tried first, and what the text says is used."""
    odd = Spelling(norms=("second", "first"), q="attn.a", k="attn.b", v="attn.c", o="attn.d")
    state = odd.state_dict(states["pre-norm"])
    order = ("first", "second", "attn.c", "attn.a", "attn.b", "attn.d")
    names = sorted(state, key=lambda name: next((at for at, part in enumerate(order) if part in name), -1))
    torch.save({name: state[name] for name in names}, tmp_path / "model.pt")
    stored = read_model(tmp_path / "model.pt")
    logits = forward_of(stored.config.architecture, stored.weights, "it")
    assert greedy(lambda ids: torch.from_numpy(logits(ids.numpy()))) == texts["pre-norm"]
