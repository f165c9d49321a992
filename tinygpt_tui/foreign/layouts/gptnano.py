"""GPTnano's two nets, on one frame: its GPT, and its Elman network.

Its GPT adds a sublayer's result to the *normed* stream; it has no norm before the head. Its early version split the
fused matrix as key, query, value. Its network feeds every block the embedding, so only the last block counts: the
others are known and ignored.
"""

from __future__ import annotations

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.characters import SHAKESPEARE
from tinygpt_tui.foreign.layouts.base import Findings, LayoutMatch, Weights
from tinygpt_tui.foreign.layouts.heads import find_heads
from tinygpt_tui.foreign.rename import Table, To, count, place
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.settings.architecture import ArchitectureSettings, RNNSettings

CONTEXT = 16  # its own default; with waves for positions no tensor tells it
SPECIAL = "\ue000\ue001\ue002\ue003\ue004"  # unknown, padding, source, target, end: ids that are no text
_TABLE, _WAVES, _POSITIONS = (
    "token_embedding_table.weight", "position_embedding_table.pe", "position_embedding_table.weight",
)  # fmt: skip


def _gpt_table() -> dict[str, To | None]:
    table: dict[str, To | None] = {
        _TABLE: To("transformer.wte.weight"),
        _WAVES: To("transformer.wpe.weight"),
        _POSITIONS: To("transformer.wpe.weight"),
        "lm_head.weight": To("lm_head.weight"),
        "lm_head.bias": To("lm_head.bias"),
    }
    for attention in ("attention", "self_attention"):
        at, ours = f"attn_blocks.{{i}}.{attention}", "transformer.h.{i}.attn"
        table[f"{at}.c_attn.weight"] = To(f"{ours}.c_attn.weight")
        table |= {f"{at}.proj_layer.{kind}": To(f"{ours}.c_proj.{kind}") for kind in ("weight", "bias")}
        table[f"{at}.attention_mask"] = None
    for norm, name in (("norm1", "ln_1"), ("norm2", "ln_2"), ("norm3", "ln_2")):
        table[f"attn_blocks.{{i}}.{norm}.weights"] = To(f"transformer.h.{{i}}.{name}.weight")
        table[f"attn_blocks.{{i}}.{norm}.bias"] = To(f"transformer.h.{{i}}.{name}.bias")
    for theirs, ours in (("ffnn", "c_fc"), ("proj", "c_proj")):
        for kind in ("weight", "bias"):
            table[f"attn_blocks.{{i}}.mlp.{theirs}.{kind}"] = To(f"transformer.h.{{i}}.mlp.{ours}.{kind}")
    return table


GPT_TABLE: Table = _gpt_table()
_RNN_BLOCK = {
    "norm1.weights": "ln_1.weight",
    "recurrent.input_weights.weight": "cell.from_token.weight",
    "recurrent.input_weights.bias": "cell.from_token.bias",
    "recurrent.hidden_weights.weight": "cell.from_state.weight",
    "recurrent.output_weights.weight": "c_proj.weight",
    "recurrent.output_weights.bias": "c_proj.bias",
    "norm2.weights": "ln_2.weight",
    "mlp.ffnn.weight": "mlp.c_fc.weight",
    "mlp.ffnn.bias": "mlp.c_fc.bias",
    "mlp.proj.weight": "mlp.c_proj.weight",
    "mlp.proj.bias": "mlp.c_proj.bias",
}


class NanoReversed:
    """GPTnano's GPT."""

    name, title = "gptnano", "GPTnano's GPT"

    def recognises(self, source: Source) -> bool:
        return source.has(_TABLE, "attn_blocks.0.norm1.weights", "attn_blocks.0.mlp.ffnn.weight")

    def match(self, source: Source) -> LayoutMatch:
        placed = place(source.tensors, GPT_TABLE, "GPTnano's GPT")
        found = Findings()
        found.embedding(source, _TABLE)
        old = "attn_blocks.0.attention.c_attn.weight" in source.tensors
        fused = f"attn_blocks.{{i}}.{'attention' if old else 'self_attention'}"
        found.known("n_layer", count(source.tensors, f"{fused}.c_attn.weight", "i"), "tensor", "counted")
        find_heads(found, source, typical=16)
        waves = _WAVES in source.tensors
        mask = f"{fused.format(i=0)}.attention_mask"
        if not waves:
            found.known("block_size", source.shape(_POSITIONS)[0], "tensor", _POSITIONS)
        elif mask in source.tensors:
            found.known("block_size", source.shape(mask)[0], "tensor", "attention_mask")
        else:
            rows = source.shape(_WAVES)[0]
            found.known("block_size", min(CONTEXT, rows), "convention", f"GPTnano's; its waves reach to {rows:,}")
        found.known("bias", True, "tensor")
        found.known("head_bias", "lm_head.bias" in source.tensors, "tensor")
        found.known("tied_head", False, "tensor")
        found.known("activation", "gelu", "convention", "GPTnano's")
        found.known("residual", "normed", "convention", "GPTnano adds to the norm")
        found.known("final_norm", False, "tensor")
        found.unknown_order("kqv" if old else "qkv", "GPTnano's early version" if old else "GPTnano's")

        def finish(weights: Weights, settings: ArchitectureSettings) -> Weights:
            return weights | {"transformer.wpe.weight": weights["transformer.wpe.weight"][: settings.block_size]}

        settings = found.settings(source.name)
        return found.match(settings, placed, finish=finish, characters=_characters(settings.vocab_size))


class NanoRecurrent:
    """GPTnano's Elman network."""

    name, title = "gptnano-rnn", "GPTnano's Elman network"

    def recognises(self, source: Source) -> bool:
        return source.has("token_embedding.weight", "recurrent_blocks.0.recurrent.hidden_weights.weight")

    def match(self, source: Source) -> LayoutMatch:
        blocks = count(source.tensors, "recurrent_blocks.{i}.recurrent.hidden_weights.weight", "i")
        last = blocks - 1
        table: dict[str, To | None] = {"token_embedding.weight": To("wte.weight")}
        table |= {f"lm_head.{kind}": To(f"lm_head.{kind}") for kind in ("weight", "bias")}
        table |= {f"recurrent_blocks.{last}.{theirs}": To(f"h.0.{ours}") for theirs, ours in _RNN_BLOCK.items()}
        table |= {f"recurrent_blocks.{{i}}.{theirs}": None for theirs in _RNN_BLOCK}
        placed = place(source.tensors, table, "GPTnano's Elman network")
        found = Findings()
        C = found.embedding(source, "token_embedding.weight", "token_embedding")
        hidden = source.shape("recurrent_blocks.0.recurrent.hidden_weights.weight")[0]
        found.known("n_hidden", hidden, "tensor", "hidden_weights")
        found.known(
            "n_layer", 1, "convention", f"only the last of its {blocks} blocks counts: each reads the embedding"
        )
        if not (2 <= C <= 4096 and 1 <= hidden <= 8192):
            raise CheckpointError(f"{source.name} is of a size that is not opened here", "")
        settings = RNNSettings(**found.values)
        return found.match(settings, placed, characters=_characters(settings.vocab_size))


def _characters(size: int) -> str:
    """Return GPTnano's vocabulary of tiny Shakespeare where it has that size: five marks, then the characters."""
    known = SPECIAL + SHAKESPEARE
    return known if size == len(known) else ""
