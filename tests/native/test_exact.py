"""The exact library: the same bits however it is compiled, for any processor; and torch's logits."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from makers import STANDARD_VARIANTS, random_ids, random_model
from native_twins import Twins
from numpy.typing import NDArray

from tinygpt_tui.generation.base import Engine
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.native import build as building
from tinygpt_tui.native.library import EXACT_NAME, Library

NAMES = (
    "sliding, with all else",
    "llama, with all else",
    "norms after the sublayers, rotary",
    "gelu_tanh, biases everywhere",
)


@pytest.fixture(scope="module")
def differently_compiled(tmp_path_factory: pytest.TempPathFactory, library_path: Path) -> Library:
    """Compile it for this processor, with wider vectors than any processor has and the copies for each kind."""
    path = tmp_path_factory.mktemp("exact") / EXACT_NAME
    command = building._exactly(building._commands(building._compiler(), path)[0], path, path)
    words = ["-O1" if word == "-O2" else word for word in command if word != building.PORTABLE]
    subprocess.run([*words, *([building.WIDE] if building._X86 else [])], check=True, timeout=120)
    return Library(path)


@pytest.mark.parametrize("name", NAMES)
def test_results_are_the_same_bits_however_it_is_compiled(
    name: str, library_path: Path, differently_compiled: Library
) -> None:
    settings = STANDARD_VARIANTS[name]
    model, ids = random_model(settings), random_ids(40)
    policy = "rolling" if settings.supports_sliding else "reanchor"
    one, other = (
        read_by(Twins(library).one(model, policy), ids)
        for library in (Library(library_path.with_name(EXACT_NAME)), differently_compiled)
    )
    assert one.tobytes() == other.tobytes()
    np.testing.assert_allclose(one, read_by(TorchEngine(model, policy), ids), rtol=0, atol=1e-3)


def read_by(engine: Engine, ids: list[int]) -> NDArray[np.float32]:
    """Return the logits after 5 ids that are read at once, then after each one more."""
    return np.stack([engine.prefill(ids[:5]), *(engine.step(id) for id in ids[5:])])
