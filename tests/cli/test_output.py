"""What is written is data, but for a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from tinygpt_tui.cli.output import write


class Terminal(io.StringIO):
    """One that says so."""

    def isatty(self) -> bool:
        return True


TEXT = "a\x1b[2Jb\tc\nd\r\x7f\x9bé"


def test_a_terminal_gets_pictures_of_what_would_steer_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    write(TEXT)
    assert terminal.getvalue() == "a␛[2Jb\tc\nd␍␡\ufffdé"


def test_a_file_gets_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    write(TEXT)
    assert file.getvalue() == TEXT
