"""What the tests of the app share: only the models of the test's own home are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinygpt_tui import paths


@pytest.fixture
def no_shipped_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the models that come with the program."""
    monkeypatch.setattr(paths, "shipped_models", lambda: tmp_path / "nothing shipped")
