"""llama.cpp with one GGUF in a process of its own, which it ends where the processor lacks an instruction.

`python -m tinygpt_tui.measuring.llama_cpp FILE` reads requests as lines of JSON and answers each with one. One thread;
its memory of keys and values is float32, as ours is. Wants `xllamacpp`.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinygpt_tui.errors import EngineError
from tinygpt_tui.reading import decode, read_bytes

LARGEST_LOG = 1 << 24  # bytes


class LlamaCpp:
    """A llama.cpp that is running; `close` ends it."""

    def __init__(self, path: Path) -> None:
        """`path` is the GGUF's; a log is written beside it. Raises EngineError if llama.cpp cannot be started."""
        self._log = path.with_suffix(".log")
        command = [sys.executable, "-m", "tinygpt_tui.measuring.llama_cpp", str(path)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, encoding="utf-8"
            )
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def complete(self, prompt: str | Sequence[int], count: int, **request: Any) -> dict[str, Any]:
        """Return its answer to a request for `count` tokens: `choices` and `timings`. Raises EngineError."""
        request = {"prompt": prompt, "n_predict": count, "cache_prompt": False, **request}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "choices" not in answer:
            raise EngineError(f"llama.cpp answered {json.dumps(answer)}")
        return answer

    def greedy(self, prompt: Sequence[int], count: int) -> list[int]:
        """Return the `count` most likely ids after `prompt`."""
        (choice,) = self.complete(prompt, count, temperature=0, logprobs=1)["choices"]
        return [token["id"] for token in choice["logprobs"]["content"]]

    def speed(self, prompt: Sequence[int], count: int, seconds: float) -> float:
        """Return the tokens/s of texts of `count` tokens, drawn at temperature 1 for at least so long.

        By its own clock, without the request around the text; or by the processor's time, request and all, where other
        programs on the core have made that the shorter one.
        """
        written, taken_s = 0, 0.0
        while taken_s <= seconds:
            answer = self.complete(prompt, count, temperature=1, samplers=["temperature"])
            timings = answer["timings"]
            written += timings["predicted_n"]
            taken_s += min(answer["worked_s"], (timings["prompt_ms"] + timings["predicted_ms"]) / 1000)
        return written / taken_s

    def close(self) -> None:
        self._process.kill()
        with self._process:
            pass

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            answer: dict[str, Any] = decode(line)
            return answer
        code = self._process.wait()
        if code < 0:
            raise EngineError(f"llama.cpp does not run on this processor: it ended by signal {-code}")
        said = read_bytes(self._log, LARGEST_LOG).decode("utf-8", "replace").strip()
        raise EngineError(f"llama.cpp ended: {said.splitlines()[-1] if said else 'it said nothing'}")


def main(path: str) -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # llama.cpp prints there
    xllamacpp: Any = importlib.import_module("xllamacpp")
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
    print("{}", file=answers, flush=True)
    for request in sys.stdin:
        began = time.process_time()
        answer = server.handle_completions(decode(request))
        worked_s = time.process_time() - began
        print(json.dumps({**answer, "worked_s": worked_s}), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
