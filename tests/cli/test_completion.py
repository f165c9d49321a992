"""Shells complete commands, flags and names: each shell that is installed runs the lines that are made for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from makers import make_run

from tinygpt_tui.cli.main import COMMANDS

# How a shell completes a line, after it has read its lines from $SCRIPT; the candidates go to stdout, one a line.
ASK = {
    "bash": """
        . "$SCRIPT"; COMP_LINE="$TYPED"; COMP_POINT=${#COMP_LINE}; COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
        _python_argcomplete tinygpt-tui; printf '%s\\n' "${COMPREPLY[@]}" """,
    "zsh": """
        compdef() { }; . "$SCRIPT"; _describe() { print -l -- ${completions} }
        BUFFER="$TYPED"; CURSOR=${#BUFFER}; words=(tinygpt-tui); _python_argcomplete""",
    "fish": '. $SCRIPT; complete -C "$TYPED"',
    "pwsh": """
        . $env:SCRIPT; (TabExpansion2 -inputScript $env:TYPED -cursorColumn $env:TYPED.Length).CompletionMatches |
        ForEach-Object { $_.CompletionText }""",
}
POWERSHELL = {"pwsh": "powershell"}


@pytest.fixture(params=ASK)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A shell that has a command `tinygpt-tui`, and its lines in a file."""
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not on this machine")
    made = subprocess.run(
        [sys.executable, "-m", "tinygpt_tui", "completion", POWERSHELL.get(name, name)],
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    (tmp_path / "lines.ps1").write_text(made.stdout, encoding="utf-8")
    command = tmp_path / "bin" / "tinygpt-tui"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tinygpt_tui "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return name


def complete(shell: str, folder: Path, line: str) -> list[str]:
    """Return what the shell offers after `line`."""
    environment = {
        **os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder),
        "SCRIPT": str(folder / "lines.ps1"), "TYPED": line,
    }  # fmt: skip
    done = subprocess.run(
        [shell, "-c", ASK[shell]], env=environment, cwd=folder, capture_output=True, encoding="utf-8", timeout=240
    )
    # A shell may add a description behind a tab (fish) or a colon (zsh).
    return [offer.replace("\t", ":").split(":")[0].strip() for offer in done.stdout.splitlines()]


def test_a_shell_completes_commands_flags_and_names(shell: str, tmp_path: Path) -> None:
    make_run("diary")
    assert set(complete(shell, tmp_path, "tinygpt-tui re")) == {name for name in COMMANDS if name.startswith("re")}
    assert complete(shell, tmp_path, "tinygpt-tui generate shakespeare --temp") == ["--temperature"]
    assert complete(shell, tmp_path, "tinygpt-tui resume di") == ["diary"]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("tinygpt-tui generate ", {"shakespeare", "tales"}),
        ("tinygpt-tui train --corpus ta", {"tales"}),
        ("tinygpt-tui train --preset qu", {"quick"}),
        ("tinygpt-tui train --dev", {"--device"}),
        ("tinygpt-tui runs ", {"card", "compare"}),
        ("tinygpt-tui export tales --to ", {"onnx", "gguf"}),
        ("tinygpt-tui bench gen", {"generate"}),
    ],
)
def test_what_is_offered(line: str, offered: set[str], tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    environment = {
        **os.environ, "_ARGCOMPLETE": "1", "_ARGCOMPLETE_STDOUT_FILENAME": str(answer), "_ARGCOMPLETE_IFS": "\n",
        "COMP_LINE": line, "COMP_POINT": str(len(line)),
    }  # fmt: skip
    subprocess.run([sys.executable, "-m", "tinygpt_tui"], env=environment, check=True, timeout=240)
    assert offered <= {offer.strip() for offer in answer.read_text(encoding="utf-8").split("\n")}
