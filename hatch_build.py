"""Builds the native engine with the package where there is a C compiler; goes on without it where there is none."""

from __future__ import annotations

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
        sys.path.insert(0, self.root)
        from tinygpt_tui.errors import TinyGPTError
        from tinygpt_tui.native.build import build

        try:
            if version == "editable":
                build()
                return
            self._scratch = tempfile.TemporaryDirectory()
            library = build(Path(self._scratch.name))
        except TinyGPTError as error:
            self.app.display_info(f"without the native engine: {error.message}")
            return
        build_data["force_include"][str(library)] = f"tinygpt_tui/native/{library.name}"
        # The library is loaded by ctypes: it is made for a platform, not for a version of Python.
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Throw the scratch folder away."""
        if self._scratch is not None:
            self._scratch.cleanup()
