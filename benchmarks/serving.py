"""Many readers at once: `python benchmarks/serving.py [--torch] [MODEL ...]`, by default S, M and `shakespeare`.

S and M are nets of those sizes with random weights. With `--torch` the native engine is switched off.

A real server on loopback writes for one reader after another, and for 32 together, by turns in one run; each asks for a
stream of 100 tokens inside the window. It prints the ratio of all tokens a second, and how long a reader waited for the
first piece. Then, where wrk is on this machine, more readers than there are places ask as fast as they can, and some of
them go away in the middle: every answer must be 200 or 429, and no text may still be generated without a reader.
POSIX only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import torch

from tinygpt_tui.architectures.table import build
from tinygpt_tui.checkpoints.native import write_beginning, write_weights
from tinygpt_tui.measuring.sizes import SIZES
from tinygpt_tui.native.library import VARIABLE as NATIVE
from tinygpt_tui.paths import HOME_VARIABLE
from tinygpt_tui.settings.model_config import TrainedOn
from tinygpt_tui.tokenizers.char import CharTokenizer

READERS, ALONE, ROUNDS = 32, 8, 5  # ALONE readers are asked one after another in a round
TOKENS = 100
LETTERS = "\n !$&',-.3:;?" + "".join(chr(code) for base in (65, 97) for code in range(base, base + 26))
WRK_S, WRK_READERS = 5, 96
WRK = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{body}'
local threads = {{}}
function setup(thread) table.insert(threads, thread) end
function init() statuses = {{}} end
function response(status) statuses[status] = (statuses[status] or 0) + 1 end
function done()
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do print("status", status, count) end
  end
end
"""


@contextmanager
def server(home: str, by_torch: bool) -> Iterator[str]:
    """Serve in a process of its own; yield the address."""
    command = [sys.executable, "-m", "tinygpt_tui", "serve", "--port", "0"]
    environment = {**os.environ, HOME_VARIABLE: home, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    if by_torch:
        environment[NATIVE] = "off"
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, encoding="utf-8")
    try:
        assert process.stderr is not None
        while "http://" not in (line := process.stderr.readline()):
            if not line:
                raise RuntimeError("the server ended before it said where it is")
        yield next(word for word in line.split() if word.startswith("http://"))
    finally:
        process.terminate()
        process.wait(30)


async def read(client: httpx.AsyncClient, model: str) -> tuple[float, int]:
    """Read one stream to its end; return the seconds to its first piece, and its tokens."""
    asked = {"model": model, "prompt": "A", "max_tokens": TOKENS, "stream": True}
    began, first, tokens = time.perf_counter(), 0.0, 0
    async with client.stream(
        "POST", "/v1/completions", json=asked | {"stream_options": {"include_usage": True}}
    ) as answer:
        async for line in answer.aiter_lines():
            first = first or time.perf_counter() - began
            if '"usage":{' in line:
                tokens = json.loads(line.removeprefix("data: "))["usage"]["completion_tokens"]
    return first, tokens


async def measure(url: str, model: str) -> None:
    """Print a row."""
    alone, together, waits = [], [], []
    limits = httpx.Limits(max_connections=READERS)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=120) as client:
        await read(client, model)
        for _ in range(ROUNDS):
            began = time.perf_counter()
            tokens = sum([(await read(client, model))[1] for _ in range(ALONE)])
            alone.append(tokens / (time.perf_counter() - began))
            began = time.perf_counter()
            found = await asyncio.gather(*(read(client, model) for _ in range(READERS)))
            together.append(sum(count for _, count in found) / (time.perf_counter() - began))
            waits += [first * 1000 for first, _ in found]
    ratios = sorted(b / a for a, b in zip(alone, together, strict=True))
    waits.sort()
    spread = f"{statistics.median(ratios):.1f}x ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    print(
        f"{model:<12} one after another {statistics.median(alone):>7,.0f} tokens/s   {READERS} together"
        f" {statistics.median(together):>7,.0f}   {spread}"
        f"   first piece: half within {waits[len(waits) // 2]:.0f} ms, all within {waits[-1]:.0f}"
    )


async def leave(url: str, model: str) -> None:
    """Ask for long texts and go away after the first piece of each."""
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        for _ in range(20):
            asked = {"model": model, "prompt": "A", "max_tokens": 4096, "stream": True}
            async with client.stream("POST", "/v1/completions", json=asked) as answer:
                if answer.status_code == httpx.codes.OK:
                    async for _ in answer.aiter_bytes():
                        break


def many_readers(url: str, model: str) -> bool:
    """Let wrk ask while others leave; print the answers' numbers; return whether all is well after it."""
    wrk = shutil.which("wrk")
    if wrk is None:
        print("wrk is not on this machine: no crowd")
        return True
    body = json.dumps({"model": model, "prompt": "A", "max_tokens": 20})
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as script:
        script.write(WRK.format(body=body))
        script.flush()
        command = [wrk, "-t1", f"-c{WRK_READERS}", f"-d{WRK_S}s", "-s", script.name, f"{url}/v1/completions"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")
        asyncio.run(leave(url, model))
        said, _ = process.communicate()
    statuses = Counter[str]()
    for line in said.splitlines():
        if line.startswith("status"):
            _, status, count = line.split()
            statuses[status] += int(count)
    print(
        f"{WRK_READERS} readers for {WRK_S} s, others leaving in the middle: "
        + ", ".join(f"{count:,} answers {status}" for status, count in sorted(statuses.items()))
    )
    until = time.perf_counter() + 10
    while (texts := httpx.get(f"{url}/health").json()["texts"]) and time.perf_counter() < until:
        time.sleep(0.05)
    print(f"texts still generated without a reader: {texts}")
    return set(statuses) <= {"200", "429"} and statuses["200"] > 0 and not texts


def main() -> int:
    """Measure; return 1 where the crowd was not answered as it should."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("models", metavar="MODEL", nargs="*", default=["S", "M", "shakespeare"])
    parser.add_argument("--torch", action="store_true", help="without the native engine")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        for name in ("S", "M"):
            torch.manual_seed(0)
            settings = SIZES[name].settings
            net = build(settings)
            folder = Path(home, "models", name)
            folder.mkdir(parents=True, exist_ok=True)
            write_beginning(folder, settings, net.count_parameters(), CharTokenizer(LETTERS))
            write_weights(folder, net, TrainedOn(corpus="nothing", step=0, validation_loss=4.17))
        with server(home, chosen.torch) as url:
            for model in chosen.models:
                asyncio.run(measure(url, model))
            return 0 if many_readers(url, "S") else 1


if __name__ == "__main__":
    sys.exit(main())
