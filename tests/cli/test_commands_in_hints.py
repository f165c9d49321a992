"""A command in a message can be pasted into a shell: names are quoted, and Python is the one that runs this program."""

from __future__ import annotations

import ast
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from makers import make_run
from sources import trees

from tinygpt_tui.cli.main import run
from tinygpt_tui.native import build
from tinygpt_tui.platforms import own_command, python_command

OPEN_COMMAND = re.compile(r"tinygpt-tui( +[a-z-]+)+ +$")  # a value follows it
MODULE_BY_NAME = re.compile(r"\b(python3?|py) -m ")


def _texts() -> Iterator[tuple[str, ast.AST]]:
    """Every literal of the package but docstrings, with its place."""
    for name, tree in trees().items():
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in docs:
                yield f"{name}:{node.lineno}", node


def test_no_command_is_put_together_without_quoting() -> None:
    for place, node in _texts():
        if isinstance(node, ast.JoinedStr):
            for part, following in zip(node.values, node.values[1:], strict=False):
                if isinstance(part, ast.Constant) and isinstance(following, ast.FormattedValue):
                    assert not OPEN_COMMAND.search(str(part.value)), f"{place}: use platforms.own_command"


def test_no_hint_names_a_python_that_may_be_another() -> None:
    for place, node in _texts():
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not node.value.startswith("python -m "):
            assert not MODULE_BY_NAME.search(node.value), f"{place}: use platforms.python_command"


@pytest.mark.parametrize("name", ["plain", "two words", "it's"])
def test_a_command_is_read_back_by_a_shell(name: str) -> None:
    if sys.platform == "win32":
        pytest.skip("its shells quote otherwise; see test_platforms.py")
    assert shlex.split(own_command("generate", name)) == ["tinygpt-tui", "generate", name]
    assert shlex.split(python_command("-m", "x"))[0] == sys.executable


def test_the_hint_after_a_training_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    make_run("two words", steps=2, evaluate_every=2)
    assert run(["resume", "two words"]) == 0
    said = capsys.readouterr().err
    assert own_command("generate", "two words") in said
    assert "generate two words" not in said


def test_a_package_that_cannot_be_written_is_not_blamed_on_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(build, "FOLDER", tmp_path)
    monkeypatch.setattr(build, "_compiler", lambda: ["cc"])
    monkeypatch.setattr(build.tempfile, "TemporaryDirectory", refuse)
    assert build.main([]) == 6
    said = capsys.readouterr().err
    assert sys.executable in said
    assert "TINYGPT_TUI_NATIVE" in said
    assert "TINYGPT_TUI_HOME" not in said
