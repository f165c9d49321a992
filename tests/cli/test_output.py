"""Output is data; on a terminal its control characters are shown as symbols."""

from __future__ import annotations

import io
import sys

import pytest

from tinygpt_tui.cli.output import notify, table, write, write_data
from tinygpt_tui.words import COMMANDS


class Terminal(io.StringIO):
    """One that says so."""

    def isatty(self) -> bool:
        return True


TEXT = "a\x1b[2Jb\tc\nd\r\x7f\x9bé"


def test_a_terminal_gets_pictures_of_what_would_steer_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    write_data(TEXT)
    assert terminal.getvalue() == "a␛[2Jb\tc\nd␍␡\ufffdé"


def test_a_file_gets_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    write_data(TEXT)
    assert file.getvalue() == TEXT


def test_words_hold_no_commands_wherever_they_go(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (io.StringIO(), Terminal()):
        monkeypatch.setattr(sys, "stdout", file)
        write(TEXT)
        write(table([(TEXT, "\u202eb\u2028")], ("A", "B")))
        assert not COMMANDS.search(file.getvalue())
        assert len(file.getvalue().splitlines()) == 3  # two lines of the text, the second with the head, and one row
    notify(TEXT)
    assert capsys.readouterr().err == "a\\x1b[2Jb\tc\nd\\r\\x7f\\x9bé\n"
