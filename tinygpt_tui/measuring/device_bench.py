"""The device under test, and runs on it whose steps are taken one by one."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import torch

from tinygpt_tui.corpora.corpus import Corpus
from tinygpt_tui.settings.architecture import ArchitectureSettings
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.training.loop import Training

VOCABULARY = 65
SMALL = {"n_layer": 2, "n_embd": 32, "n_head": 2, "n_hidden": 32, "block_size": 32, "ngram_rows": 256, "n_sense": 2}


@dataclass(frozen=True)
class Bench:
    """A device, and how long the check that runs on it may take."""

    device: torch.device
    quick: bool = False
    ends_at: float = math.inf  # by time.monotonic

    @property
    def seconds_left(self) -> float:
        """How long the check that runs may still take."""
        return self.ends_at - time.monotonic()

    def settings(self, name: str, **changes: Any) -> TrainingSettings:
        """Return a preset for a training whose steps are taken one by one; in the quick form it is small."""
        whole = ALL_PRESETS[name].training
        fields: dict[str, Any] = {"vocab_size": VOCABULARY, "dropout": 0.0, "attention_dropout": 0.0}
        if self.quick:
            fields |= {field: most for field, most in SMALL.items() if getattr(whole.architecture, field, 0) > most}
        known = whole.architecture.__struct_fields__
        fields = {field: value for field, value in fields.items() if field in known}
        plain: dict[str, Any] = {"steps": 10_000, "minutes": 0.0, "evaluate_every": 10_000, "sample_tokens": 0}
        plain |= {"compile": "never", "precision": "fp32"}
        net: ArchitectureSettings = msgspec.structs.replace(whole.architecture, **fields)
        return msgspec.structs.replace(whole, **{**plain, "architecture": net, **changes})

    def training(self, name: str, device: torch.device | None = None, **changes: Any) -> Training:
        """Return a training of a preset, on this device where no other one is named."""
        letters = "".join(map(chr, range(0x4E00, 0x4E00 + VOCABULARY)))
        verse = np.random.default_rng(0).integers(VOCABULARY, size=997)
        ids = np.tile(verse, 60)  # it can be learned, so that losses move
        return Training(
            self.settings(name, **changes), Corpus(CharTokenizer(letters), ids, ids[:2000]), device or self.device
        )

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()


def steps(training: Training, count: int) -> list[float]:
    """Take steps; return their losses."""
    return [training.take_step().loss for _ in range(count)]


def apart(one: list[float], other: list[float]) -> float:
    """Return the largest difference; infinite where a loss is no number."""
    differences = [abs(a - b) for a, b in zip(one, other, strict=True)]
    return max(difference if math.isfinite(difference) else math.inf for difference in differences)
