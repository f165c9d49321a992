"""The command line: streams and exit codes of every command, and processes that are stopped."""

from __future__ import annotations

import contextlib
import importlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import tinygpt
from makers import make_run

from tinygpt_tui import __main__
from tinygpt_tui.cli.main import COMMANDS, MODULES, run
from tinygpt_tui.errors import MEANINGS, ExitCode
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.workers import processes

TINY = ["--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--block-size", "16", "--ngram-rows", "0"]
SHORT = ["--steps", "12", "--evaluate-every", "6", "--sample-tokens", "20", "--threads", "1", "--batch-size", "4"]


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    command = [sys.executable, "-m", "tinygpt_tui", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text of a few thousand characters."""
    path = tmp_path_factory.mktemp("texts") / "fox.txt"
    path.write_text("the quick brown fox jumps over the lazy dog.\n" * 100, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained_home(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """A home in which `fox` has been trained by the command line."""
    home = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYGPT_TUI_HOME", str(home))
        with start("train", "--corpus", corpus, "--name", "fox", *TINY, *SHORT) as training:
            written, said = training.communicate(timeout=240)
    assert training.returncode == 0, said
    assert "step 12/12" in written
    return home


@pytest.fixture
def trained(trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use that home."""
    monkeypatch.setenv("TINYGPT_TUI_HOME", str(trained_home))
    return trained_home


def test_a_named_encoding_is_saved_with_the_run(home: Path, tmp_path: Path) -> None:
    polish = "Zażółć gęślą jaźń, powiedział i wyszedł wcześnie rano.\n" * 60
    path = tmp_path / "polish.txt"
    path.write_bytes(polish.encode("iso8859-2"))
    given = ("train", "--corpus", path, "--name", "polish", "--encoding", "iso8859-2", *TINY, *SHORT)
    unknown = tinygpt(*given[:-1], "4", "--encoding", "klingon")
    assert (unknown.returncode, "klingon" in unknown.stderr) == (ExitCode.USAGE, True)
    done = tinygpt(*given)
    assert done.returncode == 0, done.stderr
    assert "read as" not in done.stderr
    assert RunFolder(home / "models" / "polish").read_settings().corpus.encoding == "iso8859-2"
    done = tinygpt("resume", "polish", "--steps", "+6")  # reads the text again
    assert done.returncode == 0, done.stderr
    doctor = tinygpt("doctor", "--corpus", path)
    assert "gę¶l±" in doctor.stderr


def test_help_names_every_command_and_exit_code() -> None:
    done = tinygpt("--help")
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert set(COMMANDS) <= {words[0] for words in lines if words}
    assert {code: MEANINGS[code].split() for code in ExitCode} == {
        int(words[0]): words[1:] for words in lines if words and words[0].isdigit()
    }


# What was typed; the usage and the nearest name that are printed.
MISTYPED = {
    "generate shakespeare --temprature 3": ("tinygpt-tui generate", "--temperature"),
    "generate --temprature=3": ("tinygpt-tui generate", "--temperature"),
    "train --corpsu tales": ("tinygpt-tui train", "--corpus"),
    "runs export diary out --tp trackio": ("tinygpt-tui runs export", "--to"),
    "runs exprt diary": ("tinygpt-tui runs", "export"),
    "genrate shakespeare": ("tinygpt-tui", "generate"),
    "--devise cpu": ("tinygpt-tui", "--device"),
}


@pytest.mark.parametrize("line", MISTYPED)
def test_a_mistyped_flag_or_command_is_answered_with_the_nearest(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    usage, nearest = MISTYPED[line]
    with pytest.raises(SystemExit) as ended:
        run(line.split())
    assert ended.value.code == ExitCode.USAGE
    said = capsys.readouterr().err
    assert said.startswith(f"usage: {usage} ")
    assert said.endswith(f"did you mean {nearest}?\n")


def test_a_value_like_a_flag_and_a_shortened_flag_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["generate", "shakespeare", "--prompt=--temprature", "--temp", "0", "--max-new-tokens", "1"]
    assert run(line) == 0
    assert capsys.readouterr().out.startswith("--temprature")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in MODULES])
def test_a_commands_summary_is_its_modules_first_line(name: str) -> None:
    module = importlib.import_module(f"tinygpt_tui.cli.{name.replace('-', '_')}")
    assert (module.__doc__ or "").splitlines()[0] == f"tinygpt-tui {name}: {COMMANDS[name]}"


def test_help_imports_neither_torch_nor_textual() -> None:
    code = (
        "import sys, tinygpt_tui.cli.main as m\n"
        "try: m.run(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'textual', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=240, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version() -> None:
    assert tinygpt("--version").stdout.startswith("tinygpt-tui 0.")


def test_models_in_json_are_one_card_a_line(trained: Path) -> None:
    cards = [json.loads(line) for line in tinygpt("models", "--json").stdout.splitlines()]
    (fox,) = [card for card in cards if card["name"] == "fox"]
    assert fox["origin"] == "yours"
    assert fox["trained"]["corpus"] == "fox"


def test_generate_writes_the_text_and_nothing_else(trained: Path) -> None:
    done = tinygpt("generate", "fox", "--prompt", "the ", "--max-new-tokens", "30", "--seed", "5")
    assert done.returncode == 0
    assert done.stdout.startswith("the ")
    assert len(done.stdout) == len("the ") + 30
    assert done.stderr == ""


def test_the_same_seed_writes_the_same_text_and_no_echo_leaves_the_prompt_out(trained: Path) -> None:
    flags = ("--max-new-tokens", "40", "--seed", "9", "--temperature", "1.2")
    echoed = tinygpt("generate", "fox", "--prompt", "the ", *flags).stdout
    assert tinygpt("generate", "fox", "--prompt", "-", "--no-echo", *flags, stdin="the ").stdout == echoed[4:]


def test_generate_json_is_one_event_a_line(trained: Path) -> None:
    lines = tinygpt("generate", "fox", "--prompt", "é", "--max-new-tokens", "3", "--json").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["type"] for event in events] == ["GenerationStarted", "Token", "Token", "Token", "GenerationEnded"]
    assert events[0]["unknown"] == "é"


def test_several_samples_are_the_texts_of_seeds_that_count_on(trained: Path) -> None:
    flags = ("--prompt", "the ", "--max-new-tokens", "20", "--temperature", "1.5")
    done = tinygpt("generate", "fox", *flags, "--num-samples", "18", "--seed", "5")
    assert done.returncode == 0, done.stderr
    alone = [tinygpt("generate", "fox", *flags, "--seed", seed).stdout for seed in ("5", "6", "22")]
    texts = done.stdout.removesuffix("\n").split("\n---------------\n")
    assert len(texts) == 18
    assert [texts[0], texts[1], texts[17]] == alone


def test_several_samples_in_json_are_told_apart(trained: Path) -> None:
    flags = ("--max-new-tokens", "3", "--num-samples", "2", "--json", "--candidates", "4")
    events = [json.loads(line) for line in tinygpt("generate", "fox", *flags).stdout.splitlines()]
    for sample in (0, 1):
        mine = [event for event in events if event["sample"] == sample]
        assert [event["type"] for event in mine] == ["GenerationStarted", "Token", "Token", "Token", "GenerationEnded"]
        assert all(len(event["chance"][3]) == 4 for event in mine[1:-1])


def test_stop_texts_are_given_once_for_each_with_escapes(trained: Path) -> None:
    flags = ("--prompt", "the quick", "--temperature", "0", "--max-new-tokens", "60", "--no-echo")
    whole = tinygpt("generate", "fox", *flags).stdout
    first = whole[3:6]
    stopped = tinygpt("generate", "fox", *flags, "--stop", "never | there", "--stop", first).stdout
    assert stopped == whole[: whole.find(first)]
    assert "\n" not in tinygpt("generate", "fox", *flags, "--banned", r"\n").stdout


def test_the_help_of_generate_names_every_setting(trained: Path) -> None:
    said = tinygpt("generate", "--help").stdout
    for flag in ("--num-samples", "--stop", "--min-p", "--repetition-penalty", "--allowed", "--window", "--weights"):
        assert flag in said
    assert "may be repeated" in said


def test_unknown_characters_are_named_on_stderr(trained: Path) -> None:
    done = tinygpt("generate", "fox", "--prompt", "thé ", "--max-new-tokens", "1")
    assert "`é`" in done.stderr


def test_unknown_control_characters_do_not_reach_the_terminal(trained: Path) -> None:
    done = tinygpt("generate", "fox", "--prompt", "a\x1b[31m", "--no-echo", "--max-new-tokens", "1")
    assert r"`\x1b`" in done.stderr
    assert "\x1b" not in done.stderr


def test_runs_lists_the_finished_training(trained: Path) -> None:
    assert "fox" in tinygpt("runs").stdout
    assert "finished" in tinygpt("runs").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["generate", "no-such-model"], ExitCode.NOT_FOUND, "no model is called"),
        (["generate", "fox", "--temperature", "-1"], ExitCode.USAGE, "temperature"),
        (["generate", "fox", "--top-p", "nan"], ExitCode.USAGE, "finite"),
        (["generate", "fox", "--max-new-tokens", "many"], ExitCode.USAGE, "whole number"),
        (["generate", "fox", "--candidates", "3"], ExitCode.USAGE, "add --json"),
        (["generate", "fox", "--json", "--candidates", "-1"], ExitCode.USAGE, "at least 0"),
        (["generate", "fox", "--num-samples", "0"], ExitCode.USAGE, "at least 1"),
        (["generate", "fox", "--allowed", "é", "--prompt", "the"], ExitCode.USAGE, "can write nothing"),
        (["generate", "fox", "--stop-at-blank-line", "perhaps"], ExitCode.USAGE, "neither yes nor no"),
        (["generate", "fox", "--window", "round"], ExitCode.USAGE, "must be one of auto, exact"),
        (["train", "--corpus", "no-such-file.txt"], ExitCode.NOT_FOUND, "no corpus"),
        (["train", "--corpus", "tales", "--preset", "huge"], ExitCode.NOT_FOUND, "no preset"),
        (["train", "--corpus", "tales", "--steps", "0"], ExitCode.USAGE, "steps"),
        (["train", "--corpus", "tales", "--n-embd", "10", "--n-head", "4"], ExitCode.USAGE, "divisible by n head (4)"),
        (["train", "--corpus", "tales", "--name", "../up"], ExitCode.USAGE, "folder's name"),
        (["stop", "fox"], ExitCode.RUN, "not being trained"),
        (["stop", "nothing"], ExitCode.NOT_FOUND, "no run"),
        (["resume", "nothing"], ExitCode.NOT_FOUND, "no run"),
        (["data", "--download", "nothing"], ExitCode.NOT_FOUND, "no corpus"),
        ([], ExitCode.USAGE, "needs a terminal"),
    ],
)
def test_what_cannot_be_is_told_on_stderr_with_its_code(
    trained: Path, arguments: list[str], code: ExitCode, words: str
) -> None:
    done = tinygpt(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"too short", "needs at least"),
        (bytes(range(256)) * 50, "not a text file"),
    ],
)
def test_an_unusable_text_makes_no_folder(home: Path, tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    done = tinygpt("train", "--corpus", path, "--name", "never", *TINY)
    assert done.returncode == ExitCode.CORPUS
    assert words in done.stderr
    assert not (home / "models" / "never").exists()


def test_a_name_that_is_taken_is_refused_and_the_model_left_alone(trained: Path, corpus: Path) -> None:
    before = (trained / "models" / "fox" / "weights.safetensors").read_bytes()
    done = tinygpt("train", "--corpus", corpus, "--name", "fox", *TINY, *SHORT)
    assert done.returncode == ExitCode.RUN
    assert "choose another name" in done.stderr
    assert (trained / "models" / "fox" / "weights.safetensors").read_bytes() == before


def test_damaged_weights_are_told(trained: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for name in ("config.json", "tokenizer.json", "weights.safetensors"):
        content = (trained / "models" / "fox" / name).read_bytes()
        (damaged / name).write_bytes(content[: len(content) // 2] if name.startswith("weights") else content)
    done = tinygpt("generate", damaged)
    assert done.returncode == ExitCode.CHECKPOINT
    assert "is damaged" in done.stderr


def test_settings_from_a_toml_file_and_typed_ones_win(home: Path, corpus: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        "steps = 4\nn_layer = 1\nn_embd = 16\nn_head = 2\nblock_size = 8\nngram_rows = 0\n", encoding="utf-8"
    )
    done = tinygpt("train", "--corpus", corpus, "--name", "toml", "--config", file, "--steps", "3", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert "step 3/3" in done.stdout
    file.write_text("lerning_rate = 1\n", encoding="utf-8")
    done = tinygpt("train", "--corpus", corpus, "--config", file)
    assert done.returncode == ExitCode.USAGE
    assert "did you mean learning_rate?" in done.stderr


# Steps without an end: however late this process looks, the training has not finished by then.
ENDLESS = ["--steps", "1000000", "--evaluate-every", "50", "--sample-tokens", "0", "--threads", "1"]
ENDLESS += ["--preset", "quick"]  # the default has patience, if the machine is fast


def wait_for_step_50(training: subprocess.Popen[str]) -> None:
    assert training.stdout is not None
    assert any(line.startswith("step 50/") for line in training.stdout)


@pytest.mark.slow
def test_stop_from_another_terminal_keeps_the_model(home: Path, corpus: Path) -> None:
    with start("train", "--corpus", corpus, "--name", "long", *TINY, *ENDLESS) as training:
        wait_for_step_50(training)
        assert tinygpt("stop", "long").returncode == 0
        _, said = training.communicate(timeout=240)
    assert training.returncode == 0
    assert "stopped at step" in said
    assert tinygpt("generate", "long", "--max-new-tokens", "5").returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a child alone")
def test_ctrl_c_stops_and_keeps_the_model_and_resume_goes_on(home: Path, corpus: Path) -> None:
    with start("train", "--corpus", corpus, "--name", "cut", *TINY, *ENDLESS) as training:
        wait_for_step_50(training)
        training.send_signal(signal.SIGINT)
        _, said = training.communicate(timeout=240)
    assert training.returncode == 0
    assert "best weights are saved" in said
    stopped = RunFolder(home / "models" / "cut").read_status().step
    done = tinygpt("resume", "cut", "--steps", str(stopped + 20))
    assert done.returncode == 0, done.stderr
    assert f"resuming from step {stopped:,}" in done.stderr
    assert f"step {stopped + 20}/{stopped + 20}" in done.stdout


def test_an_interrupt_while_a_command_is_imported_ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tinygpt_tui.cli.main.importlib.import_module", interrupted)
    monkeypatch.setattr(sys, "argv", ["tinygpt-tui", "train", "--help"])
    assert __main__.main() == ExitCode.INTERRUPTED


def test_an_interrupt_while_torch_is_imported_is_heeded_when_the_training_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tinygpt_tui.cli.train import train_here
    from tinygpt_tui.training.distributed import ALONE, ProcessGroup

    def interrupted(run: RunFolder) -> Iterator[ProcessGroup]:
        signal.raise_signal(signal.SIGINT)
        yield ALONE

    monkeypatch.setattr(processes, "process_group_of", contextlib.contextmanager(interrupted))
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    before = {name: signal.getsignal(getattr(signal, name)) for name in names}
    try:
        assert train_here(make_run("cut", steps=500)) == 0
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
    assert "stopped before the first step" in capsys.readouterr().err
