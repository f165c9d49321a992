"""Where it is measured, and with which versions."""

from __future__ import annotations

import importlib.metadata
import platform

import psutil

import tinygpt_tui
from tinygpt_tui import platforms
from tinygpt_tui.measuring.report import Machine

_PACKAGES = ("numpy", "torch", "transformers", "xllamacpp")


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
        processor=platforms.processor_name(),
        cores=psutil.cpu_count() or 1,
        pinned_to_core=pinned_to_core,
        threads=1,
        load=platforms.load_average(),
        versions=versions,
    )
