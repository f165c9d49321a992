"""What is known of a model without running it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from makers import LECTURE, MODERN, make_model, make_run, tiny_gpt

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.insight.model_facts import ModelFacts, model_facts, shown_characters, tensors_in
from tinygpt_tui.insight.parts import Part, tree_of
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.training.run import run_training


def rows(facts: ModelFacts, title: str) -> dict[str, str]:
    (section,) = (section for section in facts.sections if section.title == title)
    return {row.name: row.value for row in section.rows}


def leaves(part: Part) -> list[Part]:
    return [part] if part.shape is not None else [leaf for inner in part.parts for leaf in leaves(inner)]


@pytest.mark.parametrize("settings", [LECTURE, MODERN, tiny_gpt()])
def test_every_number_is_in_the_tree_once(tmp_path: Path, settings: GPTSettings) -> None:
    model = make_model(tmp_path / "letters", settings)
    facts = model_facts(tmp_path / "letters")
    assert facts.parts.count == model.count_parameters()
    assert sum(leaf.count for leaf in leaves(facts.parts)) == model.count_parameters()
    assert rows(facts, "model")["parameters"] == f"{model.count_parameters():,}"
    assert "in the file" not in rows(facts, "model")


def test_blocks_stand_by_their_number() -> None:
    tree = tree_of({f"h.{block}.w": ((2,), "F32") for block in (0, 1, 10, 11, 2)})
    assert [part.name for part in tree.parts[0].parts] == ["0.w", "1.w", "2.w", "10.w", "11.w"]


def test_settings_vocabulary_and_losses(tmp_path: Path) -> None:
    make_model(tmp_path / "letters", tiny_gpt(token_shift=2))
    facts = model_facts(tmp_path / "letters")
    assert rows(facts, "model")["block size"] == f"{tiny_gpt().block_size} tokens at once"
    assert rows(facts, "settings")["token_shift"] == "2"
    assert "positions" not in rows(facts, "settings")  # as by default
    assert rows(facts, "vocabulary")["characters"] == r"\n␣abcdefghijk"
    assert rows(facts, "losses")["validation"] == "1.5000 nats per token at step 7"
    assert facts.history is None
    assert all(section.title != "training" for section in facts.sections)


def test_a_run_brings_its_curve_and_its_settings() -> None:
    run = make_run(steps=4, evaluate_every=2)
    assert list(run_training(run.model))
    facts = model_facts(run.model)
    assert facts.history is not None
    assert len(facts.history.losses[0]) == 4
    assert rows(facts, "training")["corpus"].startswith("cat")
    assert rows(facts, "training")["steps"] == "4"
    assert rows(facts, "losses")["steps"].startswith("4 of 4 in ")
    began = run.read_settings().created
    assert rows(facts, "training")["started"] == time.strftime("%d %b %Y %H:%M", time.localtime(began))


def test_a_damaged_part_leaves_the_others(tmp_path: Path) -> None:
    make_model(tmp_path / "letters")
    (tmp_path / "letters" / "weights.safetensors").write_bytes(b"nothing")
    (tmp_path / "letters" / "tokenizer.json").unlink()
    facts = model_facts(tmp_path / "letters")
    assert "weights.safetensors is damaged" in facts.problem
    assert "tokenizer.json" in facts.problem
    assert rows(facts, "settings")["n_embd"] == "16"
    with pytest.raises(CheckpointError, match="has no weights yet"):
        tensors_in(tmp_path / "weights.safetensors")


def test_characters_that_are_no_sign_are_told() -> None:
    assert shown_characters("\n\t a\u200b\x00é") == r"\n\t␣a\u200b\x00é"


def test_a_tree_of_strange_names_is_no_crash() -> None:
    shape = ((2,), "F32")
    deep = "a." * 20_000
    ends = {f"y{'.' * dots}": shape for dots in range(3)}  # one is the beginning of the next
    tree = tree_of({f"{deep}b": shape, f"{deep}c": shape, "²": shape, "x.²": shape, "x.1": shape, **ends})
    assert tree.count == 16
