"""Builds the native engine with the package where there is a C compiler, and the package alone where there is none.

TINYGPT_TUI_NATIVE=off leaves the engine out; tools/wheels.py puts one for each platform into such a wheel.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeEngineHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the compiled library into the wheel; into the source tree for an editable install."""

    _scratch: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what the wheel is for."""
        if os.environ.get("TINYGPT_TUI_NATIVE") == "off":
            self.app.display_info("without the native engine: TINYGPT_TUI_NATIVE is off")
            return
        sys.path.insert(0, self.root)
        from tinygpt_tui.errors import TinyGPTError
        from tinygpt_tui.native.build import build

        try:
            if version == "editable":
                build()
                return
            self._scratch = tempfile.TemporaryDirectory()
            build(Path(self._scratch.name))
        except TinyGPTError as error:
            self.app.display_info(f"without the native engine: {error.message}")
            return
        for library in Path(self._scratch.name).iterdir():  # two, or a third one for AVX2
            build_data["force_include"][str(library)] = f"tinygpt_tui/native/{library.name}"
        # The library is loaded by ctypes: it is made for a platform, not for a version of Python.
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Throw the scratch folder away."""
        if self._scratch is not None:
            self._scratch.cleanup()
