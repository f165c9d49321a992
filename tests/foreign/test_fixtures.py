"""Checkpoints that other programs wrote: opened without being told anything, their logits and texts are the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tinygpt_tui import Model, load
from tinygpt_tui.generation.engine import TorchEngine

NAMES = ("lecture-head-scale", "lecture-embd-scale", "whole-module", "nanogpt", "nanogpt-compiled", "hf-gpt2")


def opened(fixtures: Path, name: str) -> tuple[Model, dict[str, Any]]:
    expected = json.loads(next((fixtures / name).rglob("expected.json")).read_text(encoding="utf-8"))
    return load(fixtures / name), expected


@pytest.mark.parametrize("name", NAMES)
def test_it_opens_and_writes_what_its_program_wrote(fixtures: Path, name: str) -> None:
    model, expected = opened(fixtures, name)
    assert model.tokenizer.encode(expected["prompt"]) == expected["prompt_ids"]
    logits = model.logits(expected["prompt"])[-1].numpy()
    wanted = expected["last_logits"]
    spread = max(wanted) - min(wanted)
    assert max(abs(logits - wanted)) < 1e-4 * spread
    engine = TorchEngine(model.module, "exact")
    ids = list(expected["prompt_ids"])
    logits = engine.prefill(ids)
    while len(ids) < len(expected["greedy_ids"]):
        ids.append(int(logits.argmax()))
        logits = engine.step(ids[-1])
    assert ids == expected["greedy_ids"]
