"""What is written to stdout is the text, byte for byte, on every system and in every locale."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from tinygpt_tui.cli.flags import text_argument
from tinygpt_tui.cli.main import run


def test_a_newline_stays_one_byte_where_the_system_writes_two(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1252", newline="\r\n"))  # as on Windows
    assert run(["data"]) == 0
    sys.stdout.flush()
    assert b"\n" in raw.getvalue()
    assert b"\r" not in raw.getvalue()
    raw.getvalue().decode("utf-8")


@pytest.mark.parametrize(
    ("given", "meant"),
    [("plain é", "plain é"), ("caf\udcc3\udca9", "café"), ("\udce9", "\udce9")],
)
def test_bytes_of_an_argument_are_utf_8_where_they_can_be(given: str, meant: str) -> None:
    assert text_argument(given) == meant


def test_a_prompt_is_utf_8_though_the_locale_is_ascii() -> None:
    """Python then gives each byte of an argument as half of a surrogate pair."""
    if sys.platform == "win32":
        pytest.skip("Windows gives arguments as Unicode")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "tinygpt_tui", "generate", "tales", "--max-new-tokens", "1", "--prompt", "“Oh”"]
    done = subprocess.run(
        [os.fsencode(word) for word in command], env=os.environ | plain, capture_output=True, check=False, timeout=240
    )
    assert done.stdout.startswith("“Oh”".encode()), done.stderr
