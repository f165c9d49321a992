"""What a training step costs on a processor, by arithmetic alone: time and memory, without building the model.

A step's time is the sum of a few kinds of work, each counted from the settings and multiplied by the time of a unit.
The units were fitted to fifteen models between 4 thousand and 11 million parameters on one core
(`python benchmarks/estimate.py`); a machine's own speed scales each kind by a factor, measured in a few seconds and
saved (see `machine.py`). Nothing here imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinygpt_tui.native.library import load_library
from tinygpt_tui.planning.machine import Machine
from tinygpt_tui.settings.architecture import (
    ArchitectureSettings,
    BackpackSettings,
    GPTSettings,
    RecurrentSettings,
    name_of,
)
from tinygpt_tui.settings.base import Part, count_parameters
from tinygpt_tui.settings.training import TrainingSettings

# Milliseconds per unit on the core of the fit; a machine's factors scale them.
MATRIX_MS = 12.9  # a thousand million operations of matrix products, forward and back
PASS_MS = 2.43  # a million numbers of the activations, with all their operations
SCORE_MS = 30.5  # a million attention scores, if they are computed explicitly
ADAM_MS = 2.8  # a million weights moved by AdamW
MUON_MS = 20.3  # a thousand million operations of orthogonalising matrices
LAYER_MS, MODERN_LAYER_MS = 1.11, 2.98  # calls for each layer, however small; and what the modern form adds
# The share by which these increase a layer's calls; dropout needs explicit attention scores.
MORE_CALLS = {"attention_dropout": 0.4, "dropout": 0.12, "bias": 0.1}
PLAIN_STORED = 21.5  # by a layer of the classic form, in units of n_embd
# A recurrent model waits for each token: what that costs of a layer's calls, and how many times longer than elsewhere
# the products with its state take, few rows at a time; fitted to one model of each kind (Elman: two).
TOKEN_SHARE = 0.06
STATE_SLOWNESS = {"rnn": 5.0, "gru": 6.0, "lstm": 1.0}
FORWARD_SHARE = 1 / 3  # of a step's work
# Parts that are not matrices inside the layers.
OUTSIDE = frozenset(
    (Part.TOKEN_EMBEDDING, Part.POSITION_EMBEDDING, Part.NGRAM_TABLES, Part.HEAD, Part.NORMS, Part.TOKEN_SHIFT)
)

# Bytes.
FLOAT = 4
LIBRARIES = 88e6  # what torch itself grows by until the first step is done
EVALUATED_TOKENS = 2048  # at once, by `evaluate.py`


@dataclass(frozen=True)
class Work:
    """How much of each kind a step has; millions and thousand millions as above."""

    matrix: float
    passes: float
    scores: float
    adam: float
    muon: float
    layers: float
    modern_layers: float


def work_of(settings: TrainingSettings) -> Work:
    """Count the work of one step; roughly for recurrent and convolutional models and the backpack."""
    s = settings.architecture
    V, C, L = s.vocab_size, s.n_embd, s.n_layer
    tokens = settings.batch_size * s.training_length
    weights = _matrix_weights(s)
    in_a_row = 1 + TOKEN_SHARE * s.training_length if s.is_stateful else 1.0
    scored = s.n_head if s.attention_dropout else 0  # if the scores are computed explicitly
    calls = 1 + sum(share for name, share in MORE_CALLS.items() if getattr(s, name))
    muon = settings.optimizer == "muon"
    # five polynomials on the Gram matrix of each C x C (four in a layer) and C x 4C (two); by weight, 12 C² a layer
    turning = (4 * 30 + 2 * 46) * C * weights / 12
    return Work(
        matrix=(6 * (weights + _waiting(s) + V * C) + (12 * s.block_size * C * L if s.n_head else 0)) * tokens / 1e9,
        passes=tokens * C * L * numbers_stored(s) / 1e6,
        scores=tokens * s.block_size * (scored * L + s.n_sense) / 1e6,
        adam=(count_parameters(s) - (weights if muon else 0)) / 1e6,
        muon=turning / 1e9 if muon else 0.0,
        layers=L * in_a_row * calls + 1.0,
        modern_layers=(L + 1.0) * s.is_rotary,
    )


def numbers_stored(s: ArchitectureSettings, native: bool = False) -> float:
    """Return how many numbers, in units of n_embd, a layer stores of each token for the backward pass.

    The `native` kernels store their inputs, and compute the rest again.
    """
    if native:
        return PLAIN_STORED + 2 * (isinstance(s, GPTSettings) and s.is_rotary)
    stored = PLAIN_STORED + 3 * (s.dropout > 0) + 3.5 * s.sliding
    if isinstance(s, GPTSettings):  # the others are counted roughly
        stored += 4 * s.is_rotary + 2 * s.qk_norm + 2 * s.token_shift
    return stored


def _waiting(s: ArchitectureSettings) -> float:
    """Return the weights of a state's products, scaled by how much longer than others they take."""
    if not isinstance(s, RecurrentSettings):
        return 0.0
    return (STATE_SLOWNESS[name_of(s)] - 1) * s.n_layer * s.n_hidden**2 * s.GATES


def _matrix_weights(s: ArchitectureSettings) -> int:
    """Return how many weights inside the layers are used in a product for every token."""
    return sum(count for part, count in s.parameter_budget().items() if part not in OUTSIDE)


def step_seconds(settings: TrainingSettings, machine: Machine) -> float:
    work = work_of(settings)
    compute = MATRIX_MS * work.matrix + MUON_MS * work.muon
    memory = PASS_MS * work.passes + SCORE_MS * work.scores + ADAM_MS * work.adam
    calls = LAYER_MS * work.layers + MODERN_LAYER_MS * work.modern_layers
    return (machine.compute * compute + machine.memory * memory + machine.calls * calls) / 1e3


def evaluation_seconds(settings: TrainingSettings, validation_tokens: int, machine: Machine) -> float:
    """Return about how long it takes to measure the loss over `validation_tokens`."""
    work = work_of(settings)
    tokens = settings.batch_size * settings.architecture.training_length
    learning = machine.compute * MATRIX_MS * work.matrix + machine.memory * (
        PASS_MS * work.passes + SCORE_MS * work.scores
    )
    calls = machine.calls * (LAYER_MS * work.layers + MODERN_LAYER_MS * work.modern_layers)
    pieces = validation_tokens / EVALUATED_TOKENS
    return FORWARD_SHARE * (learning / tokens * validation_tokens + calls * pieces) / 1e3


def sample_seconds(settings: TrainingSettings, machine: Machine) -> float:
    """Return about how long a sample takes: a call for each layer, and every weight read once per token."""
    s = settings.architecture
    token_ms = 0.1 * s.n_layer * machine.calls + 12 * s.n_embd**2 * s.n_layer * FLOAT / 1e7 * machine.memory
    return settings.sample_tokens * token_ms / 1e3


def trains_natively(settings: TrainingSettings, threads: int = 1) -> bool:
    """Whether native kernels will compute everything between the matrix products (training/fused.py)."""
    there = settings.device in ("auto", "cpu") and settings.precision != "bf16" and (settings.threads or threads) == 1
    return there and isinstance(settings.architecture, GPTSettings | BackpackSettings) and load_library() is not None


def memory_bytes(settings: TrainingSettings, native: bool = False) -> float:
    """Return about how much memory a run takes at its peak, besides what importing torch takes."""
    s = settings.architecture
    V, C, L = s.vocab_size, s.n_embd, s.n_layer
    parameters = count_parameters(s)
    tokens = settings.batch_size * s.training_length
    stored = tokens * C * L * numbers_stored(s, native)
    scores = 3 * tokens * s.block_size * ((s.n_head * L if s.attention_dropout else 0) + s.n_sense)
    step = (stored + scores + 3 * tokens * V) * FLOAT
    modern = (numbers_stored(s) - numbers_stored(_PLAIN) - (3 if s.dropout else 0)) / 2  # nothing is dropped here
    evaluation = max(EVALUATED_TOKENS, s.block_size) * (C * (20.5 + modern) + 2 * V) * FLOAT
    optimizer: float = 2 * parameters - (_matrix_weights(s) if settings.optimizer == "muon" else 0)
    if settings.lora:
        optimizer = _matrix_weights(s) / 2  # of an adapter: next to nothing, but the base's matrices are there twice
    state = 2 * (parameters + optimizer) * FLOAT  # and the copy to return to if a loss is not a number
    return LIBRARIES + parameters * FLOAT + state + max(step + parameters * FLOAT, evaluation)


_PLAIN = GPTSettings()
