"""The preset `micro` is microgpt: its size, and its arithmetic, against a reference that shares no code with it.

The reference computes one document at a time in float64 and derives every gradient by hand.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tinygpt_tui.corpora.catalog import require_corpus
from tinygpt_tui.corpora.corpus import Corpus, CorpusText
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.documents import BOUNDARY
from tinygpt_tui.training.loop import Training
from tinygpt_tui.training.vocabulary import tokenizer_for

Array = NDArray[np.float64]
HEADS, EPSILON = 4, 1e-5


def micro() -> tuple[TrainingSettings, Corpus]:
    """The preset's settings for the names, and these."""
    names = require_corpus("names")[1].read_text().split()
    text = CorpusText.of("".join(name + BOUNDARY for name in names), len(names))
    tokenizer = tokenizer_for("characters", text)
    training = ALL_PRESETS["micro"].training
    architecture = msgspec.structs.replace(training.architecture, vocab_size=tokenizer.size)
    training = msgspec.structs.replace(training, architecture=architecture)
    return training, text.split(training, tokenizer)


def test_it_has_4192_parameters_on_names_one_a_line() -> None:
    assert count_parameters(micro()[0].architecture) == 4192


def normed(x: Array) -> tuple[Array, Array]:
    """x (T, C) over its root mean square, and one over that (T, 1)."""
    inverse = ((x * x).mean(-1, keepdims=True) + EPSILON) ** -0.5
    return x * inverse, inverse


def through_norm(gradient: Array, y: Array, inverse: Array) -> Array:
    return inverse * (gradient - y * (gradient * y).mean(-1, keepdims=True))


class Reference:
    """Weights by name, and Adam's moments."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self.w = weights
        self.m = {name: np.zeros_like(weight) for name, weight in weights.items()}
        self.v = {name: np.zeros_like(weight) for name, weight in weights.items()}

    def loss_and_gradients(self, inputs: list[int], targets: list[int]) -> tuple[float, dict[str, Array]]:
        w, T, g = self.w, len(inputs), {}
        e, e_inverse = normed(w["wte"][inputs] + w["wpe"][:T])
        a, a_inverse = normed(e)
        q, k, v = (
            (a @ w[name].T).reshape(T, HEADS, -1).transpose(1, 0, 2) for name in ("query", "key", "value")
        )  # (H, T, D)
        scale = q.shape[-1] ** -0.5
        scores = np.where(np.tril(np.ones((T, T), bool)), q @ k.transpose(0, 2, 1) * scale, -np.inf)
        p = np.exp(scores - scores.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        mixed = (p @ v).transpose(1, 0, 2).reshape(T, -1)
        x = e + mixed @ w["out"].T
        b, b_inverse = normed(x)
        hidden = np.maximum(b @ w["up"].T, 0)
        y = x + hidden @ w["down"].T
        logits = y @ w["head"].T
        logits -= logits.max(-1, keepdims=True)
        chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        loss = -np.log(chances[range(T), targets]).mean()

        d = chances.copy()
        d[range(T), targets] -= 1
        d /= T
        g["head"], dy = d.T @ y, d @ w["head"]
        g["down"], dh = dy.T @ hidden, (dy @ w["down"]) * (hidden > 0)
        g["up"] = dh.T @ b
        dx = dy + through_norm(dh @ w["up"], b, b_inverse)
        g["out"] = dx.T @ mixed
        dm = (dx @ w["out"]).reshape(T, HEADS, -1).transpose(1, 0, 2)
        dp = dm @ v.transpose(0, 2, 1)
        ds = p * (dp - (dp * p).sum(-1, keepdims=True)) * scale
        da = np.zeros_like(a)
        for name, part in (("query", ds @ k), ("key", ds.transpose(0, 2, 1) @ q), ("value", p.transpose(0, 2, 1) @ dm)):
            flat = part.transpose(1, 0, 2).reshape(T, -1)
            g[name] = flat.T @ a
            da += flat @ w[name]
        de = through_norm(dx + through_norm(da, a, a_inverse), e, e_inverse)
        g["wte"], g["wpe"] = np.zeros_like(w["wte"]), np.zeros_like(w["wpe"])
        np.add.at(g["wte"], inputs, de)
        g["wpe"][:T] = de
        return float(loss), g

    def step(self, number: int, steps: int, inputs: list[int], targets: list[int]) -> float:
        """Adam with a rate that falls in a straight line from 0.01; return the loss before it."""
        loss, gradients = self.loss_and_gradients(inputs, targets)
        for name, gradient in gradients.items():
            self.m[name] += (1 - 0.85) * (gradient - self.m[name])
            self.v[name] += (1 - 0.99) * (gradient**2 - self.v[name])
            mean, square = self.m[name] / (1 - 0.85 ** (number + 1)), self.v[name] / (1 - 0.99 ** (number + 1))
            self.w[name] -= 0.01 * (1 - number / steps) * mean / (square**0.5 + 1e-8)
        return loss


def test_after_a_thousand_steps_its_loss_is_that_of_a_reference() -> None:
    settings, corpus = micro()
    training = Training(settings, corpus, torch.device("cpu"))
    weights = {name: tensor.double().numpy().copy() for name, tensor in training.model.state_dict().items()}
    block = "transformer.h.0."
    qkv = np.split(weights[f"{block}attn.c_attn.weight"], 3)
    reference = Reference({
        **dict(zip(("query", "key", "value"), qkv, strict=True)),
        "wte": weights["transformer.wte.weight"], "wpe": weights["transformer.wpe.weight"],
        "out": weights[f"{block}attn.c_proj.weight"], "up": weights[f"{block}mlp.c_fc.weight"],
        "down": weights[f"{block}mlp.c_proj.weight"], "head": weights["lm_head.weight"],
    })  # fmt: skip
    ends = np.flatnonzero(corpus.train == 0)
    documents = {tuple(part.tolist()) for part in np.split(corpus.train, ends + 1)}
    seen = set()
    for number in range(settings.steps):
        inputs, targets = (row[0].tolist() for row in training.gradients.batches.batch(number))
        assert (inputs[0], targets[-1], inputs[1:]) == (0, 0, targets[:-1])
        assert tuple(targets) in documents
        seen.add(tuple(targets))
        wanted = reference.step(number, settings.steps, inputs, targets)
        assert training.take_step().loss == pytest.approx(wanted, abs=1e-4), number
    assert len(seen) == settings.steps  # no name twice
    validation = [(0, *name[:-1]) for name in documents if len(name) > 1][:50]
    losses = [reference.loss_and_gradients(list(name), [*name[1:], 0])[0] for name in validation]
    with torch.no_grad():
        logits = [training.model(torch.tensor([name]))[0].log_softmax(-1) for name in validation]
    found = [-float(row[range(len(name)), [*name[1:], 0]].mean()) for row, name in zip(logits, validation, strict=True)]
    assert found == pytest.approx(losses, abs=1e-4)
    assert np.mean(losses) < 2.45
