"""The settings file: explained where it is written, checked where it was edited."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygpt_tui import paths
from tinygpt_tui.cli.main import run
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.settings.app import AppSettings, check_toml, to_toml
from tinygpt_tui.settings.fields import fields_of


@given(st.builds(AppSettings, theme=st.text(), model=st.text(), race=st.text(), frames_per_second=st.integers(1, 120)))
def test_settings_are_read_as_they_were_written(settings: AppSettings) -> None:
    assert check_toml(to_toml(settings).encode()) == settings


def test_every_setting_is_explained_in_the_file() -> None:
    text = to_toml(AppSettings())
    for name, field in fields_of(AppSettings).items():
        assert f"# {field.description}" in text
        assert f"\n{name} = " in text


def edit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> int:
    """Run `config edit` with an editor that runs `script`, in which `path` is the file."""
    editor = tmp_path / "editor.py"
    editor.write_text(f"import pathlib, sys\npath = pathlib.Path(sys.argv[1])\n{script}\n", encoding="utf-8")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", shlex.join([sys.executable, str(editor)]))
    return run(["config", "edit"])


def test_editing_makes_the_file_and_checks_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change = "path.write_text(path.read_text().replace('frames_per_second = 30', 'frames_per_second = 60'))"
    assert edit(monkeypatch, tmp_path, change) == 0
    assert check_toml(paths.settings_file().read_bytes()).frames_per_second == 60
    assert run(["config", "path"]) == 0
    assert capsys.readouterr().out == f"{paths.settings_file()}\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("frames_per_second = 600", "frames per second: must be at most 120"),
        ("frames_per_secnd = 60", "did you mean frames_per_second?"),
        ("theme = tinygpt-dark", "not TOML"),
        ('theme = "tinygpt-drak"', "did you mean tinygpt-dark?"),
        ("show_settings = 3", "show settings"),
    ],
)
def test_what_is_wrong_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    assert edit(monkeypatch, tmp_path, f"path.write_text({line!r})") == ExitCode.USAGE
    assert words in capsys.readouterr().err


def test_an_editor_that_fails_or_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edit(monkeypatch, tmp_path, "sys.exit(3)") == ExitCode.USAGE
    assert "ended with status 3" in capsys.readouterr().err
    monkeypatch.setenv("EDITOR", "no-such-editor")
    assert run(["config", "edit"]) == ExitCode.USAGE
    assert "set EDITOR" in capsys.readouterr().err
