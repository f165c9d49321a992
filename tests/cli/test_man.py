"""The manual page holds what the help holds, and man reads it without a warning."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tinygpt_tui.cli.main import COMMANDS, make_parser, run


@pytest.fixture
def page(capsys: pytest.CaptureFixture[str]) -> str:
    """The page as it is printed."""
    assert run(["man"]) == 0
    return capsys.readouterr().out


def flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the flags of a parser and of all commands in it."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from flags(command)


def test_every_command_and_every_flag_is_in_it(page: str) -> None:
    for name in COMMANDS:
        assert f".SS {name}\n".replace("-", r"\-") in page or f".SS {name}\n" in page
        for flag in set(flags(make_parser(name))) - {"-h", "--help", "--version"}:
            assert flag.replace("-", r"\-") in page, flag


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not on this machine")
def test_groff_has_no_complaint(page: str) -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Kutf8", "-Tutf8"], input=page, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stderr == ""
