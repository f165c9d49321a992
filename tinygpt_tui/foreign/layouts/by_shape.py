"""A GPT of a program that is not known: roles by shapes and structure, which roles/ finds; the rest is asked.

It is asked last. Norms before or after the sublayers, heads, activation, scale: calibrate.py tries what may be.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.decisions import ask_the_rest
from tinygpt_tui.foreign.layouts.base import Findings, Follow, LayoutMatch, Weights, are_same
from tinygpt_tui.foreign.layouts.heads import WINDOWS, find_heads, numbers_told
from tinygpt_tui.foreign.layouts.hugging_face_rows import one_norm
from tinygpt_tui.foreign.layouts.module import activation_of, dropout_of, epsilon_of, norms_first
from tinygpt_tui.foreign.qkv_order import ORDERS, Reading
from tinygpt_tui.foreign.rename import Placed, To
from tinygpt_tui.foreign.roles.blocks import Blocks, Part, learned_parts
from tinygpt_tui.foreign.roles.inside import BlockRoles
from tinygpt_tui.foreign.roles.names import is_alibi
from tinygpt_tui.foreign.roles.outside import OutsideRoles
from tinygpt_tui.foreign.roles.whole import find_roles, not_understood
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.foreign.tensors import TensorPlace, read
from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.settings.gpt import GATED
from tinygpt_tui.settings.model_config import EMBEDDING, HEAD

WINDOW = 256  # where nothing tells one
LARGEST_HEAD = 4096
ACTIVATIONS = ("gelu", "relu", "gelu_tanh", "relu_squared", "silu")
_WPE = "transformer.wpe.weight"


class ByShape:
    """Any decoder of blocks with attention."""

    name, title = "by-shape", "a GPT with names of its own, by the shapes of its tensors"

    def recognises(self, source: Source) -> bool:
        return self.problem(source) is None

    def problem(self, source: Source) -> CheckpointError | None:
        """Return why it is none of this kind; None where it is one."""
        learned = learned_parts(source)[0]
        try:
            find_roles(learned, source.name)
        except CheckpointError as error:
            return not_understood(learned, source.name) or error
        return None

    def match(self, source: Source) -> LayoutMatch:
        learned, others = learned_parts(source)
        blocks, inside, outside, width = find_roles(learned, source.name)
        found = Findings()
        found.known("vocab_size", outside.vocab_size, "tensor", outside.tokens.name)
        found.known("n_embd", width, "tensor", outside.tokens.name)
        found.known("n_layer", len(blocks.layers), "tensor", "counted")
        _tell_heads(found, source, inside, others)
        _tell_norms(found, source, inside, outside)
        _tell_positions(found, source, outside, others)
        _tell_mlp(found, source, inside)
        tied = outside.head is None or are_same(source, outside.head.name, outside.tokens.name)
        found.known("bias", inside.bias, "tensor")
        found.known("qkv_bias", inside.qkv_bias, "tensor")
        found.known("projection", inside.projection, "tensor")
        if inside.qk_norm:
            for name in ("qk_norm", "qk_norm_weight"):
                found.known(name, True, "tensor", "queries and keys have norms")
        found.known("tied_head", tied, "tensor", "the head is the embedding" if tied else "")
        found.known("head_bias", outside.head_bias is not None, "tensor")
        if inside.is_torch_attention:
            found.known("attention_scale", "head_size", "tensor", "torch's MultiheadAttention, by its in_proj_weight")
        else:
            found.unknown("attention_scale", ("head_size", "n_embd", "one"), "shapes do not tell it")
        if inside.qkv_order == "fused":
            found.unknown("qkv_order", ORDERS, "the most common order")
        elif inside.qkv_order == "unnamed":
            found.unknown("qkv_order", ORDERS[:6], "the order of its matrices in the file")
        elif inside.qkv_order == "per_head":
            found.readings["qkv_order"] = "per_head"
        if outside.positions is not None and outside.positions.name.endswith("pos_emb.emb.weight"):
            found.unknown("position_scale", ("rsqrt_n_embd", "one"), "x-transformers multiplies positions by 1/√n_embd")
        ask_the_rest(found)
        follow = _followed(inside, outside, width, len(blocks.layers))
        settings = follow(found.settings(source.name), found.reading)
        return found.match(settings, _placed(blocks, inside, outside, tied), finish=_finish, follow=follow)


def _tell_heads(found: Findings, source: Source, inside: BlockRoles, others: list[TensorPlace]) -> None:
    pairs = len(_rotation_frequencies(others))
    if inside.heads:
        found.known("n_head", inside.heads, "tensor", "counted")
    elif inside.qk_norm:
        found.known("n_head", inside.query_width // inside.qk_norm, "tensor", "the norms of queries and keys")
    elif pairs and inside.query_width % (2 * pairs) == 0:
        found.known("n_head", inside.query_width // (2 * pairs), "tensor", "the angles of its rotary positions")
    else:
        find_heads(found, source, width=inside.query_width, kv_width=inside.kv_width)


def _tell_norms(found: Findings, source: Source, inside: BlockRoles, outside: OutsideRoles) -> None:
    if not inside.norms:
        if outside.norm is not None:
            raise CheckpointError(f"{source.name} has a norm before the head and none with weights in its blocks", "")
        found.known("norm_weight", False, "tensor")
        found.unknown("norm", ("none", "rmsnorm", "layernorm"), "norms without weights are in no tensor")
        found.unknown("residual", ("stream", "none"), "shapes do not tell it")
        return
    if inside.norm_bias:
        found.known("norm", "layernorm", "tensor", "its norms have biases")
    else:
        modern = outside.positions is None or inside.layers_of_mlp == 3
        kinds = ("rmsnorm", "layernorm") if modern else ("layernorm", "rmsnorm")
        found.unknown("norm", kinds, "its norms have one vector each")
    if outside.norm is not None:
        found.known("final_norm", True, "tensor", outside.norm.weight.name)
    else:
        found.unknown("final_norm", (False, True), "norms without weights are in no tensor")
    first = norms_first(source.module)
    if inside.norms == 1 and inside.layers_of_mlp:
        found.known("residual", "stream", "tensor", "one norm a block")
        found.known("parallel", True, "tensor", "one norm a block")
    elif first is not None:
        found.known("residual", "stream" if first else "post_norm", "module", "norm_first")
    else:
        order = ("post_norm", "stream") if inside.is_torch_attention else ("stream", "post_norm")
        found.unknown("residual", order, "shapes do not tell whether norms come before or after")
        if inside.norms == 2:
            found.unknown("parallel", (False, True), "mostly the MLP reads what attention has made")
    if not inside.norm_order_known:
        found.unknown("norm_order", ("as_named", "swapped"), "their names do not say which is of attention")
    epsilon = epsilon_of(source.module)
    if epsilon is not None:
        found.known("epsilon", epsilon, "module", "LayerNorm")


def _tell_positions(found: Findings, source: Source, outside: OutsideRoles, others: list[TensorPlace]) -> None:
    masks = [place.shape[-1] for place in others if len(place.shape) >= 2 and place.shape[-1] == place.shape[-2]]
    if outside.positions is not None:
        rows, columns = outside.positions.shape
        rows = rows if columns == found.values["n_embd"] else columns
        window = min([rows, *(size for size in masks if size > 1)])
        if window < rows or not _are_waves(read(source.tensors[outside.positions.name]), rows):
            found.known("block_size", window, "tensor", outside.positions.name if window == rows else "its mask")
            return
        told = next((one for one in numbers_told(source, WINDOWS) if one[0] <= rows), None)
        if told is not None:
            found.known("block_size", *told)
        else:
            found.assumed("block_size", min(rows, WINDOW), f"its waves reach to {rows:,}")
        return
    told = next(numbers_told(source, WINDOWS), None)
    if told is not None:
        found.known("block_size", *told)
    elif masks:
        found.known("block_size", max(masks), "tensor", "its mask")
    else:
        found.assumed("block_size", WINDOW, "no tensor holds positions")
    frequencies = _rotation_frequencies(others)
    kinds: tuple[str, ...] = ("rotary_halves", "rotary", "waves", "alibi", "none")
    if any(is_alibi(place.name) for place in others):
        kinds = ("alibi",)
    found.unknown("unstored_positions", kinds[:2] if len(frequencies) else kinds, "no tensor holds positions")
    found.values["positions"] = "rotary"
    if len(frequencies) > 1 and 0 < frequencies[1] < 1:
        found.known("rotary_base", float(round(frequencies[1] ** -len(frequencies))), "tensor", "its angles")


def _are_waves(positions: NDArray[np.float32], rows: int) -> bool:
    """Whether positions are computed sines and cosines, of which there are often more than a model has learned."""
    first = positions.reshape(rows, -1)[0]
    return bool(np.isin(first, (0, 1)).all() and 0 < first.sum() < len(first))


def _rotation_frequencies(others: list[TensorPlace]) -> NDArray[np.float32]:
    """Return how far each pair of a head is turned from one position to the next; empty where no tensor tells it."""
    for place in others:
        if place.is_float and len(place.shape) == 1 and 0 < place.numel < LARGEST_HEAD:
            numbers = read(place)
            if numbers[0] == 1 and (np.diff(numbers) < 0).all():
                return numbers
    return np.zeros(0, dtype=np.float32)


def _tell_mlp(found: Findings, source: Source, inside: BlockRoles) -> None:
    kinds = {0: "none", 1: "one_layer"}
    found.known("feed_forward", kinds.get(inside.layers_of_mlp, "mlp"), "tensor")
    if not inside.layers_of_mlp:
        return
    width = found.values["n_embd"]
    if inside.layers_of_mlp > 1 and inside.hidden != 4 * width:
        found.known("hidden", inside.hidden, "tensor", "the MLP's first matrix")
    if inside.layers_of_mlp == 1 and inside.hidden != width:
        raise CheckpointError(f"{source.name}: its MLP has one matrix, {inside.hidden} x {width}", "")
    activation = activation_of(source.module)
    if inside.layers_of_mlp == 3:
        found.unknown("activation", GATED, "an MLP of three matrices")
    elif activation:
        found.known("activation", activation, "module", "the class inside the MLP")
    else:
        found.unknown("activation", ACTIVATIONS, "shapes do not tell it")
    if not inside.mlp_order_known:
        found.unknown("mlp_order", ("as_named", "swapped"), "names and shapes do not tell which comes first")
    dropout = dropout_of(source.module)
    if dropout is not None:
        found.known("dropout", dropout, "module", "Dropout")
        found.known("attention_dropout", dropout, "module", "Dropout")


def _followed(inside: BlockRoles, outside: OutsideRoles, width: int, n_layer: int) -> Follow:
    def follow(settings: ArchitectureSettings, reading: Reading) -> ArchitectureSettings:
        assert isinstance(settings, GPTSettings)
        changes: dict[str, Any] = {"n_layer": n_layer * reading.repetition}
        if inside.query_width != width:
            changes["head_width"] = inside.query_width // settings.n_head
        if inside.kv_width != inside.query_width:
            changes["n_kv_head"] = max(1, inside.kv_width * settings.n_head // inside.query_width)
        if outside.positions is None:
            kind = reading.unstored_positions.removesuffix("_halves")
            changes["positions"] = kind if kind in ("rotary", "alibi") else "learned"
        if reading.embedding_scale != "one" or reading.head_scale != "one":
            changes["tied_head"] = False
        if reading.rotary_share < 1:
            head_size = inside.query_width // settings.n_head
            changes["rotary_width"] = int(head_size * reading.rotary_share) // 2 * 2
        return msgspec.structs.replace(settings, **changes)

    return follow


def _placed(blocks: Blocks, inside: BlockRoles, outside: OutsideRoles, tied: bool) -> Placed:
    placed: Placed = {}

    def put(part: Part | None, target: str, to: To) -> None:
        if part is not None:
            numbers = tuple(int(number) for number in to.part.split(".") if number)
            placed.setdefault(target, []).append((numbers, part.name, dataclasses.replace(to, squeezed=True)))

    for number, layer in enumerate(blocks.layers):
        for path, to in inside.places:
            put(layer[path], f"transformer.h.{number}.{to.name}", to)
    for parts in placed.values():
        parts.sort(key=lambda one: one[0])
    put(outside.tokens, EMBEDDING, To(""))
    put(outside.positions, _WPE, To(""))
    put(None if tied else outside.head, HEAD, To(""))
    put(outside.head_bias, "lm_head.bias", To(""))
    if outside.norm is not None:
        put(outside.norm.weight, "transformer.ln_f.weight", To(""))
        put(outside.norm.bias, "transformer.ln_f.bias", To(""))
    return placed


def _finish(weights: Weights, settings: ArchitectureSettings) -> Weights:
    """Turn what is (in, out) outside the blocks, and cut positions to the window."""
    assert isinstance(settings, GPTSettings)
    made = dict(weights)
    if settings.parallel and not any(".ln_2." in name for name in made):
        made = one_norm(made, settings)
    if settings.final_norm and settings.norm_weight and settings.norm != "none":
        made.setdefault("transformer.ln_f.weight", np.ones(settings.n_embd, dtype=np.float32))
    for name in (EMBEDDING, HEAD, _WPE):
        if name in made and made[name].shape[1] != settings.n_embd:
            made[name] = np.ascontiguousarray(made[name].T)
    if _WPE in made:
        made[_WPE] = made[_WPE][: settings.block_size]
    return made
