"""The library, built for the tests into a folder of their own, and what opens models in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock
from native_twins import Twins

from tinygpt_tui.errors import EngineError
from tinygpt_tui.native.build import build
from tinygpt_tui.native.library import FILE_NAME, Library


@pytest.fixture(scope="session")
def library_path(shared_folder: Path) -> Path:
    """Build gpt.c, once for all workers; skip where there is no compiler."""
    built = shared_folder / FILE_NAME
    try:
        with FileLock(shared_folder / "native.lock"):
            return built if built.exists() else build(shared_folder)
    except EngineError as error:
        if "no C compiler" in error.message:
            pytest.skip(error.message)
        raise


@pytest.fixture(scope="session")
def library(library_path: Path) -> Library:
    """Load what was built."""
    return Library(library_path)


@pytest.fixture(scope="session")
def twins(library: Library) -> Twins:
    """Open models in the library that was built."""
    return Twins(library)
