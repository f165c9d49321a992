"""How the two processes are started, so that they find this package and nothing in the folder they are started in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ENGINE_LOG = "engine.log"
_INSTALLED = ("site-packages", "dist-packages")


def command(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs `module` of this package.

    -P keeps the current folder off the import path: a `random.py` there is somebody's exercise, not our library.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return the environment in which the module is found, also where the package runs from its source folder."""
    root = Path(__file__).resolve().parents[2]
    if root.name in _INSTALLED:
        return dict(os.environ)
    others = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *([others] if others else [])])}
