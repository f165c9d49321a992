"""`generate` says what a user's settings do not do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest

from tinygpt_tui.cli.main import run
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.settings.sampling import SamplingSettings, without_effect


@dataclass
class Written:
    """What was printed to stdout and stderr."""

    text: str
    said: str


Write = Callable[..., Written]


@pytest.fixture
def write(capsys: pytest.CaptureFixture[str]) -> Write:
    def written(*flags: str) -> Written:
        prompt = () if "--prompt" in flags else ("--prompt", "ROMEO:")
        assert run(["generate", "shakespeare-small", *prompt, "--max-new-tokens", "20", *flags]) == 0
        return Written(*capsys.readouterr())

    return written


@pytest.mark.parametrize("flags", [("--top-k", "5"), ("--top-p", "0.5"), ("--min-p", "0.2"), ("--seed", "7")])
def test_a_setting_without_effect_is_named_and_has_none(write: Write, flags: tuple[str, str]) -> None:
    greedy, with_flag = write("--temperature", "0"), write("--temperature", "0", *flags)
    assert greedy.said == ""
    assert with_flag.said.rstrip().endswith(f"most likely token: {flags[0]}")
    assert with_flag.text == greedy.text
    assert write("--temperature", "1", *flags).said == ""


def test_several_texts_at_temperature_0_are_the_same(write: Write) -> None:
    written = write("--temperature", "0", "--num-samples", "2")
    assert "most likely token: --num-samples" in written.said
    first, second = written.text.split("---------------\n")
    assert first == second


def test_every_setting_but_those_named_may_change_a_greedy_text() -> None:
    given = {"repetition_penalty": 1.5, "banned": "a", "allowed": "ab", "stop": ("x",), "max_new_tokens": 3}
    for name, value in given.items():
        settings = msgspec.structs.replace(SamplingSettings(temperature=0), **{name: value})
        assert without_effect(settings) == ()


PROMPT = "Is Aunt Vera here? Aunt Vera came. Aunt Vera left the house. And Aunt Vera came again."


def test_an_adapted_copy_says_what_it_learned_and_is_kept(write: Write) -> None:
    written = write("--adapt", "--no-echo", "--keep", "vera", "--prompt", PROMPT)
    assert "knows 'Aunt Vera' now: " in written.said
    assert written.said.rstrip().endswith("tinygpt-tui generate vera")
    assert run(["generate", "vera", "--prompt", "Aunt", "--max-new-tokens", "3"]) == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--keep", "vera", "--prompt", PROMPT], "needs --adapt"),
        (["--adapt", "--keep", "vera"], "needs a prompt"),
        (["--adapt", "--keep", "no/name", "--prompt", PROMPT], "cannot be a folder's name"),
        (["--adapt", "--num-samples", "2", "--prompt", PROMPT], "one text"),
        (["--adapt", "--weights", "int8", "--prompt", PROMPT], "cannot learn"),
    ],
)
def test_what_cannot_be_kept_or_adapted_is_refused(
    capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    assert run(["generate", "shakespeare-small", *flags]) == ExitCode.USAGE
    assert words in capsys.readouterr().err
