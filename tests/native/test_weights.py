"""Weights read without torch are the state dict's; what does not fit is named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from makers import CLASSIC, STANDARD_VARIANTS, make_model, random_ids, random_model, tiny_gpt

from tinygpt_tui.checkpoints.native import load
from tinygpt_tui.checkpoints.weights import read_weights
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.library import LAYER_MATRICES, LAYER_PARTS, NET_MATRICES, NET_PARTS, Library
from tinygpt_tui.native.panels import LANES, PANEL
from tinygpt_tui.native.weights import arrange, shapes, supports
from tinygpt_tui.settings.architecture import GPTSettings


@pytest.mark.parametrize("settings", STANDARD_VARIANTS.values(), ids=STANDARD_VARIANTS.keys())
def test_the_shapes_are_the_state_dicts(settings: GPTSettings) -> None:
    state = random_model(settings).state_dict()
    assert shapes(settings) == {name: tuple(tensor.shape) for name, tensor in state.items()}


@pytest.mark.parametrize("settings", STANDARD_VARIANTS.values(), ids=STANDARD_VARIANTS.keys())
def test_every_part_is_aligned_and_in_the_c_structures(settings: GPTSettings, tmp_path: Path) -> None:
    make_model(tmp_path / "cat", settings)
    weights = read_weights(tmp_path / "cat")
    assert weights.settings == settings
    for parts, known in (
        (weights.net, NET_PARTS + NET_MATRICES),
        *((p, LAYER_PARTS + LAYER_MATRICES) for p in weights.layers),
    ):
        assert set(parts) <= set(known)
        for name, part in parts.items():
            assert part.flags.c_contiguous
            assert part.dtype == (np.float64 if name == "frequencies" else np.float32)
            assert name == "frequencies" or part.ctypes.data % 64 == 0


@pytest.mark.parametrize("width", [1, 16, 63, 64, 65, 130])
def test_panels_hold_every_weight_at_its_place(width: int) -> None:
    settings = tiny_gpt(vocab_size=width, tied_head=False)
    state = {name: np.zeros(shape) for name, shape in shapes(settings).items()}
    state["lm_head.weight"] = np.arange(width * 16.0).reshape(width, 16)
    head = arrange(settings, state).net["head"]
    padded = -(-width // LANES) * LANES
    assert head.size == 16 * padded
    for row in range(16):
        for column in range(width):
            panel = column // PANEL * PANEL
            place = panel * 16 + row * min(PANEL, padded - panel) + column - panel
            assert head[place] == state["lm_head.weight"][column, row]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_read_as_torch_reads_them(dtype: torch.dtype, tmp_path: Path, library: Library) -> None:
    folder = tmp_path / "cat"
    make_model(folder)
    path = folder / "weights.safetensors"
    state = {name: tensor.to(dtype) for name, tensor in safetensors.torch.load_file(path).items()}
    safetensors.torch.save_file(state, path)
    found = NativeEngine(read_weights(folder), library).prefill(random_ids(8))
    np.testing.assert_allclose(found, TorchEngine(load(folder).model).prefill(random_ids(8)), rtol=0, atol=1e-4)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in state_of(CLASSIC).items() if key != name}


def state_of(settings: GPTSettings) -> dict[str, Any]:
    return {name: tensor.numpy() for name, tensor in random_model(settings).state_dict().items()}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (without("transformer.h.1.mlp.c_fc.weight"), r"missing: transformer\.h\.1\.mlp\.c_fc\.weight"),
        ({**state_of(CLASSIC), "gate.w": np.zeros(3)}, r"unknown: gate\.w"),
        ({**state_of(CLASSIC), "transformer.ln_f.weight": np.ones(15)}, r"other shape: transformer\.ln_f\.weight"),
        (
            {**state_of(CLASSIC), "transformer.ln_f.weight": np.ones(16, dtype=int)},
            r"transformer\.ln_f\.weight is made of int64",
        ),
        (without("transformer.wte.weight"), r"missing: transformer\.wte\.weight"),
    ],
    ids=["missing", "unknown", "other shape", "whole numbers", "no embedding"],
)
def test_a_tensor_that_does_not_fit_is_named(state: dict[str, Any], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        arrange(CLASSIC, state)


@pytest.mark.parametrize(
    "settings",
    [
        tiny_gpt(n_head=3),
        tiny_gpt(n_embd=6, positions="rotary"),
        tiny_gpt(n_layer=0),
        tiny_gpt(block_size=-1),
        tiny_gpt(token_shift=4),
        tiny_gpt(n_embd=1 << 20),
        tiny_gpt(sliding=True),
    ],
    ids=["heads", "odd head, rotary", "no layer", "no window", "a far shift", "too wide", "sliding, learned positions"],
)
def test_settings_that_cannot_be_are_refused(settings: GPTSettings) -> None:
    with pytest.raises(CheckpointError, match="are invalid"):
        arrange(settings, {})


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "cat"
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        read_weights(folder)
    make_model(folder)
    weights = folder / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-10])
    with pytest.raises(CheckpointError, match="is damaged"):
        read_weights(folder)
    safetensors.torch.save_file({"transformer.wte.weight": torch.zeros(13, 16, dtype=torch.int32)}, weights)
    with pytest.raises(CheckpointError, match="made of I32"):
        read_weights(folder)
    weights.unlink()
    with pytest.raises(CheckpointError, match="no weights yet"):
        read_weights(folder)
    shutil.rmtree(folder)


def test_only_gpts_are_supported() -> None:
    assert supports(CLASSIC)
    assert not supports("rnn")
