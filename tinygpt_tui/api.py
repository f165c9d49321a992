"""The Python API: `from tinygpt_tui import load`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.checkpoints.card import is_native
from tinygpt_tui.checkpoints.engines import forward_of, torch_for
from tinygpt_tui.checkpoints.library import find_model
from tinygpt_tui.checkpoints.stored import StoredModel, read_model
from tinygpt_tui.errors import UsageError
from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, Token
from tinygpt_tui.foreign.hub import folder_name
from tinygpt_tui.foreign.losses import token_losses
from tinygpt_tui.foreign.opening import Overrides
from tinygpt_tui.settings.computing import AUTO
from tinygpt_tui.settings.fields import checked
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.models import OpenedModel, TorchModel, opened_from

if TYPE_CHECKING:
    from torch import Tensor

    from tinygpt_tui.architectures.base import LanguageModel


class Model:
    """An open model: get text, logits, and its loss on your text.

    With the device `auto` the native engine writes, if it was built and supports the model, else torch. With another
    device torch writes; and as soon as you use `module`, so that changes of that module have an effect.
    """

    def __init__(self, name: str, stored: StoredModel, device: str = AUTO) -> None:
        self.name = name
        self.config = stored.config
        self.layout, self.facts = stored.layout, stored.facts
        self.tokenizer = stored.tokenizer
        self._stored, self._device = stored, device
        self._module: LanguageModel | None = None
        self._opened: OpenedModel | None = None
        if device != AUTO:
            self._opened = TorchModel(self.config, self.tokenizer, self.module)

    @property
    def module(self) -> LanguageModel:
        """The net, as torch's module. Raises MissingPackageError."""
        module = self._net()
        if not isinstance(self._opened, TorchModel):
            self._opened = TorchModel(self.config, self.tokenizer, module)
        return module

    @property
    def block_size(self) -> int:
        return self.config.architecture.block_size

    def generate(self, prompt: str = "", **settings: Any) -> str:
        """Return what the model writes after `prompt`, without the prompt.

        The settings are the fields of SamplingSettings: temperature, top_k, top_p, min_p, repetition_penalty,
        max_new_tokens, seed, stop (a text, or several), banned, allowed, window, weights, …
        Characters that the model does not know are left out of the prompt. Raises UsageError.
        """
        return "".join(self.stream(prompt, **settings))

    def stream(self, prompt: str = "", **settings: Any) -> Iterator[str]:
        """Yield the same text piece by piece, each as soon as it is written. Raises UsageError, at once."""
        return self._texts(self.events(prompt, **settings))

    def samples(self, prompt: str, n: int, **settings: Any) -> list[str]:
        """Return `n` texts that the model writes after `prompt`, in one batch: several times as fast as in turn.

        Each is what `generate` writes with a seed that is higher by one than the text's before it. Raises UsageError.
        """
        sampling = checked(SamplingSettings, settings)
        texts = [""] * n
        events = self._model().samples(prompt, sampling, n)
        for event in events:
            if isinstance(event, Token | GenerationEnded):
                texts[event.sample] += event.text
        return texts

    def events(self, prompt: str = "", *, candidates: int | None = None, **settings: Any) -> Iterator[GenerationEvent]:
        """Yield GenerationStarted, a Token each, GenerationEnded. Raises UsageError, at once.

        With `candidates` each token carries its probabilities, with that many of the most likely tokens in its place.
        """
        return iter(self._model().new_job(prompt, checked(SamplingSettings, settings), candidates=candidates))

    def logits(self, text: str) -> Tensor:
        """Return the logits (T, V) of the token after each of the text's T tokens, as torch computes them.

        Raises UsageError if the text has no known token, or more than block_size; MissingPackageError.
        """
        ids = self._ids(text, at_least=1)
        if len(ids) > self.block_size:
            raise UsageError(f"the text has {len(ids)} tokens, the window {self.block_size}", "shorten the text")
        net = self._net()
        import torch

        with torch.inference_mode():
            logits: Tensor = net(torch.tensor([ids], device=net.device))
        return logits[0]

    def loss(self, text: str) -> float:
        """Return the mean loss over `text`, nats per token; each token but the first is predicted once.

        A text longer than the window is read in windows, in batches. Raises UsageError if it has fewer than two known
        tokens; MissingPackageError.
        """
        return float(self._losses(text).mean())

    def loss_per_character(self, text: str) -> float:
        """Return the same in nats per character: models with different tokenizers can be compared by it.

        Raises as `loss` does.
        """
        first = self.tokenizer.bytes_of(self._ids(text, at_least=2)[0]).decode("utf-8", "ignore")
        return float(self._losses(text).sum()) / max(1, len(text) - len(first))

    def bits_per_character(self, text: str) -> float:
        """Return the same in bits per character. Raises as `loss` does."""
        return self.loss_per_character(text) / math.log(2)

    def _losses(self, text: str) -> NDArray[np.float64]:
        """Return the loss of each token but the first (T - 1,)."""
        ids = np.array(self._ids(text, at_least=2))
        if self._module is None:
            forward = forward_of(self.config.architecture, self._stored.weights, self.name)
        else:
            from tinygpt_tui.checkpoints.torch_net import torch_forward

            forward = torch_forward(self._module)
        return token_losses(forward, self.config.architecture, ids, self.block_size)

    def _model(self) -> OpenedModel:
        """Return the model that writes, opened on first use. Raises MissingPackageError."""
        if self._opened is None:
            self._opened = opened_from(self._stored, self.name)
        return self._opened

    def _net(self) -> LanguageModel:
        if self._module is None:
            torch_for(self.config.architecture)
            from tinygpt_tui.checkpoints.native import checkpoint_of

            self._module = checkpoint_of(self._stored, "cpu" if self._device == AUTO else self._device).model
        return self._module

    def _ids(self, text: str, at_least: int) -> list[int]:
        ids = self.tokenizer.encode(text)
        if len(ids) < at_least:
            raise UsageError(
                f"of the text's tokens {self.name} knows {len(ids)}; at least {at_least} are needed",
                "use a longer text",
            )
        return ids

    @staticmethod
    def _texts(events: Iterator[GenerationEvent]) -> Iterator[str]:
        for event in events:
            if isinstance(event, Token | GenerationEnded) and event.text:
                yield event.text


def load(name: str | Path, device: str = AUTO, *, vocabulary: str | Path | None = None, **settings: Any) -> Model:
    """Open a model by its name, or by the path of its folder or of a file in it; or another program's checkpoint.

    For such a checkpoint `facts` says where each setting comes from; `vocabulary` (a file) and the architecture's
    `settings` (n_head, attention_scale …) override them. Nothing in a file is ever run.

    Raises NotFoundError, CheckpointError, UsageError; MissingPackageError if it needs torch and that is missing.
    """
    path = find_model(str(name))
    if is_native(path.parent) and path.is_file():
        path = path.parent
    typed = Overrides(settings, Path(vocabulary) if vocabulary else None)
    if is_native(path) and (settings or vocabulary):
        raise UsageError(f"{path.name} is a model of this program, with all its settings", "leave the settings out")
    return Model(path.stem if path.is_file() else folder_name(path), read_model(path, typed), device)
