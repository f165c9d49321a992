"""When torch.compile pays: measured on the first steps, and only where a long run repays its half minute."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

import torch
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.settings.training import TrainingSettings

MEASURED_STEPS = 20
COMPILE_S = 40.0  # what compiling costs, on a slow core
GAIN = 0.2  # what it saves of a step, at least
REPAYS = 1.5  # how many times over it must pay


class Compiling:
    """Hands out the model's forward pass, compiled or plain, and decides between them."""

    def __init__(self, settings: TrainingSettings, device: torch.device, *, fused: bool = False) -> None:
        """`fused`: the model computes by native parts already, and a compiled one was measured to be slower."""
        self.choice: str = settings.compile  # "auto" until it is decided
        if fused and self.choice == "auto":
            self.choice = "never"
        self._device = device
        self._compiled: Callable[[Tensor], Tensor] | None = None
        self._steps = 0
        self._began = 0.0

    def forward(self, model: LanguageModel) -> Callable[[Tensor], Tensor]:
        """Return what to call with a batch of ids."""
        if self.choice == "always" and self._compiled is None:
            self._compiled = torch.compile(model)
        return model if self._compiled is None else self._compiled

    def keep_to(self, choice: str) -> None:
        """Compute as the run did before: the last bits differ between compiled and plain. The settings come first."""
        if self.choice == "auto":
            self.choice = choice

    def after_step(self, steps_left: int) -> str:
        """Count a step; return a note for the log where this one changed the decision."""
        if self.choice != "auto":
            return ""
        self._steps += 1
        if self._steps == 1:
            self._began = time.perf_counter()  # the first step warms up and does not count
        if self._steps < MEASURED_STEPS:
            return ""
        seconds_left = (time.perf_counter() - self._began) / (MEASURED_STEPS - 1) * steps_left
        if seconds_left * GAIN < COMPILE_S * REPAYS or not _has_compiler(self._device):
            self.choice = "never"
            return ""
        self.choice = "always"
        return f"compiling the model (about half a minute); the run has {seconds_left / 60:.0f} minutes to go"


def _has_compiler(device: torch.device) -> bool:
    return device.type == "cuda" or any(shutil.which(name) for name in ("g++", "c++", "clang++"))
