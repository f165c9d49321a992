"""The one-batch overfit test: a model that can learn at all memorises one small batch, within seconds."""

from __future__ import annotations

import time

import numpy as np
import torch
import torch.nn.functional as F

from tinygpt_tui.architectures.optimizers import PlainAdamW
from tinygpt_tui.architectures.table import build
from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.corpora.rows import IGNORED, rows_of
from tinygpt_tui.events.training import Finding
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.documents import separator_of

ROWS, LONGEST = 4, 64
STEPS, RATE, WARMUP = 200, 3e-3, 10
LEARNED, HARDLY = 0.25, 0.7  # of the loss at the start
CHECK = "one-batch"


def one_batch_finding(settings: TrainingSettings, corpus: Corpus, patience_s: float = 30.0) -> Finding:
    """Train an untrained model of these settings on one small batch; return whether it memorises the batch.

    The model is a new one, without dropout; weights, optimizer and random numbers of any run are left alone.
    """
    architecture = settings.architecture
    if architecture.context_length == 1:
        return Finding(0, CHECK, "fine", "a model that sees one token cannot memorise a batch, and need not")
    length = max(1, min(architecture.block_size or LONGEST, LONGEST, len(corpus.train) - 1))
    whole = architecture.block_size if settings.windows == "pairs" else length
    rows = rows_of(corpus.train, settings, whole, separator=separator_of(corpus.tokenizer))
    x, y = map(torch.from_numpy, rows.batch(np.arange(min(ROWS, len(rows)))))
    until = float("inf")
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(settings.seed)
        model = build(architecture).eval()  # eval: no dropout
        optimizer = PlainAdamW(model.parameters(), lr=RATE, weight_decay=0.0)
        first = loss = 0.0
        step = 0
        for step in range(1, STEPS + 1):
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1.0, step / WARMUP)
            logits = model(x)
            value = F.cross_entropy(logits.float().flatten(0, 1), y.flatten())
            loss = float(value.detach())
            first = first or loss
            if loss < first * LEARNED / 2 or not loss < float("inf") or time.monotonic() > until:
                break
            value.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if step == 1:  # torch imports much for the first step, which says nothing about the model
                until = time.monotonic() + patience_s
    text = f"one batch of {int((y != IGNORED).sum()):,} tokens: {first:.2f} to {loss:.2f} nats in {step:,} steps"
    if loss < first * LEARNED:
        return Finding(0, CHECK, "fine", f"the model can memorise a batch ({text})")
    if step < STEPS and loss < float("inf"):  # it was making progress when the time was over
        return Finding(0, CHECK, "hint", f"the machine is too slow now to test one batch ({text})")
    if loss < first * HARDLY:
        return Finding(0, CHECK, "hint", f"the model memorises a batch slowly ({text})", SLOW)
    return Finding(0, CHECK, "bad", f"the model cannot memorise even one batch ({text})", CANNOT)


SLOW = "It makes progress, but a model of this size should be faster. A wider model memorises more easily."
CANNOT = (
    "Something between the text and the loss is broken, or the model is far too small: no amount of training will help "
    "until this works."
)
