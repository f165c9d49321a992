"""tinygpt-tui bench as people run it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import tinygpt
from makers import tiny_gpt

from tinygpt_tui.cli import bench as bench_command
from tinygpt_tui.cli import bench_generate
from tinygpt_tui.cli.main import run
from tinygpt_tui.errors import ExitCode
from tinygpt_tui.measuring.report import Machine, Report, Row, SizeReport, Spread, TextCheck
from tinygpt_tui.measuring.sizes import INSIDE

BENCH = [sys.executable, "-m", "tinygpt_tui", "bench"]
TINY = ["generate", "--sizes", "tiny", "--rounds", "1", "--quick", "--no-first-token"]


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*BENCH, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=240, check=False)


def test_generate_prints_its_table_and_says_how_far_it_is_on_stderr() -> None:
    done = bench(*TINY)
    assert done.returncode == 0, done.stderr
    assert "tiny: 2 layers, 2 heads, 16 wide, window 16, 65 tokens" in done.stdout
    assert "greedy text of torch: same text as naive" in done.stdout
    for way in (
        "naive",
        "Hugging Face",
        "torch, exact",
        "torch, reanchor",
        "native, rolling",
        "native int8",
        "llama.cpp Q8_0",
    ):
        assert way in done.stdout
    assert "tiny: round 1 of 1" in done.stderr
    assert "left)" in done.stderr


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Started from a shell's background, tests and what they start would not hear of a Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a child alone")
@pytest.mark.usefixtures("heeds_ctrl_c")
def test_ctrl_c_prints_what_was_measured_by_then_and_json_is_one_object() -> None:
    command = [*BENCH, "generate", "--sizes", "tiny", "--rounds", "1000000", "--quick", "--no-first-token", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("tiny: round 2 of"):
                break
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=240)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "interrupted" in said
    assert "Traceback" not in said
    assert printed.count("\n") == 1
    report = json.loads(printed)
    assert report["finished"] is False
    assert report["machine"]["threads"] == 1
    assert report["machine"]["versions"]["torch"]
    (size,) = report["sizes"]
    assert size["rounds"] >= 1
    assert {"where", "way", "speeds", "tokens_per_s", "ratio", "wanted", "to_hugging_face"} <= set(size["rows"][0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generate", "--sizes", "XXL"], "XXL is none of S, M, L, G"),
        (["generate", "--rounds", "0"], "not at least 1"),
    ],
)
def test_what_cannot_be_is_told(arguments: list[str], words: str) -> None:
    done = tinygpt("bench", *arguments)
    assert done.returncode == ExitCode.USAGE
    assert words in done.stderr
    assert done.stdout == ""


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, tinygpt_tui.cli.main as m\n"
        "try: m.run(['bench', 'generate', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'textual', 'numpy', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=240, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_marks_and_not_colours_say_what_was_reached() -> None:
    def row(way: str, median: float, **more: object) -> Row:
        spread = Spread(median, median - 0.5, median + 0.5)
        return Row(
            where=INSIDE, way=way, tokens=9, speeds=(median,), tokens_per_s=spread, base="naive", ratio=spread, **more
        )  # type: ignore[arg-type]

    rows = (row("torch", 8.0, wanted=8.0), row("native", 39.0, wanted=40.0), row("native int8", 3.0))
    texts = (
        TextCheck(way="torch", tokens=500, different=31),
        TextCheck(way="native", tokens=500, different=31, differs_at=77, gap=1e-6),
        TextCheck(way="native int8", tokens=500, different=31, differs_at=8, gap=0.1, approximate=True),
    )
    size = SizeReport(name="S", settings=tiny_gpt(), parameters=1, rounds=3, core_share=0.4, texts=texts, rows=rows)
    machine = Machine(
        system="here", processor="one", cores=2, pinned_to_core=None, threads=1, load=None, versions={"python": "3"}
    )
    report = Report(machine=machine, rounds=3, seconds=61.0, finished=False, sizes=(size,), first_token=())
    lines = bench_generate.in_words(report).splitlines()
    assert [line.split()[-1] for line in lines if line.startswith(INSIDE)] == ["reached", "short", "naive"]
    assert any("≥ 40x" in line and "39x" in line for line in lines)
    assert any(line.startswith("not finished") for line in lines)
    printed = "\n".join(lines)
    assert "native: differs from naive's at token 77 of 500 (naive's top two are 1.0e-06 apart there)" in printed
    assert "at token 8 of 500 (rounded weights)" in printed
    assert "had 40% of its core" in printed


@pytest.mark.parametrize("name", bench_command.MOVED)
def test_what_is_not_installed_any_more_names_the_new_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for old in ([], ["shakespeare", "--characters", "9", "--json"], ["--help"]):
        assert run(["bench", name, *old]) == ExitCode.USAGE
        assert f"-m benchmarks.{name} --help" in capsys.readouterr().err
    assert (Path(__file__).parents[2] / "benchmarks" / f"{name}.py").is_file()
