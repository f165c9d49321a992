"""From the start of the process to the first byte of text, natively and by torch."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

from tinygpt_tui.errors import EngineError
from tinygpt_tui.native.library import VARIABLE

WAYS = ("native", "torch")
_SECONDS = 120


def seconds_to_first(model: str, way: str) -> float:
    """Run `tinygpt-tui generate MODEL --max-new-tokens 1`; return the seconds until its text arrives.

    Raises EngineError, with what the process said, where it ends without any.
    """
    environment = dict(os.environ)
    if way == "torch":
        environment[VARIABLE] = "off"
    command = [sys.executable, "-m", "tinygpt_tui", "generate", model, "--max-new-tokens", "1"]
    began = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        patience = threading.Timer(_SECONDS, process.kill)  # a read has no time limit of its own
        patience.start()
        try:
            came = process.stdout.read(1)
            taken_s = time.perf_counter() - began
            _, said = process.communicate()
        except BaseException:
            process.kill()
            raise
        finally:
            patience.cancel()
    if not came or process.returncode:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise EngineError(f"{model} wrote nothing: {last or 'it said nothing either'}")
    return taken_s
