"""The library, built for the tests into a folder of their own, and what opens models in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from native_twins import Twins

from tinygpt_tui.errors import EngineError
from tinygpt_tui.native.build import build
from tinygpt_tui.native.library import Library


@pytest.fixture(scope="session")
def library_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build gpt.c; skip where there is no compiler."""
    try:
        return build(tmp_path_factory.mktemp("native"))
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
