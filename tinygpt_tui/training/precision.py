"""The precision of the forward pass in training: bfloat16 on a GPU that is built for it, float32 everywhere else.

Weights, gradients and optimizers stay in float32, and so does every evaluation: the reported loss is that of the
weights on the disk. bfloat16 has float32's range, so no gradient needs to be scaled (Kalamkar et al. 2019).
On a GPU it also lets `scaled_dot_product_attention` use its flash kernel. No GPU was available: that is untested.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from tinygpt_tui.settings.rules import check
from tinygpt_tui.settings.training import TrainingSettings


class Precision:
    """The precision that the settings ask for, on this device."""

    def __init__(self, settings: TrainingSettings, device: torch.device) -> None:
        """Raises UsageError if a recurrent model is to train in bf16, which its cells do not support everywhere."""
        stateful, wanted = settings.architecture.is_stateful, settings.precision
        check(settings, processes=1)
        self._device = device
        self.halved = not stateful and (wanted == "bf16" or (wanted == "auto" and _is_built_for_it(device)))

    def __call__(self) -> AbstractContextManager[object]:
        """Return the context for a forward pass in training; with float32 it does nothing."""
        if not self.halved:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=torch.bfloat16)

    @contextmanager
    def updates(self) -> Iterator[None]:
        """Run the optimizers in this: with bfloat16 Muon's products need no more than TensorFloat32.

        Evaluations do not run in it, nor does a training in fp32: float32 is what they promise.
        """
        if not self.halved or self._device.type != "cuda":
            yield
            return
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)

    @property
    def words(self) -> str:
        """A note for the log before the first step; empty for float32."""
        return "matrix products are computed in bfloat16" if self.halved else ""


def _is_built_for_it(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
