"""Two models' weights side by side, by hand and through the engine's service."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from makers import make_model, tiny_gpt

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.events.generation import Compared, GenerationEnded, TensorCompared
from tinygpt_tui.events.requests import CompareWeights
from tinygpt_tui.insight.compare import CompareJob, compare, distance_of, weights_at
from tinygpt_tui.workers.service import EngineService


def compared(one: Path, other: Path) -> dict[str, TensorCompared]:
    return {row.name: row for row in compare(weights_at(one), weights_at(other))}


def test_distance_and_cosine_are_those_of_the_definition() -> None:
    a, b = np.array([3.0, 4.0]), np.array([4.0, 3.0])
    share, cosine = distance_of(a, b)
    assert share == pytest.approx(math.sqrt(2) / 5)
    assert cosine == pytest.approx(24 / 25)
    assert distance_of(a, np.zeros(2)) == (1.0, None)
    assert distance_of(np.zeros(2), np.zeros(2)) == (0.0, None)


def test_a_model_is_itself_and_no_stranger(tmp_path: Path) -> None:
    make_model(tmp_path / "one")
    make_model(tmp_path / "two", seed=1)
    same = compared(tmp_path / "one", tmp_path / "one")
    assert all(row.distance == 0 and row.cosine == pytest.approx(1) for row in same.values())
    other = compared(tmp_path / "one", tmp_path / "two")["transformer.h.0.mlp.c_fc.weight"]
    assert other.distance == pytest.approx(math.sqrt(2), rel=0.1)
    assert other.cosine == pytest.approx(0, abs=0.1)


def test_other_shapes_and_missing_tensors_are_told(tmp_path: Path) -> None:
    make_model(tmp_path / "one")
    make_model(tmp_path / "two", tiny_gpt(n_layer=1, block_size=4, bias=True))
    rows = compared(tmp_path / "one", tmp_path / "two")
    wpe = rows["transformer.wpe.weight"]
    assert (wpe.shape, wpe.other_shape, wpe.distance) == ((8, 16), (4, 16), None)
    assert rows["transformer.h.1.ln_1.weight"].other_shape is None
    assert rows["transformer.h.0.ln_1.bias"].shape is None


def test_the_engine_answers(tmp_path: Path) -> None:
    make_model(tmp_path / "one")
    service = EngineService()
    assert service.handle(0.0, CompareWeights(str(tmp_path / "one"), str(tmp_path / "one"), job=4)) == []
    events = []
    while service.busy:
        events += list(service.advance())
    assert isinstance(events[0], Compared)
    assert isinstance(events[-1], GenerationEnded)
    assert (events[-1].job, events[-1].reason) == (4, "length")
    service.handle(0.0, CompareWeights(str(tmp_path / "one"), str(tmp_path / "gone"), job=5))
    (ended,) = service.advance()
    assert isinstance(ended, GenerationEnded)
    assert ended.reason == "failed"
    assert "has no weights" in ended.message


def test_it_stops_where_it_is(tmp_path: Path) -> None:
    make_model(tmp_path / "one")
    job = CompareJob(tmp_path / "one", tmp_path / "one")
    job.stop()
    first, ended = job
    assert isinstance(first, Compared)
    assert len(first.tensors) == 1
    assert isinstance(ended, GenerationEnded)
    assert ended.reason == "stopped"


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    make_model(tmp_path / "one")
    (tmp_path / "one" / "weights.safetensors").write_bytes(b"no")
    with pytest.raises(CheckpointError, match="is damaged"):
        weights_at(tmp_path / "one")
