"""How a file's numbers are to be read where neither names nor shapes tell it, as the order of q, k, v in one matrix."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings

Weights = dict[str, NDArray[np.float32]]
# GPT-2 and nanoGPT lay them as q, k, v; GPTnano did as k, q, v, in which order the lecture names them; CodeGen does as
# q, v, k; GPT-NeoX and BLOOM lay those of one head together.
QKVOrder = Literal["qkv", "kqv", "qvk", "kvq", "vqk", "vkq", "per_head"]
ORDERS: tuple[QKVOrder, ...] = ("qkv", "kqv", "qvk", "kvq", "vqk", "vkq", "per_head")


Order = Literal["as_named", "swapped"]
# As llama2.c rotates pairs of neighbours; as Llama's port to Hugging Face does, the halves of a head; the waves of
# "Attention is all you need", computed and not stored; a penalty by distance; nothing.
UnstoredPositions = Literal["rotary", "rotary_halves", "waves", "alibi", "none"]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How the file's numbers are to be read, where that is no setting of the net."""

    qkv_order: Annotated[
        QKVOrder, Meta(description="which of query, key and value comes first in a fused matrix, or all of each head")
    ] = "qkv"
    norm_order: Annotated[Order, Meta(description="a block's two norms: as their names are ordered, or swapped")] = (
        "as_named"
    )
    mlp_order: Annotated[
        Order, Meta(description="two matrices of the MLP of one shape: as their names are ordered, or swapped")
    ] = "as_named"
    unstored_positions: Annotated[
        UnstoredPositions,
        Meta(description="positions that no tensor holds: rotation of neighbours or of halves, waves, ALiBi, or none"),
    ] = "rotary"
    embedding_scale: Annotated[
        Literal["one", "root_n_embd"], Meta(description="token embeddings are multiplied by this")
    ] = "one"
    position_scale: Annotated[
        Literal["one", "rsqrt_n_embd"], Meta(description="position embeddings are multiplied by this")
    ] = "one"
    repetition: Annotated[
        int, Meta(ge=1, le=64, description="how many times the stored blocks follow one another: shared layers")
    ] = 1
    residual_scale: Annotated[
        Literal["one", "rsqrt_2", "rsqrt_layers"],
        Meta(description="what a sublayer's result is multiplied by before it is added"),
    ] = "one"
    head_scale: Annotated[Literal["one", "rsqrt_n_embd"], Meta(description="logits are multiplied by this")] = "one"
    rotary_share: Annotated[
        float, Meta(gt=0, le=1, description="rotary positions: the first part of each head that rotates")
    ] = 1.0


READINGS = frozenset(Reading.__struct_fields__)


def orders(first: QKVOrder) -> tuple[QKVOrder, ...]:
    """Return all orders, the one that the layout's program writes first."""
    return (first, *(order for order in ORDERS if order != first))


def in_order(weights: Weights, order: QKVOrder, settings: ArchitectureSettings) -> Weights:
    """Return the weights with every fused matrix as our net has it: queries, keys, values, each head by head."""
    if order == "qkv" or not isinstance(settings, GPTSettings):
        return dict(weights)
    return {
        name: _rows(numbers, order, settings.n_head) if ".attn.c_attn." in name else numbers
        for name, numbers in weights.items()
    }


def _rows(numbers: NDArray[np.float32], order: QKVOrder, n_head: int) -> NDArray[np.float32]:
    """Reorder the rows of (3C, …). A shape that cannot be divided is returned as it is, and refused later by name."""
    if order == "per_head":
        if len(numbers) % (3 * n_head):
            return numbers
        parts = numbers.reshape(n_head, 3, -1, *numbers.shape[1:])
        return np.ascontiguousarray(parts.swapaxes(0, 1)).reshape(numbers.shape)
    if len(numbers) % 3:
        return numbers
    thirds = np.split(numbers, 3)
    return np.concatenate([thirds[order.index(part)] for part in "qkv"])
