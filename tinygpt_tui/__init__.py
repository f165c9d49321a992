"""tinygpt-tui: the terminal workbench for tiny language models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinygpt_tui.api import Model, load

__version__ = "0.1.0"
__all__ = ["Model", "__version__", "load"]


def __getattr__(name: str) -> Any:
    # Importing the package must stay fast: torch is imported when `load` is used, not before.
    if name in ("load", "Model"):
        from tinygpt_tui import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
