"""llama2.c's own files of all versions hold the weights of its ckpt.pt; damaged ones are refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_programs import Llama, made
from numpy.typing import NDArray
from torch import Tensor

from tinygpt_tui.checkpoints.stored import weights_of
from tinygpt_tui.checkpoints.torch_net import filled, tensors_of
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.opening import inspect_checkpoint

MODELS = [Llama(V=30, KV=2, tied=True), Llama(V=21, KV=4, tied=False, L=3)]
MATRICES = (*(f"attention.w{letter}" for letter in "qkvo"), *(f"feed_forward.w{number}" for number in (1, 2, 3)))
GROUP = 4


def exported(model: Llama, version: int) -> bytes:
    """Return what llama2.c's export.py writes."""
    state, told = model.state_dict(), model.arguments

    def layers(kind: str) -> list[Tensor]:
        return [state[f"layers.{layer}.{kind}.weight"] for layer in range(told["n_layers"])]

    embedding, final = state["tok_embeddings.weight"], state["norm.weight"]
    tied = model.output.weight is model.tok_embeddings.weight
    head = [] if tied else [state["output.weight"]]
    hidden = state["layers.0.feed_forward.w1.weight"].shape[0]
    sizes = told["dim"], hidden, told["n_layers"], told["n_heads"], told["n_kv_heads"]
    vocabulary, window = told["vocab_size"], told["max_seq_len"]
    norms = [*layers("attention_norm"), *layers("ffn_norm"), final]
    matrices = [embedding, *(one for kind in MATRICES for one in layers(kind)), *head]
    if version == 0:
        turns = torch.zeros(2, window, told["dim"] // told["n_heads"] // 2)
        first, second = MATRICES[:4], MATRICES[4:]
        order = ("attention_norm", *first, "ffn_norm", *second)
        rows = [embedding, *(one for kind in order for one in layers(kind)), final, turns, *head]
        return struct.pack("<7i", *sizes, vocabulary if tied else -vocabulary, window) + b"".join(map(floats, rows))
    header = struct.pack("<4si7iBi", b"24ka", version, *sizes, vocabulary, window, tied, GROUP).ljust(256, b"\0")
    if version == 1:
        return header + b"".join(map(floats, [*norms, *matrices]))
    return header + b"".join(map(floats, norms)) + b"".join(map(rounded, matrices))


def floats(tensor: Tensor) -> bytes:
    return tensor.detach().numpy().astype("<f4").tobytes()


def in_steps(tensor: Tensor) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    grouped = tensor.detach().numpy().reshape(-1, GROUP)
    scales = np.abs(grouped).max(axis=1) / np.float32(127)
    return np.rint(grouped / scales[:, None]).astype(np.int8), scales


def rounded(tensor: Tensor) -> bytes:
    steps, scales = in_steps(tensor)
    return steps.tobytes() + scales.astype("<f4").tobytes()


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("model", MODELS, ids=("tied", "not tied"))
@torch.no_grad()
def test_its_logits_are_those_of_the_weights_that_were_exported(model: Llama, version: int, tmp_path: Path) -> None:
    made(model)
    for weight in model.parameters() if version == 2 else ():
        if weight.dim() == 2:  # what the file can hold
            steps, scales = in_steps(weight)
            weight.copy_(torch.from_numpy(steps * scales[:, None]).view_as(weight))
    content = exported(model, version)
    path = tmp_path / "stories.bin"
    path.write_bytes(content)
    inspection = inspect_checkpoint(path)
    assert inspection.layout.name == "llama2c"
    assert inspection.settings.block_size == model.arguments["max_seq_len"]
    ids = torch.arange(8)[None]
    wanted = model(ids)
    found = filled(inspection.settings, tensors_of(weights_of(inspection))).eval()(ids)
    assert (found - wanted).abs().max() < 1e-4 * (wanted.max() - wanted.min())
    for damaged in (content[:-4], content[:30], content + b"0"):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            inspect_checkpoint(path)


@pytest.mark.parametrize(
    ("at", "value"), [(4, 3), (8, 0), (12, -1), (16, 1 << 30), (20, 3), (20, 0), (32, 0), (37, 0), (37, 7)]
)
def test_a_header_that_cannot_be_is_refused(at: int, value: int, tmp_path: Path) -> None:
    content = bytearray(exported(made(MODELS[0]), 2))
    content[at : at + 4] = struct.pack("<i", value)
    (tmp_path / "stories.bin").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"stories\.bin"):
        inspect_checkpoint(tmp_path)
