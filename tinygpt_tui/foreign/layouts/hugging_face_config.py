"""What config.json of a Hugging Face folder says of rotary positions, windows, activations and sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.decisions import DECISIONS
from tinygpt_tui.foreign.facts import Fact
from tinygpt_tui.foreign.layouts.base import Findings, number_in
from tinygpt_tui.foreign.sidecars import read_json
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.fields import fields_of

CONFIG = "config.json"
ACTIVATIONS = {
    "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh", "gelu": "gelu", "relu": "relu",
    "relu2": "relu_squared",
}  # fmt: skip
GATES = {"silu": "swiglu", "swish": "swiglu", "gelu": "geglu", "gelu_new": "geglu_tanh",
         "gelu_pytorch_tanh": "geglu_tanh", "gelu_fast": "geglu_tanh"}  # fmt: skip
LONGEST = int(fields_of(GPTSettings)["block_size"].maximum or 0)  # tokens


class Config:
    """A folder's config.json, read as data; empty where there is none."""

    def __init__(self, source: Source) -> None:
        """Raises CheckpointError where it is damaged."""
        self._name = source.name
        path = source.sidecar(CONFIG)
        self.exists = path is not None
        self.values: Mapping[str, Any] = read_json(path) if path else {}

    @property
    def model_type(self) -> str:
        """Which architecture it names; empty where it names none."""
        found = self.values.get("model_type")
        return found if isinstance(found, str) else ""

    def number(self, *names: str) -> int | None:
        """Return the first of these entries that is a positive whole number."""
        return number_in(self.values, *names)

    def positive(self, names: tuple[str, ...], default: float) -> float:
        """Return the first of these entries that is a number above zero."""
        found = (self.values.get(name) for name in names)
        return next((float(one) for one in found if _is_positive(one)), default)

    def refused(self, what: str, hint: str = "") -> CheckpointError:
        """Return the error that says what of it is not built here."""
        return CheckpointError(f"{self._name} has {what}, which is not built here", hint)

    def add_window(self, found: Findings) -> int:
        """Add how many tokens the model sees at once, where positions are rotary; return it."""
        told = self.number("max_position_embeddings", "n_positions")
        if told is None:
            self._add(found, "block_size", 2048, told=False)
        elif told > LONGEST:
            found.known("block_size", LONGEST, "sidecar", f"{CONFIG} says {told:,}; {LONGEST:,} are the most here")
        else:
            found.known("block_size", told, "sidecar", CONFIG)
        window: int = found.values["block_size"]
        return window

    def add_activation(self, found: Findings, known: Mapping[str, str], default: str) -> None:
        """Add the MLP's non-linearity. Raises CheckpointError for another one."""
        told = self.values.get("hidden_act", self.values.get("activation_function"))
        if told is None:
            if self.exists:
                found.known("activation", known[default], "convention", default)
            else:
                found.unknown("activation", tuple(dict.fromkeys((known[default], *known.values()))), f"no {CONFIG}")
        elif isinstance(told, str) and told in known:
            found.known("activation", known[told], "sidecar", CONFIG)
        else:
            raise self.refused(f"the activation {told!r}", f"known are {', '.join(known)}")

    def add_epsilon(self, found: Findings, default: float) -> None:
        """Add what the norms add to the variance."""
        names = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon")
        told = any(name in self.values for name in names)
        self._add(found, "epsilon", self.positive(names, default), told=told)

    def _add(self, found: Findings, name: str, value: Any, *, told: bool) -> None:
        """Add what the config says, or what it means where it does not say it. Without a config it is a guess."""
        if not self.exists and name in DECISIONS:
            others = (one for one in DECISIONS[name].candidates if one != value)
            found.unknown(name, (value, *others), f"there is no {CONFIG}")
        elif not self.exists:
            found.assumed(name, value, f"there is no {CONFIG}")
        else:
            found.known(name, value, "sidecar" if told else "convention", CONFIG * told)

    def add_rotation(self, found: Findings, head_size: int, part: float = 1.0) -> None:
        """Add how rotary positions turn heads of `head_size`; `part` is the share that does by default.

        Raises CheckpointError for a scaling that is not known.
        """
        nested = self.values.get("rope_parameters")
        scaling = self.values.get("rope_scaling")
        rope = {**(scaling if isinstance(scaling, dict) else {}), **(nested if isinstance(nested, dict) else {})}
        base = rope.get("rope_theta")
        if not _is_positive(base):
            base = self.positive(("rope_theta", "rotary_emb_base"), 10_000.0)
        found.known("positions", "rotary", "convention", "its architecture's")
        self._add(found, "rotary_base", float(base), told=True)
        share = rope.get("partial_rotary_factor")
        if not _is_positive(share):
            share = self.positive(("partial_rotary_factor", "rotary_pct"), part)
        width = self.number("rotary_dim") or int(head_size * share)
        if width < head_size:
            self._add(found, "rotary_width", width, told=True)
        kind = rope.get("rope_type", rope.get("type", "default"))
        if kind not in (None, "default"):
            factors = self._factors(str(kind), rope, [float(base) ** (2 * i / width) for i in range(width // 2)])
            found.values["rotary_factors"] = factors
            words = f"{kind} scaling by {rope.get('factor')}"
            found.facts.append(Fact(name="rotary_factors", value=words, source="sidecar", detail=CONFIG))

    def _factors(self, kind: str, rope: Mapping[str, Any], periods: list[float]) -> tuple[float, ...]:
        """Return how many times slower each pair turns; `periods` are positions a radian.

        Sources: Chen et al. 2023 (linear); Hugging Face's `_compute_llama3_parameters`.
        """
        if kind not in ("linear", "llama3"):
            raise self.refused(f"the scaling {kind!r} of its rotary positions", "known are linear and llama3")
        factor = self._entry(rope, "factor")
        if kind == "linear":
            return (factor,) * len(periods)
        low, high = self._entry(rope, "low_freq_factor"), self._entry(rope, "high_freq_factor")
        original = self._entry(rope, "original_max_position_embeddings")
        if low >= high:
            raise CheckpointError(f"{CONFIG}: low_freq_factor is not below high_freq_factor", "it is damaged")
        cycles = [original / (2 * math.pi * period) for period in periods]  # in the length that it was trained on
        parts = [min(1.0, max(0.0, (cycle - low) / (high - low))) for cycle in cycles]
        return tuple(1 / ((1 - share) / factor + share) for share in parts)

    def add_windows(self, found: Findings, n_layer: int) -> None:
        """Add which layers see a window of their own. Raises CheckpointError for layers of another kind."""
        kinds = self.values.get("layer_types")
        if isinstance(kinds, list):
            strange = [kind for kind in kinds if kind not in ("full_attention", "sliding_attention")]
            if strange or len(kinds) != n_layer:
                raise self.refused(
                    f"layers of the kind {str(strange[0])!r}" if strange else f"{len(kinds)} layer_types"
                )
            local = [kind == "sliding_attention" for kind in kinds]
        elif self.model_type.startswith("qwen"):
            first, used = self.values.get("max_window_layers", 28), self.values.get("use_sliding_window") is True
            local = [used and isinstance(first, int) and layer >= first for layer in range(n_layer)]
        else:
            local = [True] * n_layer
        window = self.values.get("sliding_window", None if self.model_type == "phi3" else 4096)
        if window is None or not any(local):
            return
        if type(window) is not int or window < 1:
            raise CheckpointError(f"{CONFIG}: sliding_window is {window!r}", "the file is damaged")
        add_local(found, window, local)

    def _entry(self, rope: Mapping[str, Any], name: str) -> float:
        value = rope.get(name)
        if name.startswith("original") and not _is_positive(value):
            value = self.values.get(name, self.values.get("max_position_embeddings"))
        if not _is_positive(value):
            raise CheckpointError(f"{CONFIG}: its rotary positions have no {name}", "the file is damaged")
        return float(value)


def add_local(found: Findings, window: int, local: list[bool]) -> None:
    """Add that these layers see `window` tokens; nothing where all tokens are in it anyway."""
    if window < found.values["block_size"] and any(local):
        windows = tuple(window * is_local for is_local in local)
        found.known("local_windows", windows[:1] if all(local) else windows, "sidecar", CONFIG)


def _is_positive(value: Any) -> TypeGuard[float]:
    return type(value) in (int, float) and 0 < value < 1e30
