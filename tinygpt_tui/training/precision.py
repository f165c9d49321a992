"""In which numbers a net computes while it learns: bfloat16 where a GPU is built for it, float32 everywhere else.

Weights, gradients and optimizers stay in float32, and so does every evaluation: the loss that is told is that of the
weights on the disk. bfloat16 has float32's range, so no gradient needs to be scaled (Kalamkar et al. 2019).
On a GPU it also lets `scaled_dot_product_attention` take its flash kernel. No GPU was at hand: that is untested.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from tinygpt_tui.settings.rules import check
from tinygpt_tui.settings.training import TrainingSettings


class Precision:
    """What a training's settings mean on its device."""

    def __init__(self, settings: TrainingSettings, device: torch.device) -> None:
        """Raises UsageError where a recurrent net is asked to learn in bf16: its cells do not know it everywhere."""
        stateful, wanted = settings.architecture.is_stateful, settings.precision
        check(settings, processes=1)
        self._device = device
        self.halved = not stateful and (wanted == "bf16" or (wanted == "auto" and _is_built_for_it(device)))

    def __call__(self) -> AbstractContextManager[object]:
        """Return what a forward pass of learning runs in; with float32 it changes nothing at all."""
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
        """What there is to say about it before the first step; nothing about float32."""
        return "the net's products are computed in bfloat16" if self.halved else ""


def _is_built_for_it(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
