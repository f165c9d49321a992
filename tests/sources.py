"""The package's own source, parsed once for all tests that read it."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import tinygpt_tui

PACKAGE = Path(tinygpt_tui.__file__).parent


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Return the syntax tree of every module by its path in the package: `runs/index.py`."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }
