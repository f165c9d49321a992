"""Torch models opened in the native engine, for its tests."""

from __future__ import annotations

from typing import Any

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.native.engine import NativeBatchEngine, NativeEngine
from tinygpt_tui.native.library import Library
from tinygpt_tui.native.weights import NativeWeights, Precision, arrange
from tinygpt_tui.settings.windows import Policy


def _state_of(model: LanguageModel) -> dict[str, Any]:
    """Return a model's state dict in numpy."""
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


class Twins:
    """Opens a torch model's weights in the native engine."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def weights(self, model: LanguageModel, precision: Precision = "fp32") -> NativeWeights:
        """Lay the weights out."""
        settings: Any = model.settings
        return arrange(settings, _state_of(model), "this model", precision)

    def one(self, model: LanguageModel, policy: Policy = "exact", precision: Precision = "fp32") -> NativeEngine:
        """Return an engine for one text."""
        return NativeEngine(self.weights(model, precision), self._library, policy=policy)

    def many(
        self, model: LanguageModel, texts: int, policy: Policy = "exact", precision: Precision = "fp32"
    ) -> NativeBatchEngine:
        """Return an engine for several."""
        return NativeBatchEngine(self.weights(model, precision), self._library, texts=texts, policy=policy)
