"""Puts a file's numbers where our net has them, by what its reading says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.foreign.layouts.hugging_face_rows import pairs_together
from tinygpt_tui.foreign.qkv_order import Reading, Weights, in_order
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.settings.model_config import EMBEDDING, HEAD

POSITIONS, BLOCKS = "transformer.wpe.weight", "transformer.h."


def arranged(weights: Weights, reading: Reading, settings: ArchitectureSettings) -> Weights:
    """Return the weights as our net of these settings has them; those given stay as they are."""
    found = in_order(weights, reading.qkv_order, settings)
    if not isinstance(settings, GPTSettings):
        return found
    if reading.norm_order == "swapped":
        found = _swapped(found, ".ln_1.", ".ln_2.")
    if reading.mlp_order == "swapped":
        found = _swapped(found, ".mlp.c_fc.", ".mlp.c_gate." if settings.has_gate else ".mlp.c_proj.")
    if (reading.embedding_scale, reading.head_scale) != ("one", "one"):
        found.setdefault(HEAD, found[EMBEDDING])
    if reading.embedding_scale == "root_n_embd":
        found[EMBEDDING] = found[EMBEDDING] * np.float32(settings.n_embd**0.5)
    if reading.head_scale == "rsqrt_n_embd":
        found |= {name: found[name] * np.float32(settings.n_embd**-0.5) for name in found if name.startswith("lm_head")}
    if reading.repetition > 1:
        found = _repeated(found, settings.n_layer // reading.repetition, reading.repetition)
    if reading.residual_scale != "one":
        scale = np.float32((2 if reading.residual_scale == "rsqrt_2" else 2 * settings.n_layer) ** -0.5)
        found |= {name: found[name] * scale for name in found if ".c_proj." in name}
    if reading.position_scale == "rsqrt_n_embd":
        found[POSITIONS] = found[POSITIONS] * np.float32(settings.n_embd**-0.5)
    if settings.is_rotary and reading.unstored_positions == "rotary_halves":
        found = pairs_together(found, settings)
    if settings.positions == "learned" and POSITIONS not in found:
        found[POSITIONS] = _waves(settings, present=reading.unstored_positions == "waves")
    return found


def _repeated(weights: Weights, stored: int, times: int) -> Weights:
    """Return the weights of a net whose `stored` blocks follow one another several times."""
    blocks = {name: numbers for name, numbers in weights.items() if name.startswith(BLOCKS)}
    found = dict(weights)
    for name, numbers in blocks.items():
        layer, _, rest = name.removeprefix(BLOCKS).partition(".")
        found |= {f"{BLOCKS}{int(layer) + stored * again}.{rest}": numbers for again in range(1, times)}
    return found


def _swapped(weights: Weights, one: str, other: str) -> Weights:
    def renamed(name: str) -> str:
        return name.replace(one, other) if one in name else name.replace(other, one)

    return {renamed(name): numbers for name, numbers in weights.items()}


def _waves(settings: GPTSettings, *, present: bool) -> NDArray[np.float32]:
    """Return the sines and cosines of positions (T, C), or zeros. Source: Vaswani et al. 2017, section 3.5."""
    T, C = settings.block_size, settings.n_embd
    table = np.zeros((T, C), dtype=np.float32)
    if present:
        angles = np.arange(T)[:, None] * 10_000.0 ** (-np.arange(0, C, 2) / C)
        table[:, 0::2], table[:, 1::2] = np.sin(angles), np.cos(angles)[:, : C // 2]
    return table
