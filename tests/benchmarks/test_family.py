"""The benchmark of the architectures: all equally large, each trained twice, and a table of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks import family
from benchmarks.command import execute
from benchmarks.measure.family import NETS, FamilyPlan, settings_of
from benchmarks.measure.family_report import FamilyReport
from tinygpt_tui.settings.architecture import name_of
from tinygpt_tui.settings.base import count_parameters


def test_all_nets_are_equally_large_and_learn_alike() -> None:
    found = settings_of(FamilyPlan(corpus="x"), 65)
    assert tuple(name_of(training.architecture) for training in found.values()) == NETS
    counts = {net: count_parameters(training.architecture) for net, training in found.items()}
    assert counts.pop("bigram") == 65**2
    assert all(abs(count / counts["gpt"] - 1) < 0.02 for count in counts.values())
    assert len({training.learning_rate for net, training in found.items() if net != "bigram"}) == 1
    assert not any(training.architecture.dropout for training in found.values())


def test_a_table_and_json_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.txt"
    text.write_text("one two buckle my shoe, three four knock at the door.\n" * 200, encoding="utf-8")
    command = ["--corpus", str(text), "--only", "lstm,bigram", "--seconds", "0.01"]
    assert execute(family, [*command, "--characters", "1000"]) == 0
    out = capsys.readouterr().out
    assert "LOSS IN 0.01 S" in out
    assert "LOSS AFTER 1,000" in out
    assert out.count("bigram") >= 2  # a net and a yardstick
    assert execute(family, [*command, "--characters", "1000", "--json"]) == 0
    report = msgspec.json.decode(capsys.readouterr().out, type=FamilyReport)
    assert report.finished
    assert [run.net for run in report.of_text] == [run.net for run in report.in_time] == ["lstm", "bigram"]
    assert all(500 < run.characters < 3000 and run.loss > 0 for run in report.of_text)


def test_a_net_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(family, ["--corpus", "tales", "--only", "mamba"]) == 2
    assert "mamba is none of gpt, rnn" in capsys.readouterr().err
