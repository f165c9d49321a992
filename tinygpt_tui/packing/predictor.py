"""A model that predicts the same on both sides: its engine, and the marks by which another model or engine is seen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinygpt_tui.checkpoints.adapters import hash_of
from tinygpt_tui.checkpoints.engines import torch_for
from tinygpt_tui.checkpoints.stored import StoredModel, read_model
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.generation.base import Engine
from tinygpt_tui.generation.text import first_ids
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.library import load_exact
from tinygpt_tui.native.weights import arrange, supports
from tinygpt_tui.packing.packed_file import ENGINE_MARK, MODEL_MARK
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.windows import Policy
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.letters import letters_of

ADAPTING = "adapting"  # the first word of the name of an engine that learns from the text
_PROBE, _LEARNING_PROBE = 32, 100  # tokens; of the longer one the engine learns a few times


@dataclass(frozen=True)
class Predictor:
    """A model and its engine; `engine_name` is empty for the native one, whose results are the same everywhere.

    `first` are the ids that are read before a text. The engine is set back by its `prefill`.
    """

    name: str
    mark: bytes
    tokenizer: Tokenizer
    engine: Engine
    engine_name: str
    engine_mark: bytes
    first: tuple[int, ...]


def open_predictor(path: Path, *, adapt: bool = False) -> Predictor:
    """Open a model for packing; to `adapt`, a copy of it learns from the text, as both sides read it.

    Raises what `read_model` raises; CheckpointError for one that computes no numbers.
    """
    stored = read_model(path)
    settings = stored.config.architecture
    # As much context as the model allows at the speed of writing: `exact` reads the whole window for every token.
    policy: Policy = "rolling" if settings.supports_sliding else "reanchor"
    library = load_exact() if supports(settings) and not adapt else None
    engine: Engine
    if library is not None and isinstance(settings, GPTSettings):
        engine, name = NativeEngine(arrange(settings, stored.weights, path.name), library, policy=policy), ""
    else:
        engine, name = _torch_engine(stored, policy, adapt=adapt)
    first = tuple(first_ids(stored.tokenizer))
    probe = [(31 * place * place + 17 * place) % settings.vocab_size for place in range(_LEARNING_PROBE)]
    mark = _engine_mark(engine, first, probe if adapt else probe[:_PROBE], path.name)
    return Predictor(path.name, model_mark(stored), stored.tokenizer, engine, name, mark, first)


def model_mark(stored: StoredModel) -> bytes:
    """Return a hash of a model's vocabulary and weights, which its name and place do not affect."""
    vocabulary = json.dumps(stored.tokenizer.to_dict(), sort_keys=True)
    return hashlib.sha256(f"{vocabulary}{hash_of(stored.weights)}".encode()).digest()[:MODEL_MARK]


def _torch_engine(stored: StoredModel, policy: Policy, *, adapt: bool) -> tuple[Engine, str]:
    """Return torch's engine on one thread: products are cut among threads, so their number changes results."""
    torch_for(stored.config.architecture, threads=1)
    import torch

    from tinygpt_tui.checkpoints.torch_net import filled, tensors_of
    from tinygpt_tui.generation.engine import TorchEngine

    model = filled(stored.config.architecture, tensors_of(stored.weights))
    name = f"torch {torch.__version__} {torch.backends.cpu.get_cpu_capability()}"
    if not adapt:
        return TorchEngine(model, policy), name
    from tinygpt_tui.adapting.engine import AdaptiveEngine

    engine = AdaptiveEngine(model, letters=letters_of(stored.tokenizer), steps_are_read=True)
    return engine, f"{ADAPTING} {name} numpy {np.__version__}"


def _engine_mark(engine: Engine, first: tuple[int, ...], probe: list[int], name: str) -> bytes:
    """Return a hash of every bit of the logits on a fixed text, the `probe`."""
    found = hashlib.blake2b(digest_size=ENGINE_MARK)
    logits = engine.prefill(first)
    for token in probe:
        if not np.isfinite(logits).all():
            raise CheckpointError(f"{name} gives probabilities that are no numbers", "its weights are damaged")
        found.update(np.ascontiguousarray(logits, dtype="<f4").data)
        logits = engine.step(token)
    return found.digest()
