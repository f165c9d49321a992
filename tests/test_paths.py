"""Asking where things live makes nothing, and the answers are absolute."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tinygpt_tui import paths


def test_asking_creates_nothing(home: Path) -> None:
    assert paths.home() == home
    for ask in (paths.models_folder, paths.data_folder, paths.logs_folder, paths.settings_file, paths.prompts_file):
        assert home in ask().parents
    assert not home.exists()


def test_a_relative_home_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(paths.HOME_VARIABLE, "here")
    assert paths.home() == tmp_path / "here"


def test_a_home_that_is_not_known_stays_as_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths.typed_path("~/x") == Path.home() / "x"
    assert paths.typed_path("~no-such-user/x") == Path("~no-such-user/x")


def test_without_the_variable_it_is_the_platforms_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(paths.HOME_VARIABLE)
    assert paths.home().name == "tinygpt-tui"
    assert paths.home().is_absolute()


@pytest.mark.parametrize("wrap", ["{}", "'{}'", '"{}"', " {} ", "'{}' \n", "{}\n{}", "escaped", "uri"])
def test_a_pasted_path_is_taken_however_a_terminal_writes_it(wrap: str, tmp_path: Path) -> None:
    file = tmp_path / "my model (1).pt"
    file.write_bytes(b"")
    escaped = re.sub(r"([ ()])", r"\\\1", str(file))
    text = {"escaped": escaped, "uri": file.as_uri()}.get(wrap) or wrap.format(file, file)
    assert paths.pasted_path(text) == file


def test_a_name_that_has_quotes_or_escapes_is_itself(tmp_path: Path) -> None:
    assert paths.pasted_path("'not there'") == Path("'not there'")
    assert paths.pasted_path("x" * 5000) == Path("x" * 5000)
    assert paths.pasted_path(" ") == Path()
    file = tmp_path / "'quoted'"
    file.write_bytes(b"")
    assert paths.pasted_path(str(file)) == file
