"""What a training step costs on a processor, by arithmetic alone: time and memory, without building the net.

A step's time is a sum of few kinds of work, each counted from the settings and multiplied by what one unit of it takes.
The units were fitted to fifteen nets between 4 thousand and 11 million parameters on one core
(`python benchmarks/estimate.py`); a machine's own speed stretches each kind by a factor, measured in a few seconds and
kept (see `machine.py`). Nothing here imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinygpt_tui.settings.counting import count_parameters, parameter_budget
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.machine import Machine

# Milliseconds a unit on the core of the fit, and which of a machine's factors stretches it.
MATRIX_MS = 12.9  # a thousand million operations of matrix products, forward and back
PASS_MS = 2.43  # a million numbers of the activations, with all that is done to each
SCORE_MS = 30.5  # a million attention scores, where they are written out
ADAM_MS = 2.8  # a million weights moved by AdamW
MUON_MS = 20.3  # a thousand million operations of turning matrices
LAYER_MS, MODERN_LAYER_MS = 1.11, 2.98  # calls for each layer, however small; and what the modern form adds
FORWARD_SHARE = 1 / 3  # of a step's work

# Bytes.
FLOAT = 4
LIBRARIES = 20e6  # what torch itself grows by in a first step
EVALUATED_TOKENS = 8192  # at once
STATE_COPIES = 2  # of weights and optimizer: one kept to fall back on, one on its way to the disk


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
    """Count the work of one step."""
    s = settings.architecture
    V, T, C, L = s.vocab_size, s.block_size, s.n_embd, s.n_layer
    tokens = settings.batch_size * s.training_length
    square = 12 * C * C * L
    budget = parameter_budget(s)
    muon = settings.optimizer == "muon"
    by_adam = count_parameters(s) - (budget["attention"] + budget["MLP"] if muon else 0)
    modern = s.positions == "rotary"
    return Work(
        matrix=(6 * (square + V * C) + 12 * T * C * L) * tokens / 1e9,
        passes=tokens * C * L * numbers_kept(settings) / 1e6,
        scores=tokens * T * s.n_head * L / 1e6 if s.attention_dropout else 0.0,
        adam=by_adam / 1e6,
        # five polynomials on the Gram matrix of each C x C (four of them) and C x 4C (two)
        muon=L * (4 * 30 + 2 * 46) * C**3 / 1e9 if muon else 0.0,
        layers=L + 1.0,
        modern_layers=(L + 1.0) * modern,
    )


def numbers_kept(settings: TrainingSettings) -> float:
    """Return how many numbers, in units of n_embd, a layer keeps of each token until the way back."""
    s = settings.architecture
    return (
        21.5
        + (3 if s.dropout else 0)
        + (4 if s.positions == "rotary" else 0)
        + (2 if s.qk_norm else 0)
        + 2 * s.token_shift
        + (3.5 if s.sliding else 0)
    )


def step_seconds(settings: TrainingSettings, machine: Machine) -> float:
    """Return about how long one step takes."""
    work = work_of(settings)
    compute = MATRIX_MS * work.matrix + MUON_MS * work.muon
    memory = PASS_MS * work.passes + SCORE_MS * work.scores + ADAM_MS * work.adam
    calls = LAYER_MS * work.layers + MODERN_LAYER_MS * work.modern_layers
    return (machine.compute * compute + machine.memory * memory + machine.calls * calls) / 1e3


def evaluation_seconds(settings: TrainingSettings, validation_tokens: int, machine: Machine) -> float:
    """Return about how long it takes to measure the loss over the whole validation split."""
    work = work_of(settings)
    tokens = settings.batch_size * settings.architecture.training_length
    learning = machine.compute * MATRIX_MS * work.matrix + machine.memory * (
        PASS_MS * work.passes + SCORE_MS * work.scores
    )
    calls = machine.calls * (LAYER_MS * work.layers + MODERN_LAYER_MS * work.modern_layers)
    pieces = 1 + validation_tokens // EVALUATED_TOKENS
    return FORWARD_SHARE * (learning / tokens * validation_tokens + calls * pieces) / 1e3


def sample_seconds(settings: TrainingSettings, machine: Machine) -> float:
    """Return about how long a sample takes to write: a call for each layer, and every weight read once a token."""
    s = settings.architecture
    token_ms = 0.1 * s.n_layer * machine.calls + 12 * s.n_embd**2 * s.n_layer * FLOAT / 1e7 * machine.memory
    return settings.sample_tokens * token_ms / 1e3


def memory_bytes(settings: TrainingSettings) -> float:
    """Return about how much memory a training takes at its peak, beside what importing torch takes."""
    s = settings.architecture
    V, T, C, L = s.vocab_size, s.block_size, s.n_embd, s.n_layer
    parameters = count_parameters(s)
    tokens = settings.batch_size * s.training_length
    kept = tokens * C * L * numbers_kept(settings)
    scores = 3 * tokens * T * s.n_head * L if s.attention_dropout else 0
    step = (kept + scores + 3 * tokens * V) * FLOAT
    evaluated = max(EVALUATED_TOKENS, T)
    modern = (4 if s.positions == "rotary" else 0) + (1 if s.qk_norm else 0) + s.token_shift
    evaluation = evaluated * (C * (20.5 + modern) + 2 * V) * FLOAT
    optimizer = 2 * parameters
    if settings.optimizer == "muon":
        optimizer -= sum(parameter_budget(s)[part] for part in ("attention", "MLP"))
    state = (parameters + optimizer) * FLOAT
    return LIBRARIES + parameters * FLOAT + state + max(step + parameters * FLOAT, evaluation)
