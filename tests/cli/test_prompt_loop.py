"""`generate` in a terminal without a prompt: a loop of prompts and commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from tinygpt_tui.cli import generate
from tinygpt_tui.cli.main import run
from tinygpt_tui.ui.shared.prompt_history import PromptHistory

Talk = Callable[..., tuple[str, str]]
INTERRUPT = object()  # Ctrl-C where the next line would be typed


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talk:
    """Type lines into the loop of a model; return what it wrote to stdout and stderr."""

    def typed(
        *lines: object, flags: tuple[str, ...] = ("shakespeare-small", "--max-new-tokens", "20")
    ) -> tuple[str, str]:
        waiting: Iterator[object] = iter(lines)

        def answer(_: str) -> str:
            line = next(waiting, None)
            if line is INTERRUPT:
                raise KeyboardInterrupt
            if line is None:
                raise EOFError
            return str(line)

        monkeypatch.setattr("builtins.input", answer)
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        assert run(["generate", *flags]) == 0
        return capsys.readouterr()

    return typed


def test_each_line_is_continued_and_kept_with_the_prompts_of_the_app(talk: Talk) -> None:
    text, said = talk("ROMEO:", "/seed 4", "JULIET:", "/seed 4", "/again", "quit", "never read")
    greeting, first, second, third = text.split("\n", 1)[0], *text.partition("\n")[2].split("seed = 4\n")
    assert "shakespeare-small" in greeting
    assert first.startswith("ROMEO:")
    assert second.startswith("JULIET:")
    assert len(second) == len("JULIET:") + 20 + 1
    assert third == second
    assert said == ""
    assert [*PromptHistory.load()] == ["ROMEO:", "JULIET:"]


def test_a_model_with_roles_answers_and_knows_what_was_said(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def written(events: Iterator[object], echo: str, samples: int) -> str:
        asked.append((next(iter(events)).prompt_tokens, echo))  # type: ignore[attr-defined]
        return "Yes."

    monkeypatch.setattr(generate, "_write_texts", written)
    flags = ("tales-chat", "--max-new-tokens", "9")
    typed = ("Hi!", "Why?", "/again", "/system Be kind.", "Hi!", "/as king", "/as user", "/new", "Hi!")
    text, said = talk(*typed, flags=flags)
    mark, hi, why, yes, kind = 1, len("Hi!") + 2, len("Why?") + 2, len("Yes.") + 2, len("Be kind.") + 2
    first, second = 1 + hi + mark, 1 + hi + yes + why + mark
    assert [count for count, _ in asked] == [first, second, second, first + kind, first]
    assert {echo for _, echo in asked} == {""}
    assert "no role 'king'" in said
    assert "as = user (roles: system, user, assistant)" in text


def test_a_setting_is_changed_by_the_beginning_of_its_name(talk: Talk) -> None:
    text, said = talk("/temp 0", "/max-new 5", "/settings", "a")
    assert "temperature = 0\nmax_new_tokens = 5\na" in text
    assert said == ""


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("/top 3", "/top could be top_k or top_p"),
        ("/nothing", "there is no command /nothing"),
        ("/", "there is no command /"),
        ("/temp hot", "'hot' is not a number"),
        ("/temp 11", "must be at most 10"),
        ("/model nowhere", "no model is called 'nowhere'"),
    ],
)
def test_a_line_that_is_wrong_changes_nothing(talk: Talk, line: str, problem: str) -> None:
    text, said = talk(line, "/settings", "/model", "a")
    assert problem in said
    assert "max_new_tokens = 20\nmodel = shakespeare-small\na" in text


def test_another_model_continues_the_next_prompt(talk: Talk) -> None:
    text, _ = talk("/seed 1", "/temp 0", "Once", "/model tales", "/again")
    first, second = text.partition("temperature = 0\n")[2].split("model = tales\n")
    assert first != second
    assert first.startswith("Once")
    assert second.startswith("Once")


def test_ctrl_c_at_the_prompt_does_not_leave(talk: Talk) -> None:
    assert talk(INTERRUPT, "ROMEO:")[0].endswith("\n\n")
    assert "ROMEO:" in talk(INTERRUPT, "ROMEO:")[0]


def test_ctrl_c_ends_a_text_and_keeps_what_was_written(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    write, pieces = generate.write_data, []

    def interrupted(piece: str) -> None:
        pieces.append(piece)
        write(piece)
        if len(pieces) == 3:  # the prompt, and two pieces of the text
            raise KeyboardInterrupt

    monkeypatch.setattr(generate, "write_data", interrupted)
    text, said = talk("/temp 0", "ROMEO:", "/settings")
    assert text.endswith(f"temperature = 0\n{''.join(pieces[:3])}\n\ntemperature = 0\nmax_new_tokens = 20\n\n")
    assert said == ""


def test_a_prompt_a_pipe_or_several_texts_are_no_loop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked for a prompt"))
    flags = ["generate", "shakespeare-small", "--max-new-tokens", "3"]
    assert run(flags) == 0  # stdin is no terminal here
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for more in (["--prompt", ""], ["--num-samples", "2"], ["--json"]):
        assert run([*flags, *more]) == 0
    assert capsys.readouterr().err == ""
