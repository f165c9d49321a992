"""Prompts of different lengths in one batch: GPTnano pads them on the left, here each row has its own length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from foreign_programs import GPTnano, made
from torch import Tensor

from tinygpt_tui.checkpoints.stored import weights_of
from tinygpt_tui.checkpoints.torch_net import filled, tensors_of
from tinygpt_tui.foreign.opening import inspect_checkpoint
from tinygpt_tui.generation.slots import SlotBatchEngine
from tinygpt_tui.settings.fields import changed

PAD = 0


def left_padded(model: GPTnano, rows: list[list[int]]) -> Tensor:
    """Return the logits after the last token of each row (B, V): padding is before it, and no token attends to it."""
    longest = max(map(len, rows))
    ids = torch.tensor([[PAD] * (longest - len(row)) + row for row in rows])
    padding = torch.tensor([longest - len(row) for row in rows])[:, None]
    places = torch.arange(longest)
    visible = (places[None, :, None] >= places) & (places >= padding)[:, None] | torch.eye(longest, dtype=torch.bool)
    x = model.token_embedding_table(ids) + model.position_embedding_table.pe[(places - padding).clamp(min=0)]
    for block in model.attn_blocks:
        x = block.norm1(x)
        q, k, v = (
            part.unflatten(-1, (block.H, -1)).transpose(1, 2)
            for part in block.self_attention["c_attn"](x).chunk(3, dim=-1)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=visible[:, None]).transpose(1, 2).flatten(2)
        x = block.norm3(x + block.self_attention["proj_layer"](mixed))
        x = x + block.mlp["proj"](F.gelu(block.mlp["ffnn"](x)))
    return model.lm_head(x[:, -1])


@torch.no_grad()
def test_a_batch_of_prompts_from_gptnanos_file_is_its_left_padded_batch(tmp_path: Path) -> None:
    program = made(GPTnano())
    assert isinstance(program, GPTnano)
    torch.save(program.state_dict(), tmp_path / "gpt.pt")
    inspection = inspect_checkpoint(tmp_path / "gpt.pt")
    model = filled(changed(inspection.settings, {"n_head": 3}), tensors_of(weights_of(inspection))).eval()
    rows = [[5, 9, 31, 2, 60, 7], [12], [44, 8, 8, 19], [3, 69]]
    batch = SlotBatchEngine(model, len(rows))
    found = np.asarray(batch.join(rows))
    for _ in range(4):
        wanted = left_padded(program, rows).numpy()
        assert found == pytest.approx(wanted, abs=1e-3)
        newest = wanted.argmax(-1).tolist()
        rows = [[*row, id] for row, id in zip(rows, newest, strict=True)]
        found = np.asarray(batch.step(newest))
