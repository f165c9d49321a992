"""How many parameters an architecture has, by arithmetic alone: a form can show it while it is typed in."""

from __future__ import annotations

from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings


def count_parameters(settings: ArchitectureSettings) -> int:
    """Return the number that the built net would count, without building it."""
    return sum(parameter_budget(settings).values())


def parameter_budget(settings: ArchitectureSettings) -> dict[str, int]:
    """Return the parameters of each part, in the order of the forward pass."""
    assert isinstance(settings, GPTSettings)
    s = settings
    V, T, C, L = s.vocab_size, s.block_size, s.n_embd, s.n_layer
    norm = C * s.norm_weight * (2 if s.bias and s.norm == "layernorm" else 1)
    pair_rows = min((V + 1) ** 2, s.ngram_rows)
    return {
        "token embedding": V * C,
        "position embedding": T * C if s.positions == "learned" else 0,
        "n-gram tables": (pair_rows + s.ngram_rows) * C,
        "attention": L * (4 * C * C + 3 * C * s.qkv_bias + C * s.bias),
        "MLP": L * (8 * C * C + 5 * C * s.bias),
        "token shift": L * 2 * s.token_shift * C,
        "norms": (2 * L + 1) * norm,
        "head": (0 if s.tied_head else V * C) + V * s.head_bias,
    }
