"""When torch.compile pays: decided by the first steps, and only in runs long enough to repay its half minute.

A machine may have a compiler that torch cannot use (no Python headers, a stub, no Triton). So the first compiled step
is a trial: if it fails the run continues without, and only a choice that worked is saved with the run's state.
"""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable

import torch
from torch import Tensor

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.training.commands import Stopping
from tinygpt_tui.training.device import device_random, set_device_random
from tinygpt_tui.words import in_one_line

MEASURED_STEPS = 20
COMPILE_S = 40.0  # what compiling costs, on a slow core
GAIN = 0.2  # what it saves of a step, at least
REPAYS = 1.5  # how many times the cost it must save


class Compiling:
    """Returns the model's forward pass, compiled or plain, and decides between them."""

    def __init__(self, settings: TrainingSettings, device: torch.device, *, fused: bool = False) -> None:
        """`fused`: the model uses native kernels already; compiled code was measured to be slower."""
        self.choice: str = settings.compile  # "auto" until it is decided
        self.is_due = self.choice == "always"  # the next step is the first compiled one
        if fused and self.choice == "auto":
            self.choice = "never"
        self._device = device
        self._compiled: Callable[[Tensor], Tensor] | None = None
        self._steps = 0
        self._began = 0.0

    def forward(self, model: LanguageModel) -> Callable[[Tensor], Tensor]:
        """Return what to call with a batch of ids."""
        return model if self._compiled is None else self._compiled

    def keep_to(self, choice: str) -> None:
        """Compute as the run did before: compiled and plain differ in the last bits. The settings come first."""
        if self.choice == "auto":
            self.choice = choice
            self.is_due = choice == "always"

    def try_out(self, model: LanguageModel, step: Callable[[], object]) -> str:
        """Take `step`, forward and backward, with `model` compiled; return a note for the log if that fails.

        Gradients and random states are as before afterwards. If it is abandoned (Stopping) it is due again.
        """
        self.is_due = False
        random, on_device = torch.get_rng_state(), device_random(self._device)
        model.train()
        self._compiled = torch.compile(model)
        try:
            step()
        except Exception as error:
            self._compiled, self.choice = None, "never"
            traceback.clear_frames(error.__traceback__)  # they hold a step's tensors
            torch.compiler.reset()
            return (
                f"torch.compile does not work on this machine: the run continues without it ({in_one_line(error)}). "
                "It needs a C++ compiler and Python's headers, on a GPU also Triton"
            )
        except Stopping:
            self._compiled, self.is_due = None, True
            raise
        finally:
            model.zero_grad(set_to_none=True)
            torch.set_rng_state(random)
            set_device_random(self._device, on_device)
        self.choice = "always"
        return ""

    def after_step(self, steps_left: int) -> str:
        """Count a step; return a note for the log if it changed the decision."""
        if self.choice != "auto" or self.is_due:
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
        self.is_due = True
        return f"compiling the model (about half a minute); the run has {seconds_left / 60:.0f} minutes to go"


def _has_compiler(device: torch.device) -> bool:
    return device.type == "cuda" or any(shutil.which(name) for name in ("g++", "c++", "clang++"))
