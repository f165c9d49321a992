"""Runs a GGUF in llama.cpp: `python llama_cpp.py FILE PROMPT COUNT` prints the greedy text and its log probabilities.

A process of its own, since llama.cpp ends it where the processor lacks an instruction.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

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
    command = [sys.executable, __file__, str(path), prompt, str(count)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=120)
    if done.returncode < 0:
        pytest.skip(f"llama.cpp does not run on this processor: it ended by signal {-done.returncode}")
    assert done.returncode == 0, done.stderr
    (choice,) = json.loads(done.stdout.splitlines()[-1])["choices"]
    tokens = choice["logprobs"]["content"]
    each = [{one["id"]: one["logprob"] for one in token["top_logprobs"]} for token in tokens]
    return Written([token["id"] for token in tokens], choice["text"], each)


def _run(path: str, prompt: str, count: int) -> Any:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.n_ctx = 0  # the model's own
    parameters.n_parallel = 1
    parameters.warmup = False
    parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    for threads in (parameters.cpuparams, parameters.cpuparams_batch):
        threads.n_threads = 1
    server = xllamacpp.Server(parameters)
    return server.handle_completions(
        {"prompt": prompt, "n_predict": count, "temperature": 0, "logprobs": FEWEST, "cache_prompt": False}
    )


if __name__ == "__main__":
    answer = _run(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    print(answer if isinstance(answer, str) else json.dumps(answer), flush=True)
