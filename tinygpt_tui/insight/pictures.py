"""A tensor made small enough to be drawn: the last tokens, and the strongest of neighbouring channels."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from tinygpt_tui.events.tracing import Picture
from tinygpt_tui.settings.architecture import ArchitectureSettings

MOST_ROWS, FEWEST_ROWS = 64, 8
COLUMNS, HEAD_COLUMNS = 64, 32
STREAM_STEPS, HEAD_STEPS = 14, 8  # about this many tensors of a block are as wide as the stream, or have heads
ROOM = 4 << 20  # bytes of all pictures of a trace
LARGEST_HALF = 65504.0


def rows_for(settings: ArchitectureSettings) -> int:
    """Return how many tokens the pictures show, so that those of all layers and heads stay within ROOM."""
    layers = max(1, settings.n_layer)
    heads = max(settings.n_head, settings.n_sense, 1)
    rows = MOST_ROWS
    while (
        rows > FEWEST_ROWS
        and 2 * layers * rows * (STREAM_STEPS * COLUMNS + heads * (HEAD_STEPS * HEAD_COLUMNS + rows + 1)) > ROOM
    ):
        rows //= 2
    return rows


def picture_of(table: Tensor, rows: int, most_columns: int) -> Picture:
    """Draw (T, C): its last rows, and of columns that have no room the strongest of its neighbours."""
    table = table[-rows:].float()
    count = table.shape[1]
    each = math.ceil(count / most_columns) or 1
    if each > 1:
        table = torch.nn.functional.pad(table, (0, -count % each)).view(table.shape[0], -1, each)
        strongest = table.abs().argmax(-1, keepdim=True)
        table = table.gather(-1, strongest).squeeze(-1)
    return _packed(table, each)


def weights_picture(weights: Tensor, rows: int) -> Picture:
    """Draw attention weights (rows, S): the last `rows` keys, and before them one column for all earlier ones."""
    if weights.shape[1] > rows:
        weights = torch.cat((weights[:, :-rows].sum(1, keepdim=True), weights[:, -rows:]), dim=1)
    return _packed(weights, 1)


def _packed(table: Tensor, each: int) -> Picture:
    numbers = table.detach().cpu().numpy().astype(np.float32)
    halves = np.clip(np.nan_to_num(numbers), -LARGEST_HALF, LARGEST_HALF).astype("<f2")
    return Picture(halves.shape[0], halves.shape[1], each, halves.tobytes())
