"""What a reader of an unknown program's tensors decides and no tensor tells: one table, so that no guess is silent.

Each is measured on a text. Where that does not tell it, it is shown as a guess.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tinygpt_tui.foreign.layouts.base import Findings


class Decision(NamedTuple):
    """The answers that are tried, the usual one first; `needs` is another question without which it means nothing."""

    candidates: tuple[Any, ...]
    why: str
    needs: str = ""


DECISIONS: dict[str, Decision] = {
    "qk_norm": Decision((False, True), "norms without weights are in no tensor"),
    "embedding_norm": Decision((False, True), "norms without weights are in no tensor"),
    "final_norm": Decision((True, False), "norms without weights are in no tensor"),
    "epsilon": Decision((1e-5, 1e-6, 1e-8), "no tensor holds it"),
    "logit_cap": Decision((0.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0), "no tensor holds it"),
    "head_scale": Decision(("one", "rsqrt_n_embd"), "no tensor holds it"),
    "residual_scale": Decision(("one", "rsqrt_2", "rsqrt_layers"), "no tensor holds it"),
    "embedding_scale": Decision(("one", "root_n_embd"), "some programs multiply embeddings by √n_embd"),
    "repetition": Decision((1, 2, 3, 4), "layers that share their weights are stored once"),
    "rotary_base": Decision((10_000.0, 1_000_000.0, 500_000.0, 100.0), "no tensor holds it", "unstored_positions"),
    "rotary_share": Decision((1.0, 0.5, 0.25), "no tensor holds it", "unstored_positions"),
}
# Decided by what a layout finds in the tensors, with questions of its own.
BY_LAYOUT = frozenset(
    {
        "n_head", "norm", "residual", "parallel", "norm_order", "mlp_order", "unstored_positions", "activation",
        "attention_scale", "qkv_order", "position_scale", "block_size",
    }
)  # fmt: skip


def ask_the_rest(found: Findings) -> None:
    """Ask what is not told yet, so that every decision is a fact of the model."""
    told = {fact.name for fact in found.facts}
    for name, decision in DECISIONS.items():
        if name not in told and (not decision.needs or decision.needs in told):
            found.unknown(name, decision.candidates, decision.why)
