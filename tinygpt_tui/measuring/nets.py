"""The nets of one size in every form that is measured, and the engines that generate with them."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch

from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.architectures.table import build
from tinygpt_tui.checkpoints.stored import StoredModel
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.exports.gguf_file import write_f32, write_q8_0
from tinygpt_tui.exports.source import ExportSource
from tinygpt_tui.generation.base import BatchEngine, Engine
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.generation.slots import SlotBatchEngine
from tinygpt_tui.measuring.llama_cpp import LlamaCpp
from tinygpt_tui.measuring.naive import NaiveGPT
from tinygpt_tui.measuring.sizes import TEXTS, Size
from tinygpt_tui.native.engine import NativeBatchEngine, NativeEngine
from tinygpt_tui.native.library import Library, load_library
from tinygpt_tui.native.weights import NativeWeights, arrange
from tinygpt_tui.packages import command_in, missing
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.model_config import FORMAT, NativeConfig
from tinygpt_tui.settings.sampling import Weights
from tinygpt_tui.settings.windows import Policy
from tinygpt_tui.tokenizers.char import CharTokenizer

Form = Literal["plain", "sliding", "llama"]
PRECISIONS: tuple[Weights, ...] = ("fp32", "int8")
_CHANGES: dict[Form, dict[str, Any]] = {
    "sliding": {"positions": "rotary", "sliding": True},
    "llama": {
        "positions": "rotary",
        "norm": "rmsnorm",
        "activation": "swiglu",
        "bias": False,
        "qkv_bias": False,
    },
}
_SPREAD_OF_WEIGHTS = 0.1  # nanoGPT's 0.02 writes one token for ever when greedy: no test of anything
_FIRST_CHARACTER = 0x10000  # of as many as there are tokens, none of them a surrogate


@dataclass
class Nets:
    """Random weights in every form, made when asked for and shared by what needs them.

    `plain` is nanoGPT's net, with the weights of `naive`; `sliding` and `llama` have weights of their own.
    """

    size: Size
    library: Library | None = field(default_factory=load_library)

    def __post_init__(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.naive = NaiveGPT(self.size.settings).eval()
            self._models: dict[Form, LanguageModel] = {"plain": self._with_weights(self.size.settings, self.naive)}
        self._native: dict[tuple[Form, Weights], NativeWeights] = {}
        self._running = ExitStack()
        self.llama_cpp: dict[Weights, LlamaCpp] = {}
        self.no_llama_cpp = ""

    def model(self, form: Form) -> LanguageModel:
        if form not in self._models:
            settings = msgspec.structs.replace(self.size.settings, **_CHANGES[form])
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(1)
                self._models[form] = self._with_weights(settings, None)
        return self._models[form]

    def torch_engine(self, policy: Policy) -> Engine:
        """An engine of torch's; `rolling` is the sliding net's."""
        return TorchEngine(self.model(_form_for(policy)), policy)

    def torch_batch(self) -> BatchEngine:
        """TEXTS texts at once by torch."""
        return SlotBatchEngine(self.model("plain"), TEXTS, "exact")

    def native_engine(self, policy: Policy, weights: Weights = "fp32", form: Form | None = None) -> NativeEngine:
        """A native engine; `rolling` is the sliding net's."""
        arranged = self._arranged(form or _form_for(policy), weights)
        return NativeEngine(arranged, self.library, policy=policy)

    def native_batch(self) -> BatchEngine:
        """TEXTS texts at once by the native engine."""
        return NativeBatchEngine(self._arranged("plain", "fp32"), self.library, texts=TEXTS, policy="exact")

    def start_llama_cpp(self) -> None:
        """Start llama.cpp with the Llama's weights in each precision; if it cannot, `no_llama_cpp` says why."""
        self.no_llama_cpp = not_installed("xllamacpp") or not_installed("gguf")
        if self.no_llama_cpp:
            return
        source = ExportSource("llama", self._stored_llama())
        folder = Path(self._running.enter_context(tempfile.TemporaryDirectory()))
        write_f32(source, folder)
        write_q8_0(source, folder)
        try:
            for precision, file in zip(PRECISIONS, ("model.gguf", "model-Q8_0.gguf"), strict=True):
                self.llama_cpp[precision] = self._running.enter_context(closing(LlamaCpp(folder / file)))
        except TinyGPTError as error:
            self.no_llama_cpp = error.message

    def close(self) -> None:
        """End what was started."""
        self._running.close()

    def _stored_llama(self) -> StoredModel:
        model, V = self.model("llama"), self.size.settings.vocab_size
        settings: GPTSettings = model.settings  # type: ignore[assignment]
        config = NativeConfig(format=FORMAT, architecture=settings, parameters=model.count_parameters())
        characters = "".join(map(chr, range(_FIRST_CHARACTER, _FIRST_CHARACTER + V)))
        return StoredModel(config, _arrays(model), CharTokenizer(characters))

    def _arranged(self, form: Form, precision: Weights) -> NativeWeights:
        if (form, precision) not in self._native:
            model = self.model(form)
            settings: GPTSettings = model.settings  # type: ignore[assignment]
            self._native[form, precision] = arrange(settings, _arrays(model), self.size.name, precision=precision)
        return self._native[form, precision]

    def _with_weights(self, settings: GPTSettings, like: NaiveGPT | None) -> LanguageModel:
        """Build the package's own net with the weights of `like` (in its memory), or with new ones."""
        model = build(settings).eval()
        source = model if like is None else like
        with torch.no_grad():
            for parameter in source.parameters():
                if like is not None:
                    parameter.normal_(std=_SPREAD_OF_WEIGHTS)
                elif parameter.dim() > 1:  # small weights of its norms would leave a Llama little to say
                    parameter.normal_(std=2 * _SPREAD_OF_WEIGHTS)
        if like is not None:
            model.load_state_dict(like.state_dict(), assign=True)
            model.lm_head.weight = model.transformer["wte"].weight  # type: ignore[union-attr,index]
        return model


def not_installed(package: str) -> str:
    """Return that `package` is missing, with the command that installs it; empty where it is not."""
    error = missing(package, "this", "bench")
    return f"not installed: {command_in(error.hint)}" if error else ""


def _form_for(policy: Policy) -> Form:
    return "sliding" if policy == "rolling" else "plain"


def _arrays(model: LanguageModel) -> dict[str, Any]:
    return {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
