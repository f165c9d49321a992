"""The native engine is the torch engine: the same logits, and the same text over the window's edge."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from makers import MODERN, STANDARD_VARIANTS, make_model, random_ids, random_model, tiny_gpt
from numpy.typing import NDArray

from tinygpt_tui import paths
from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.checkpoints.native import load
from tinygpt_tui.checkpoints.weights import read_weights
from tinygpt_tui.errors import EngineError, UsageError
from tinygpt_tui.generation.base import Engine
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.library import ACTIVATIONS, VARIABLE, Library, load_library
from tinygpt_tui.native.weights import arrange
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.presets import PRESETS

# Sizes that meet every edge of the panels of 64, tiles of 4 and 6 rows, depths of 128 and blocks of 16 queries.
SIZES: dict[str, GPTSettings] = {
    "a head of one": tiny_gpt(n_head=8, n_embd=8, block_size=20),
    "odd widths": tiny_gpt(n_head=3, n_embd=21, block_size=37, bias=True, qkv_bias=True),
    "a head wider than a panel": tiny_gpt(n_head=2, n_embd=200, block_size=70, positions="rotary"),
    "a head of two panels": tiny_gpt(n_head=1, n_embd=128, block_size=33, token_shift=1),
    "more tokens than a panel": tiny_gpt(vocab_size=150, n_embd=48, n_head=3, block_size=150, tied_head=False),
    "more rows than an MLP's block": tiny_gpt(n_embd=40, n_head=2, block_size=300, positions="rotary", token_shift=3),
    "a deep product": tiny_gpt(n_embd=160, n_head=4, block_size=12, qk_norm=True, norm="rmsnorm"),
    "one number a head, in rms": tiny_gpt(n_embd=2, n_head=2, qk_norm=True, norm="rmsnorm", n_layer=1),
    "a window of two and a shift of three": tiny_gpt(block_size=2, token_shift=3, ngram_rows=90),
}
ALL = {**STANDARD_VARIANTS, **SIZES}


def native_twin(model: LanguageModel, library: Library) -> NativeEngine:
    settings: Any = model.settings
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return NativeEngine(arrange(settings, state), library)


def agree(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> None:
    """Logits differ by at most a ten-thousandth of their spread."""
    assert found.dtype == np.float32
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * max(float(wanted.std()), 0.1))


def greedy(engine: Engine, ids: list[int], count: int) -> list[int]:
    found = [int(np.argmax(engine.prefill(ids)))]
    while len(found) < count:
        found.append(int(np.argmax(engine.step(found[-1]))))
    return found


@pytest.mark.parametrize("settings", ALL.values(), ids=ALL.keys())
@pytest.mark.parametrize("prompt", [1, 4, 23])
def test_logits_are_torchs(settings: GPTSettings, prompt: int, library: Library) -> None:
    model = random_model(settings)
    mine, theirs = native_twin(model, library), TorchEngine(model)
    ids = random_ids(min(settings.block_size, 150) + prompt + 6, settings.vocab_size)
    agree(mine.prefill(ids[:prompt]), theirs.prefill(ids[:prompt]))
    for id in ids[prompt:]:
        agree(mine.step(id), theirs.step(id))
        assert mine.context_used == theirs.context_used


@pytest.mark.parametrize("settings", ALL.values(), ids=ALL.keys())
def test_greedy_text_is_torchs_over_the_windows_edge(settings: GPTSettings, library: Library) -> None:
    model = random_model(settings, seed=5)
    ids = random_ids(3, settings.vocab_size)
    count = min(settings.block_size, 80) + 20
    assert greedy(native_twin(model, library), ids, count) == greedy(TorchEngine(model), ids, count)


# Heads, layers, width, window; tokens that are written (torch takes its time once the window is full).
SHAPES = {"S": (4, 4, 64, 128, 220), "M": (6, 6, 192, 128, 140), "L": (6, 6, 384, 256, 251)}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_long_greedy_text_is_torchs(shape: tuple[int, int, int, int, int], library: Library) -> None:
    n_head, n_layer, n_embd, block_size, count = shape
    settings = GPTSettings(n_head=n_head, n_layer=n_layer, n_embd=n_embd, block_size=block_size)
    model = random_model(settings, seed=3)
    ids = random_ids(10, 65)
    assert greedy(native_twin(model, library), ids, count) == greedy(TorchEngine(model), ids, count)


@pytest.mark.parametrize("settings", ALL.values(), ids=ALL.keys())
def test_every_position_has_its_logits(settings: GPTSettings, library: Library) -> None:
    model = random_model(settings)
    engine = native_twin(model, library)
    for count in {1, max(1, settings.block_size - 1), settings.block_size}:
        ids = random_ids(count, settings.vocab_size)
        with torch.inference_mode():
            agree(engine.every(ids), model(torch.tensor([ids]))[0].numpy())
    with pytest.raises(UsageError, match="begins with `prefill`"):
        engine.step(0)
    for wrong in ([], [0] * (settings.block_size + 1)):
        with pytest.raises(UsageError, match="the window has room for 1 to"):
            engine.every(wrong)
    with pytest.raises(UsageError, match="is not one of"):
        engine.every([settings.vocab_size])


@pytest.mark.parametrize("name", ["shakespeare", "shakespeare-small", "tales"])
def test_shipped_models_write_the_same(name: str, library: Library) -> None:
    folder = paths.shipped_models() / name
    if not (folder / "weights.safetensors").is_file():
        pytest.skip(f"{name} is not shipped")
    checkpoint = load(folder)
    ids = checkpoint.tokenizer.encode("\nThe king, and then")
    mine = NativeEngine(read_weights(folder), library)
    theirs = TorchEngine(checkpoint.model)
    count = 150
    assert greedy(mine, ids, count) == greedy(theirs, ids, count)
    agree(mine.prefill(ids), theirs.prefill(ids))


def test_every_preset_is_decoded(library: Library) -> None:
    for preset in PRESETS.values():
        settings = preset.training.architecture
        if settings.is_standard and settings.n_embd <= 128:
            model = random_model(settings)
            ids = random_ids(settings.block_size, settings.vocab_size)
            agree(native_twin(model, library).prefill(ids), TorchEngine(model).prefill(ids))


def test_large_numbers_do_not_overflow(library: Library) -> None:
    for activation in ACTIVATIONS:
        model = random_model(tiny_gpt(activation=activation))
        for parameter in model.parameters():
            parameter.data *= 30
        ids = random_ids(8)
        found, wanted = native_twin(model, library).prefill(ids), TorchEngine(model).prefill(ids)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3 * wanted.std())


def test_engines_on_the_same_weights_do_not_mix(library: Library) -> None:
    model = random_model(MODERN)
    weights = arrange(MODERN, {name: tensor.numpy() for name, tensor in model.state_dict().items()})
    one, other = NativeEngine(weights, library), NativeEngine(weights, library)
    one.prefill([1, 2, 3])
    other.prefill([4, 5])
    agree(one.step(6), TorchEngine(model).prefill([1, 2, 3, 6]))


def test_a_new_text_forgets_the_old_one(library: Library) -> None:
    engine = native_twin(random_model(MODERN), library)
    first = engine.prefill([1, 2, 3])
    for id in random_ids(12):
        engine.step(id)
    np.testing.assert_array_equal(engine.prefill([1, 2, 3]), first)


def test_logits_are_the_callers_own(library: Library) -> None:
    engine = native_twin(random_model(MODERN), library)
    first = engine.prefill([1, 2, 3])
    kept = first.copy()
    engine.step(4)
    np.testing.assert_array_equal(first, kept)


def test_ids_that_cannot_be_are_refused(library: Library) -> None:
    engine = native_twin(random_model(MODERN), library)
    with pytest.raises(UsageError, match="begins with `prefill`"):
        engine.step(1)
    with pytest.raises(UsageError, match="at least one"):
        engine.prefill([])
    for wrong in (-1, 13, 1 << 40):
        with pytest.raises(UsageError, match="one of the model's 13"):
            engine.prefill([1, wrong])
    engine.prefill(np.array([1, 2]))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="one of the model's 13"):
        engine.step(13)
    with pytest.raises(TypeError):
        engine.step(1.0)  # type: ignore[arg-type]
    assert engine.context_used == 2


def test_without_a_library_there_is_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_model(tmp_path / "cat")
    monkeypatch.setenv(VARIABLE, "off")
    load_library.cache_clear()
    try:
        assert load_library() is None
        with pytest.raises(EngineError, match="was not built"):
            NativeEngine(read_weights(tmp_path / "cat"))
    finally:
        load_library.cache_clear()


def test_it_decodes_without_torch(tmp_path: Path, library_path: Path) -> None:
    make_model(tmp_path / "cat")
    code = (
        "import sys; from pathlib import Path; from tinygpt_tui.native import build, engine;"
        "from tinygpt_tui.checkpoints.weights import read_weights;"
        f"found = engine.NativeEngine(read_weights(Path({str(tmp_path / 'cat')!r})));"
        "assert found.prefill([1, 2]).shape == (13,);"
        "print(*sorted({'torch', 'textual'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, timeout=240, check=True, env={VARIABLE: str(library_path), "PATH": ""},
    )  # fmt: skip
    assert done.stdout.strip() == ""
