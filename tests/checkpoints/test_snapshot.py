"""A moment holds what was put in, to half precision or to a step of its row; what is damaged is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinygpt_tui.checkpoints.snapshot import Stamp, read_snapshot, read_stamp, write_snapshot
from tinygpt_tui.errors import CheckpointError, NotFoundError

DRAWN = np.random.default_rng(0)
TENSORS = {"a.weight": DRAWN.normal(size=(5, 7)).astype(np.float32), "a.bias": DRAWN.normal(size=5).astype(np.float32)}


def test_half_precision_to_a_thousandth(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "m", TENSORS, Stamp(500, 1.9, 480))
    found = read_snapshot(tmp_path / "m")
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], tensor, rtol=1e-3)
    assert read_stamp(tmp_path / "m") == Stamp(500, 1.9, 480)


def test_rounded_to_a_step_of_its_row(tmp_path: Path) -> None:
    tensors = {**TENSORS, "zeros": np.zeros((2, 3), np.float32)}
    write_snapshot(tmp_path / "m", tensors, Stamp(0), "int8")
    found = read_snapshot(tmp_path / "m")
    steps = np.sqrt(np.square(TENSORS["a.weight"]).mean(axis=1, keepdims=True)) / 6
    assert (np.abs(found["a.weight"] - TENSORS["a.weight"]) <= steps / 2 * 1.001).all()
    assert not found["zeros"].any()
    np.testing.assert_allclose(found["a.bias"], TENSORS["a.bias"], rtol=1e-3)
    assert read_stamp(tmp_path / "m") == Stamp(0)


def test_a_weight_far_above_its_row_is_not_cut_off(tmp_path: Path) -> None:
    row = np.zeros((1, 10_000), np.float32)
    row[0, 7] = 1000
    write_snapshot(tmp_path / "m", {"a.weight": row}, Stamp(0), "int8")
    np.testing.assert_allclose(read_snapshot(tmp_path / "m")["a.weight"], row, rtol=1e-6)


def test_what_is_too_large_for_half_stays_finite(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "m", {"a": np.array([1e9, -1e9], np.float32)}, Stamp(1))
    assert np.isfinite(read_snapshot(tmp_path / "m")["a"]).all()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 40, b"\x02\0\0\0\0\0\0\0{}", b"\x02\0\0\0\0\0\0\0[]"])
def test_a_damaged_one_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "step-0000001.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="step-0000001"):
        read_stamp(path)
    if content != b"\x02\0\0\0\0\0\0\0{}":  # no tensors: the model says what is missing
        with pytest.raises(CheckpointError, match="step-0000001"):
            read_snapshot(path)


def test_one_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="is gone"):
        read_snapshot(tmp_path / "none")
    with pytest.raises(NotFoundError, match="is gone"):
        read_stamp(tmp_path / "none")
