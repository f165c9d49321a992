"""Small models, texts and folders, and the fakes, for all tests; torch is imported where a net is made."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinygpt_tui import paths
from tinygpt_tui.corpora.corpus import Corpus, CorpusText
from tinygpt_tui.runs.folder import CorpusReference, RunFolder, RunSettings
from tinygpt_tui.runs.index import create_run
from tinygpt_tui.settings.architecture import (
    ARCHITECTURE_SETTINGS,
    ArchitectureSettings,
    BackpackSettings,
    BigramSettings,
    CNNSettings,
    EncoderDecoderSettings,
    GPTSettings,
    GRUSettings,
    LSTMSettings,
    MLPSettings,
    RNNSettings,
    name_of,
)
from tinygpt_tui.settings.model_config import TrainedOn
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.settings.windows import Policy
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.documents import BOUNDARY, separator_of

if TYPE_CHECKING:
    import pytest
    from torch import Tensor

    from tinygpt_tui.architectures.base import LanguageModel

# The lines are of different lengths: no phase of the windows keeps step with them.
TEXT = (
    "".join(f"the {a} cat sat on the {b} mat.\n" for a in ("red", "old", "sleepy") for b in ("big", "wet", "new")) * 12
)


TINY = {"vocab_size": 13, "block_size": 8, "n_embd": 16}


def tiny_gpt(**changes: Any) -> GPTSettings:
    """A GPT of a few thousand parameters; `changes` over it."""
    return GPTSettings(**{**TINY, "n_layer": 2, "n_head": 2, **changes})


CLASSIC = tiny_gpt()
LECTURE = tiny_gpt(
    activation="relu", attention_scale="n_embd", bias=True, head_bias=True, tied_head=False, dropout=0.2,
    attention_dropout=0.2,
)  # fmt: skip
MODERN = tiny_gpt(
    positions="rotary", norm_weight=False, qk_norm=True, embedding_norm=True, token_shift=2, activation="relu_squared",
    tied_head=False, start="zero_residual", ngram_rows=64, dropout=0.1,
)  # fmt: skip

# Every option at least once, and the combinations that are used: what must hold for all of them, whatever they are.
GPT_VARIANTS: dict[str, GPTSettings] = {
    "classic": CLASSIC,
    "lecture": LECTURE,
    "modern": MODERN,
    "rmsnorm": tiny_gpt(norm="rmsnorm", bias=True),
    "rmsnorm without weights": tiny_gpt(norm="rmsnorm", norm_weight=False, qk_norm=True),
    "norm without weights, with bias": tiny_gpt(norm_weight=False, bias=True),
    "gelu_tanh, biases everywhere": tiny_gpt(activation="gelu_tanh", bias=True, qkv_bias=True),
    "tied head with a bias": tiny_gpt(head_bias=True),
    "rotary": tiny_gpt(positions="rotary"),
    "shift of three": tiny_gpt(token_shift=3),
    "shift of one, one layer": tiny_gpt(token_shift=1, n_layer=1, n_head=1),
    "sliding": tiny_gpt(positions="rotary", sliding=True),
    "sliding, with all else": tiny_gpt(
        positions="rotary", sliding=True, token_shift=2, ngram_rows=50, qk_norm=True, norm_weight=False
    ),
    "few n-gram rows": tiny_gpt(ngram_rows=7),
    "more n-gram rows than pairs": tiny_gpt(ngram_rows=500),
    "llama": tiny_gpt(
        positions="rotary",
        norm="rmsnorm",
        activation="swiglu",
        n_head=4,
        n_kv_head=2,
        hidden=20,
        tied_head=False,
        epsilon=1e-6,
        rotary_base=500.0,
    ),
    "llama, with all else": tiny_gpt(
        positions="rotary",
        norm="rmsnorm",
        activation="swiglu",
        n_kv_head=1,
        head_width=12,
        hidden=20,
        qkv_bias=True,
        qk_norm=True,
        qk_norm_weight=True,
        rotary_width=8,
        rotary_factors=(1.0, 1.5, 4.0, 8.0),
        epsilon=1e-3,
    ),
    "attention beside the MLP, alternately local": tiny_gpt(
        parallel=True, positions="rotary", rotary_width=4, bias=True, qkv_bias=True, local_windows=(0, 3)
    ),
    "gated by GELU, local": tiny_gpt(activation="geglu", local_windows=(5,), hidden=24, bias=True),
    "gated by tanh GELU, shifted": tiny_gpt(activation="geglu_tanh", token_shift=1, parallel=True),
    "alibi, no scale, silu": tiny_gpt(positions="alibi", n_head=4, attention_scale="one", activation="silu"),
    "alibi of grouped heads, local": tiny_gpt(
        n_embd=18, positions="alibi", n_head=6, n_kv_head=3, local_windows=(0, 4), bias=True
    ),
    "wide heads": tiny_gpt(head_width=12, hidden=40, n_kv_head=1, positions="rotary", sliding=True, activation="reglu"),
    "gated by a sigmoid, capped logits": tiny_gpt(activation="glu", logit_cap=0.5),
    "one head, nothing else": tiny_gpt(
        n_layer=1, n_head=1, norm="none", projection=False, feed_forward="none", residual="none", final_norm=False
    ),
    "half an MLP, no residual": tiny_gpt(
        norm="none",
        projection=False,
        feed_forward="one_layer",
        residual="none",
        final_norm=False,
        activation="relu",
        bias=True,
    ),
    "residual of the norm, shifted": tiny_gpt(residual="normed", final_norm=False, token_shift=1, bias=True),
    "norms after the sublayers, shifted": tiny_gpt(residual="post_norm", token_shift=2, bias=True, qkv_bias=True),
    "norms after the sublayers, rotary": tiny_gpt(residual="post_norm", norm="rmsnorm", positions="rotary"),
    "attention alone": tiny_gpt(feed_forward="none", token_shift=2),
    "a window of one": tiny_gpt(block_size=1),
    "one token": tiny_gpt(vocab_size=1),
}
STANDARD_VARIANTS = {
    name: settings for name, settings in GPT_VARIANTS.items() if settings.is_standard
}  # not torch alone
VARIANTS: dict[str, ArchitectureSettings] = GPT_VARIANTS | {
    "rnn": RNNSettings(**TINY, n_layer=2, n_hidden=24),
    "gru": GRUSettings(**TINY, n_layer=2, n_hidden=24),
    "lstm": LSTMSettings(**TINY, n_layer=2, n_hidden=24, dropout=0.1),
    "rnn, plain, with a start": RNNSettings(**TINY, n_layer=1, n_hidden=24, cells_only=True, learned_start=True),
    "gru that resets first": GRUSettings(**TINY, n_layer=1, n_hidden=24, cells_only=True, reset_first=True),
    "gru, plain": GRUSettings(**TINY, n_layer=2, n_hidden=24, cells_only=True, dropout=0.1),
    "lstm, plain": LSTMSettings(**TINY, n_layer=3, n_hidden=12, cells_only=True),
    "cnn": CNNSettings(**TINY, n_layer=4, kernel_size=2, dilation_cycle=3),
    "cnn, wide kernel": CNNSettings(**TINY, n_layer=2, kernel_size=3, dropout=0.1),
    "mlp": MLPSettings(**TINY, n_hidden=24),
    "bigram": BigramSettings(vocab_size=13, block_size=8),
    "encoder-decoder": EncoderDecoderSettings(**TINY, n_layer=2, n_head=2, separator=3, dropout=0.1),
    "backpack": BackpackSettings(**TINY, n_layer=2, n_head=2, n_sense=4, sliding=False, dropout=0.1),
    "backpack that slides": BackpackSettings(**TINY, n_layer=1, n_head=2, n_sense=2),
}
# An architecture without a variant of its own is tested, too, as small as its settings allow.
VARIANTS |= {
    name_of(net()): net(**{name: value for name, value in TINY.items() if name in net.__struct_fields__})
    for net in ARCHITECTURE_SETTINGS
    if net not in {type(settings) for settings in VARIANTS.values()}
}


def random_model(settings: ArchitectureSettings, seed: int = 0) -> LanguageModel:
    """Build a net whose every weight is random, so that nothing is zero by its start; leaves the global state alone."""
    import torch

    from tinygpt_tui.architectures.table import build

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(settings)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                # A state that is multiplied by more than one, step after step, ends in chaos: no two roundings agree.
                tame = name.endswith("from_state.weight")
                parameter.normal_(std=0.5 * parameter.shape[-1] ** -0.5 if tame else 0.4)
    return model.eval()


def random_ids(count: int, size: int = 13, seed: int = 1) -> list[int]:
    """Draw `count` ids below `size`."""
    return [int(id) for id in np.random.default_rng(seed).integers(size, size=count)]


def small_training(**changes: Any) -> TrainingSettings:
    """A training of a tiny net that takes a second; names of either struct in `changes`."""
    of_net = {name: changes.pop(name) for name in list(changes) if name in GPTSettings.__struct_fields__}
    chosen = {
        "steps": 12, "batch_size": 8, "learning_rate": 1e-2, "evaluate_every": 4, "sample_tokens": 5, "threads": 1,
        "compile": "never", "device": "cpu",
    }  # fmt: skip
    return TrainingSettings(architecture=tiny_gpt(**of_net), **{**chosen, **changes})


def small_corpus(settings: TrainingSettings, text: str = TEXT) -> tuple[TrainingSettings, Corpus]:
    """Split `text`; return it with the settings whose vocabulary fits it."""
    import msgspec

    corpus = CorpusText.of(text, documents=text.count(BOUNDARY)).split(settings)
    architecture = msgspec.structs.replace(settings.architecture, vocab_size=corpus.tokenizer.size)
    if "separator" in architecture.__struct_fields__:
        architecture = msgspec.structs.replace(architecture, separator=separator_of(corpus.tokenizer))
    return msgspec.structs.replace(settings, architecture=architecture), corpus


def spoil_loss(patch: pytest.MonkeyPatch, *steps: int, value: float = float("nan"), times: int = 1) -> None:
    """Make the loss of each of `steps` (from 0) not a number the first `times` that a training takes it."""
    from tinygpt_tui.training.gradients import Gradients

    plain = Gradients._loss
    taken: Counter[tuple[Gradients, int]] = Counter()

    def spoiled(self: Gradients, inputs: Tensor, targets: Tensor, learned: float, step: int) -> Tensor:
        taken[self, step] += 1
        spoils = step in steps and taken[self, step] <= times
        return plain(self, inputs, targets, learned, step) * (value if spoils else 1.0)

    patch.setattr(Gradients, "_loss", spoiled)


def split(
    text: str, block_size: int, share: float, tokenizer: Tokenizer | None = None, *, documents: int = 0
) -> Corpus:
    """Split `text` for windows of `block_size` tokens."""
    training = TrainingSettings(architecture=tiny_gpt(block_size=block_size), validation_share=share)
    return CorpusText.of(text, documents).split(training, tokenizer)


def make_model(folder: Path, settings: ArchitectureSettings = CLASSIC, seed: int = 0) -> LanguageModel:
    """Write a model folder with random weights; return the net in it."""
    from tinygpt_tui.checkpoints.native import write_beginning, write_weights

    model = random_model(settings, seed)
    tokenizer = CharTokenizer("\n abcdefghijk"[: settings.vocab_size])
    folder.mkdir(parents=True, exist_ok=True)
    write_beginning(folder, settings, model.count_parameters(), tokenizer)
    write_weights(folder, model, TrainedOn(corpus="letters", step=7, validation_loss=1.5))
    return model


def make_run(name: str = "cat", text: str = TEXT, **changes: Any) -> RunFolder:
    """Make a run of a small training in the test's home, with its corpus beside it."""
    corpus = paths.home() / f"{name}.txt"
    corpus.parent.mkdir(parents=True, exist_ok=True)
    corpus.write_text(text, encoding="utf-8")
    reference = CorpusReference(name=name, path=str(corpus))
    return create_run(RunSettings(name=name, created=1.0, corpus=reference, training=small_training(**changes)))


class ScriptedEngine:
    """Is certain of the next id of a script, whatever it is shown; remembers what that was."""

    window: Policy = "exact"

    def __init__(self, script: Sequence[int], size: int = 256) -> None:
        self._script, self._size = list(script), size
        self.shown: list[int] = []
        self.context_used = 0

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float32]:
        self.shown = list(ids)
        return self._next()

    def step(self, id: int) -> NDArray[np.float32]:
        self.shown.append(id)
        return self._next()

    def every(self, ids: Sequence[int]) -> NDArray[np.float32]:
        return np.stack([self._next() for _ in ids])

    def _next(self) -> NDArray[np.float32]:
        self.context_used = len(self.shown)
        logits = np.full(self._size, -100.0, dtype=np.float32)
        logits[self._script.pop(0)] = 100.0
        return logits


class ContextEngine:
    """Its logits are made of the ids that it sees, so that a wrong context shows; remembers what it was asked."""

    def __init__(self, vocab_size: int, window: Policy = "exact") -> None:
        self.vocab_size, self.block_size, self._window = vocab_size, 8, window
        self.ids: list[int] = []
        self.calls: list[str] = []

    @property
    def window(self) -> Policy:
        return self._window

    @property
    def context_used(self) -> int:
        return min(len(self.ids), self.block_size)

    def prefill(self, ids: Sequence[int]) -> NDArray[np.float32]:
        self.calls.append("prefill")
        self.ids = list(ids)
        return self.logits(self.ids)

    def step(self, id: int) -> NDArray[np.float32]:
        self.calls.append("step")
        self.ids.append(id)
        return self.logits(self.ids)

    def every(self, ids: Sequence[int]) -> NDArray[np.float32]:
        assert len(ids) <= self.block_size
        self.calls.append("every")
        self.ids = []
        return np.stack([self.logits(list(ids[: end + 1])) for end in range(len(ids))])

    def logits(self, ids: list[int]) -> NDArray[np.float32]:
        """What the last block_size ids, or under rolling the whole text, say of the next."""
        seen = ids if self._window == "rolling" else ids[-self.block_size :]
        randomly = np.random.default_rng([len(seen), *seen])
        return randomly.normal(size=self.vocab_size).astype(np.float32)


class ByteTokenizer:
    """An id is a byte: characters come in pieces."""

    name, size = "byte", 256
    end_of_text: int | None = None

    def encode(self, text: str) -> list[int]:
        return list(text.encode("utf-8"))

    def bytes_of(self, id: int) -> bytes:
        return bytes([id])

    def unknown_in(self, text: str) -> str:
        return ""

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name}


def wait_until(predicate: Callable[[], bool], seconds: float = 240) -> None:
    """Return when `predicate` holds; fail where it does not come to that."""
    ends = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.02)
