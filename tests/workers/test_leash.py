"""Every process that is started here ends with its parent, also with one that was killed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from makers import make_run, wait_until

import tinygpt_tui
from tinygpt_tui.workers.process import environment

# Where a process may be started otherwise: a trainer outlives its starter, a compiler is waited for.
STARTERS = {
    "platforms.py": "a trainer",
    "workers/process.py": "the one way",
    "workers/engine_process.py": "the engine, which reads its requests from the same pipe",
    "workers/exporter.py": "the same, asynchronously",
    "workers/device_check.py": "the same, watched",
    "native/build.py": "a compiler",
    "measuring/llama_cpp.py": "llama.cpp, which ends where its standard input does",
    "measuring/first_token.py": "a command whose time is measured",
    "server/in_browser.py": "no process: the command line of one",
}

PARENT = """
import asyncio, json, sys, threading
from pathlib import Path
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.workers import exporter
from tinygpt_tui.workers.engine_process import EngineProcess
from tinygpt_tui.workers.process import Child

async def main():
    engine = EngineProcess()
    await engine.start()
    export = asyncio.create_task(exporter.export("no model", "onnx", "nowhere"))
    children = [Child("timeit", "-n", "1", "-r", "1", "-s", "import time", "time.sleep(600)")]
    print(engine.pid, *(child.pid for child in children), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_every_process_is_started_where_its_end_is_known() -> None:
    package = Path(tinygpt_tui.__file__).parent
    for path in package.rglob("*.py"):
        found = {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        name = path.relative_to(package).as_posix()
        if found & {"Popen", "check_output", "check_call", "create_subprocess_exec", "create_subprocess_shell"}:
            assert name in STARTERS


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a virtual environment's launcher stands between parent and child")
def test_children_end_with_a_parent_that_is_killed() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as parent:
        assert parent.stdout is not None
        told = [int(pid) for pid in parent.stdout.readline().split()]
        children = psutil.Process(parent.pid).children(recursive=True)
        assert {child.pid for child in children} >= set(told)
        parent.kill()
        parent.wait()
        wait_until(lambda: not any(_runs(child) for child in children))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a virtual environment's launcher stands between parent and child")
def test_helpers_and_examiner_of_a_training_end_with_it() -> None:
    run = make_run("cat", steps=1_000_000, evaluate_every=500_000, processes=2)
    command = [sys.executable, "-m", "tinygpt_tui", "resume", "cat"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as trainer:
        wait_until(lambda: run.events.exists() and "Step" in run.events.read_text(encoding="utf-8"))
        children = psutil.Process(trainer.pid).children(recursive=True)
        assert children
        trainer.kill()
        trainer.wait()
        wait_until(lambda: not any(_runs(child) for child in children))


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
