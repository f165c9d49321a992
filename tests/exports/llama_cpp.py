"""Runs a GGUF in llama.cpp: the greedy text and its log probabilities."""

from __future__ import annotations

from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tinygpt_tui.errors import EngineError
from tinygpt_tui.measuring.llama_cpp import LlamaCpp

FEWEST = 1 << 10  # more probabilities than a small vocabulary has


class Written(NamedTuple):
    """The ids and their text, and of each the log probabilities of all ids."""

    ids: list[int]
    text: str
    log_probabilities: list[dict[int, float]]


def greedy(path: Path, prompt: str, count: int) -> Written:
    """Continue `prompt` by `count` tokens in llama.cpp; skips the test where that is not installed or cannot run."""
    if find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed")
    try:
        with closing(LlamaCpp(path)) as llama_cpp:
            (choice,) = llama_cpp.complete(prompt, count, temperature=0, logprobs=FEWEST)["choices"]
    except EngineError as error:
        if "this processor" not in error.message:
            raise
        pytest.skip(error.message)
    tokens = choice["logprobs"]["content"]
    each = [{one["id"]: one["logprob"] for one in token["top_logprobs"]} for token in tokens]
    return Written([token["id"] for token in tokens], choice["text"], each)
