"""The Python API: `from tinygpt_tui import load`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tinygpt_tui.checkpoints.foreign import open_checkpoint
from tinygpt_tui.checkpoints.hub import folder_name
from tinygpt_tui.checkpoints.library import find_model
from tinygpt_tui.checkpoints.native import Checkpoint
from tinygpt_tui.checkpoints.opening import Typed, is_native
from tinygpt_tui.errors import UsageError
from tinygpt_tui.events.generation import GenerationEnded, GenerationEvent, Token
from tinygpt_tui.generation.batch import sample_texts
from tinygpt_tui.generation.engine import open_torch_batch_engine, open_torch_engine
from tinygpt_tui.generation.text import GenerationJob
from tinygpt_tui.settings.fields import checked
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.settings.windows import Policy, policy_for
from tinygpt_tui.training.evaluate import whole_loss


class Model:
    """An opened model: ask it for text, for logits, for its loss on a text of yours."""

    def __init__(self, name: str, checkpoint: Checkpoint) -> None:
        self.name = name
        self.config = checkpoint.config
        self.layout, self.facts = checkpoint.layout, checkpoint.facts
        self.tokenizer = checkpoint.tokenizer
        self.module = checkpoint.model

    @property
    def block_size(self) -> int:
        """How many tokens the model sees at once."""
        return self.config.architecture.block_size

    def generate(self, prompt: str = "", **settings: Any) -> str:
        """Return what the model writes after `prompt`, without the prompt.

        The settings are the fields of SamplingSettings: temperature, top_k, top_p, min_p, repetition_penalty,
        max_new_tokens, seed, stop (a text, or several), banned, allowed, window, … ; `weights` is always fp32 here.
        Characters that the model does not know are left out of the prompt. Raises UsageError.
        """
        return "".join(self.stream(prompt, **settings))

    def stream(self, prompt: str = "", **settings: Any) -> Iterator[str]:
        """Yield the same text piece by piece, each as soon as it is written. Raises UsageError, at once."""
        return self._texts(self.events(prompt, **settings))

    def samples(self, prompt: str, n: int, **settings: Any) -> list[str]:
        """Return `n` texts that the model writes after `prompt`, made side by side, several times as fast as in turn.

        Each is what `generate` writes with a seed that is higher by one than the text's before it. Raises UsageError.
        """
        sampling, policy = self._sampling(settings)
        texts = [""] * n
        events = sample_texts(
            lambda count: open_torch_batch_engine(self.module, count, policy),
            self.tokenizer,
            self.config.architecture.sight,
            prompt,
            sampling,
            n,
            engine_name="torch",
        )
        for event in events:
            if isinstance(event, Token | GenerationEnded):
                texts[event.sample] += event.text
        return texts

    def events(self, prompt: str = "", *, candidates: int | None = None, **settings: Any) -> Iterator[GenerationEvent]:
        """Yield GenerationStarted, a Token each, GenerationEnded. Raises UsageError, at once.

        With `candidates` each token carries what the model thought of it, and that many likeliest in its place.
        """
        sampling, policy = self._sampling(settings)
        engine = open_torch_engine(self.module, policy)
        events = iter(
            GenerationJob(
                engine,
                self.tokenizer,
                self.config.architecture.sight,
                prompt,
                sampling,
                candidates=candidates,
                engine_name="torch",
            )
        )
        return itertools.chain([next(events)], events)  # what cannot be is said here, and not at the first token

    @torch.inference_mode()
    def logits(self, text: str) -> Tensor:
        """Return the logits (T, V) of the token after each of the text's T tokens.

        Raises UsageError where the text has no token the model knows, or more than block_size.
        """
        ids = self._ids(text, at_least=1)
        if len(ids) > self.block_size:
            raise UsageError(f"the text has {len(ids)} tokens, the window {self.block_size}", "shorten the text")
        logits: Tensor = self.module(torch.tensor([ids], device=self.module.device))
        return logits[0]

    def loss(self, text: str) -> float:
        """Return the mean loss over `text`, nats per token; each token but the first is predicted once.

        A text longer than the window is read in windows, side by side. Raises UsageError where it has fewer than two
        tokens that the model knows.
        """
        return whole_loss(self.module, np.array(self._ids(text, at_least=2)), self.block_size)

    def _sampling(self, settings: dict[str, Any]) -> tuple[SamplingSettings, Policy]:
        sampling = checked(SamplingSettings, settings)
        if sampling.weights != "fp32":
            raise UsageError(
                f"weights {sampling.weights}: torch does not have them", "leave them out, or use `tinygpt-tui generate`"
            )
        return sampling, policy_for(sampling.window, self.config.architecture)

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


def load(name: str | Path, device: str = "cpu", *, vocabulary: str | Path | None = None, **settings: Any) -> Model:
    """Open a model by its name, or by the path of its folder or of a file in it; or another program's checkpoint.

    Of such a checkpoint `facts` says what was taken from where; `vocabulary` (a file) and the architecture's
    `settings` (n_head, attention_scale …) are what you know better. Nothing in a file is ever run.

    Raises NotFoundError, CheckpointError, UsageError.
    """
    path = find_model(str(name))
    if is_native(path.parent) and path.is_file():
        path = path.parent
    typed = Typed(settings, Path(vocabulary) if vocabulary else None)
    if is_native(path) and (settings or vocabulary):
        raise UsageError(f"{path.name} is a model of this program: all is known of it", "leave the settings out")
    return Model(path.stem if path.is_file() else folder_name(path), open_checkpoint(path, device, typed))
