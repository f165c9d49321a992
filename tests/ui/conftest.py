"""What the tests of the app share: only the models of the test's own home are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinygpt_tui import paths


@pytest.fixture
def no_shipped_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the models that come with the program."""
    monkeypatch.setattr(paths, "shipped_models", lambda: tmp_path / "nothing shipped")


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have everything shown at once: the tests are many, and draw as fast as they can."""
    monkeypatch.setattr("tinygpt_tui.ui.bridge.Pace.rest_s", lambda pace: 0.0)
