"""Hugging Face's GPT-2 with our weights, written on by its own `generate` with its cache; wants `transformers`."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from tinygpt_tui.settings.architecture import GPTSettings

_TURNED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")  # kept (in, out) there


class HuggingFaceGPT2:
    """`GPT2LMHeadModel` of the same shapes, with the same weights; biases that ours does not have are zero."""

    def __init__(self, settings: GPTSettings, state: dict[str, Tensor]) -> None:
        """`state`: the state dict of a net in nanoGPT's form."""
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is fetched: the weights are ours
        transformers: Any = importlib.import_module("transformers")
        transformers.logging.set_verbosity_error()
        configuration = transformers.GPT2Config(
            vocab_size=settings.vocab_size,
            n_positions=settings.block_size,
            n_embd=settings.n_embd,
            n_layer=settings.n_layer,
            n_head=settings.n_head,
            activation_function="gelu",
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=None,
            eos_token_id=None,
        )
        self._model: Any = transformers.GPT2LMHeadModel(configuration).eval()
        wanted: dict[str, Tensor] = self._model.state_dict()
        turned = {name: tensor.t() if name.endswith(_TURNED) else tensor for name, tensor in state.items()}
        missing = {name: torch.zeros_like(tensor) for name, tensor in wanted.items() if name not in turned}
        strange = [name for name in missing if not name.endswith(".bias")]
        assert not strange, f"no weights for {strange}"
        self._model.load_state_dict({**turned, **missing})

    def generate(self, ids: list[int], count: int, temperature: float = 1.0) -> Iterator[int]:
        """Yield `count` ids after `ids`, handed over one by one. The whole must fit in the window.

        `generate` cannot be pulled: the ids are handed on when it returns, each having passed through a streamer.
        """
        taken = _Taken()
        chosen = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
        prompt = torch.tensor([ids])
        self._model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=count,
            min_new_tokens=count,
            use_cache=True,
            streamer=taken,
            **chosen,
        )
        yield from taken.ids[len(ids) :]


class _Taken:
    """A streamer: takes what `generate` hands over, token by token."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def put(self, value: Tensor) -> None:
        """Take the prompt (1, T), then one id (1,) at a time."""
        self.ids.extend(int(id) for id in value.flatten().tolist())

    def end(self) -> None:
        """Nothing is held back."""
