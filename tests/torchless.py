"""What the program does in an interpreter that cannot import torch: `python torchless.py FOLDER [--with-torch]`.

Runs the command lines in FOLDER/lines.json one after another, then asks the engine's service, the API and the server's
models; writes what came of each to FOLDER/found.json. One interpreter does it all: its start is what takes long.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

if "--with-torch" not in sys.argv:
    sys.modules["torch"] = None  # type: ignore[assignment]

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks/, which is not installed

import importlib

from benchmarks.command import execute
from tinygpt_tui import load, paths
from tinygpt_tui.cli.main import run
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import GenerationEnded
from tinygpt_tui.events.requests import CompareWeights, Explain, Generate, LookAtSenses, Trace
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.service import EngineService, JobRequest

TEXT = "ROMEO: what light"


def line(arguments: list[str]) -> dict[str, Any]:
    """Run a command line; return its code and what it wrote."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            if arguments[0].startswith("benchmarks."):
                code = execute(importlib.import_module(arguments[0]), arguments[1:])
            else:
                code = run(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        except BaseException:
            code = 1
            traceback.print_exc()
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def requests() -> dict[str, Any]:
    """Ask the engine's service for everything; return the last event's reason, message and hint of each."""
    shipped = paths.shipped_models()
    gpt, senses, rnn = (str(shipped / name) for name in ("shakespeare", "shakespeare-senses", "shakespeare-rnn"))
    few = SamplingSettings(max_new_tokens=5)
    asked: dict[str, JobRequest] = {
        "generate": Generate(gpt, TEXT, few, candidates=3, job=1),
        "generate at a step": Generate(gpt, TEXT, few, at_step=100, job=1),
        "generate untrained": Generate(gpt, TEXT, few, untrained=True, job=1),
        "generate with a recurrent net": Generate(rnn, TEXT, few, job=1),
        "generate with senses turned": Generate(senses, TEXT, few, gains=((1, 0, 2.0),), job=1),
        "explain": Explain(gpt, TEXT, 0, 5, few, job=1),
        "explain untrained": Explain(gpt, TEXT, 0, 5, few, untrained=True, job=1),
        "compare": CompareWeights(gpt, rnn, job=1),
        "senses": LookAtSenses(senses, TEXT, job=1),
        "senses of a gpt": LookAtSenses(gpt, TEXT, job=1),
        "trace": Trace(gpt, TEXT, job=1),
    }
    found = {}
    for name, request in asked.items():
        service = EngineService()
        events = service.handle(0.0, request)
        while service.busy:
            events += service.advance()
        ended = events[-1]
        assert isinstance(ended, GenerationEnded)
        found[name] = {"reason": ended.reason, "message": ended.message, "hint": ended.hint}
    return found


def calls() -> dict[str, Any]:
    """Use the API, and the server's models; return a value as text, or an error's kind, words and HTTP status."""
    from tinygpt_tui.server.models import ServedModels
    from tinygpt_tui.server.problems import problem_of

    gpt = load("shakespeare-small")
    tried: dict[str, Callable[[], Any]] = {
        "generate": lambda: gpt.generate("To be", max_new_tokens=30, seed=1),
        "samples": lambda: gpt.samples("To be", 2, max_new_tokens=10, seed=1),
        "int8": lambda: gpt.generate("To be", max_new_tokens=5, seed=1, weights="int8"),
        "loss": lambda: gpt.loss(TEXT),
        "logits": lambda: gpt.logits("To be"),
        "module": lambda: gpt.module,
        "device": lambda: load("shakespeare-small", "cuda"),
        "recurrent": lambda: load("shakespeare-rnn"),
        "served": lambda: sorted(card.name for card in ServedModels().cards()),
        "models": lambda: ServedModels().open("shakespeare-rnn"),
    }
    found: dict[str, Any] = {}
    for name, call in tried.items():
        try:
            found[name] = {"value": str(call())}
        except TinyGPTError as error:
            found[name] = {
                "error": type(error).__name__,
                "message": error.message,
                "hint": error.hint,
                "status": int(problem_of(error).status),
            }
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    lines = json.loads((folder / "lines.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = {"lines": [line(arguments) for arguments in lines]}
    if "--with-torch" not in sys.argv:
        found |= {"requests": requests(), "calls": calls()}
    (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
