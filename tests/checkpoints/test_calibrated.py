"""A calibrated model gives its logits times one number, for every architecture and every reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from makers import CLASSIC, STANDARD_VARIANTS, VARIANTS, make_model, random_ids, random_model
from numpy.typing import NDArray

from tinygpt_tui.checkpoints.calibrated import write_calibration
from tinygpt_tui.checkpoints.card import WEIGHTS, read_config
from tinygpt_tui.checkpoints.engines import forward_of
from tinygpt_tui.checkpoints.native import load_snapshot, write_weights
from tinygpt_tui.checkpoints.stored import StoredModel, read_folder
from tinygpt_tui.checkpoints.weights import read_weights, weight_places
from tinygpt_tui.foreign.readers.safetensors_file import read_tensors
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.library import load_library
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.model_config import Calibration, TrainedOn

HALF = Calibration(logit_scale=0.5, tokens=100, text="100 tokens of a test")


def ids_for(settings: ArchitectureSettings) -> NDArray[np.int64]:
    """Some ids that fit the window and the vocabulary (1, T)."""
    return np.array([random_ids(6)])[:, : settings.block_size] % settings.vocab_size


def logits(stored: StoredModel) -> NDArray[np.float32]:
    settings = stored.config.architecture
    return forward_of(settings, stored.weights, "it")(ids_for(settings))


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_are_scaled(variant: str, tmp_path: Path) -> None:
    folder = tmp_path / "it"
    make_model(folder, VARIANTS[variant])
    before = logits(read_folder(folder))
    write_calibration(folder, HALF, 1.25)
    stored = read_folder(folder)
    np.testing.assert_allclose(logits(stored), before / 2, rtol=1e-4, atol=1e-5)
    assert stored.config.calibration is None  # it is in the weights: no export can apply it twice
    trained = read_config(folder).trained
    assert trained is not None
    assert trained.validation_loss == 1.25
    raw = read_folder(folder, read_tensors(folder / WEIGHTS, weight_places(folder)))
    np.testing.assert_array_equal(logits(raw), before)  # the file has the weights that were trained


@pytest.mark.parametrize("variant", STANDARD_VARIANTS)
def test_the_native_engine_reads_the_same(variant: str, tmp_path: Path) -> None:
    library = load_library()
    if library is None:
        pytest.skip("the native engine was not built")
    make_model(tmp_path / "it", VARIANTS[variant])
    write_calibration(tmp_path / "it", HALF, None)
    engine = NativeEngine(read_weights(tmp_path / "it"), library)
    ids = ids_for(VARIANTS[variant])[0].tolist()
    np.testing.assert_allclose(engine.every(ids), logits(read_folder(tmp_path / "it"))[0], rtol=1e-4, atol=1e-5)


def test_other_weights_are_not_calibrated(tmp_path: Path) -> None:
    make_model(tmp_path / "it")
    write_calibration(tmp_path / "it", HALF, None)
    other = random_model(CLASSIC, 9)
    arrays = {name: tensor.numpy() for name, tensor in other.state_dict().items()}
    moment = load_snapshot(tmp_path / "it", arrays).model  # of a run: its loss is on the curve as it is
    ids = torch.from_numpy(ids_for(CLASSIC))
    assert torch.equal(moment(ids), other(ids))
    write_weights(tmp_path / "it", other, TrainedOn(corpus="c", step=9, validation_loss=1.0))
    assert read_config(tmp_path / "it").calibration is None
