"""Where it is measured, and with which versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

import psutil

import tinygpt_tui
from tinygpt_tui.measuring.report import Machine

_PACKAGES = ("numpy", "torch", "transformers")


def describe(pinned_to_core: int | None) -> Machine:
    """Return what can be said of this machine; packages that are not installed are left out."""
    versions = {"tinygpt-tui": tinygpt_tui.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=_processor(),
        cores=psutil.cpu_count() or 1,
        pinned_to_core=pinned_to_core,
        threads=1,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        versions=versions,
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
