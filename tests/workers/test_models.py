"""Opening a model to generate: the native engine and torch write the same, and torch is imported only for its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tinygpt_tui.native.library import load_library

GREEDY = """
import sys
from tinygpt_tui.checkpoints.library import find_model
from tinygpt_tui.events.generation import Token
from tinygpt_tui.generation.text import GenerationJob, TextGeneration
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.models import open_model

model = open_model(find_model("shakespeare"))
block_size = model.config.architecture.block_size
sampling = SamplingSettings(temperature=0, max_new_tokens=200)
job = GenerationJob(model.new_engine(), TextGeneration(model.tokenizer, block_size, "ROMEO:", sampling))
print("torch" in sys.modules, [event.id for event in job if isinstance(event, Token)])
"""


def greedy(native: str) -> tuple[str, str]:
    """Return whether a fresh process imported torch, and the ids it wrote past the window's edge."""
    environment = {**os.environ, "TINYGPT_TUI_NATIVE": native}
    done = subprocess.run(
        [sys.executable, "-c", GREEDY], env=environment, capture_output=True, encoding="utf-8", timeout=240, check=True
    )
    imported, _, ids = done.stdout.strip().partition(" ")
    return imported, ids


def test_without_the_native_engine_torch_writes() -> None:
    imported, ids = greedy("off")
    assert imported == "True"
    assert ids.count(",") == 199


def test_the_native_engine_writes_the_same_without_torch() -> None:
    if load_library() is None:
        pytest.skip("the native engine was not built")
    assert greedy("") == ("False", greedy("off")[1])
