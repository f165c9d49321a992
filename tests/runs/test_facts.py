"""What the table of runs tells, how two runs differ, and the page about one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from makers import make_run

from tinygpt_tui.events.training import Evaluation, RunEnded, RunStarted, Sample, Step, TrainingEvent
from tinygpt_tui.runs import facts as facts_module
from tinygpt_tui.runs.differences import differences
from tinygpt_tui.runs.facts import FactsReader, RunFacts, reached
from tinygpt_tui.runs.folder import RunFolder, StartingModel
from tinygpt_tui.runs.journal import Journal
from tinygpt_tui.runs.manage import write_notes
from tinygpt_tui.runs.report import RunReport, suffix_of
from tinygpt_tui.runs.timeline import path_of
from tinygpt_tui.ui.runs.table import COLUMNS, columns_for, in_order, span, title_of
from tinygpt_tui.words import parameters


def write(run: RunFolder, *events: TrainingEvent) -> None:
    journal = Journal(run.events)
    journal.append(events)
    journal.close()


def a_training(run: RunFolder, steps: int = 12, loss: float = 1.5) -> None:
    write(run, RunStarted(1.0, 0, steps, 54_977, 900, 100, "cpu", 1), Evaluation(0, 4.0, 4.0, 0, 4.0, 0.1))
    write(run, *(Step(step, 2.0, 1e-3, 0.5, 100.0, step * 2.0) for step in range(1, steps + 1)))
    write(run, Evaluation(steps, loss, 2.0, steps, loss, 0.1), Sample(steps, "the cat `sat`\n"))
    write(run, RunEnded(2.0, steps, "finished", steps, loss, steps * 2.0 + 1))


def own(reader: FactsReader) -> list[RunFacts]:
    return [one for one in reader.read() if one.card.origin == "yours"]


def test_a_run_tells_what_it_has_reached_and_again_only_when_it_grew(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    reader = FactsReader()
    assert own(reader)[0].reached == facts_module.Reached()
    a_training(run)
    write_notes(run, "good")
    run.timeline.mkdir()
    path_of(run, 3).touch()
    (one,) = own(reader)
    assert one.reached == (54_977, 1.5, 12, 25.0, 0, 1.0, None)
    assert (one.notes, one.moments) == ("good", 1)
    monkeypatch.setattr(facts_module, "reached", lambda journal: pytest.fail("read again"))
    assert own(reader) == [one]


def test_a_long_journal_is_read_at_its_ends_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    a_training(run, steps=2000)
    whole = reached(run.events)
    monkeypatch.setattr(facts_module, "TAIL", 4000)
    monkeypatch.setattr(facts_module, "HEAD", 1000)
    monkeypatch.setattr(facts_module, "read_journal", lambda path: pytest.fail("all was read"))
    assert reached(run.events) == whole == (54_977, 1.5, 2000, 4001.0, 0, 1.0, None)


def test_an_evaluation_far_from_the_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    write(run, RunStarted(1.0, 0, 999, 5, 900, 100, "cpu", 1), Evaluation(0, 4.0, 4.0, 0, 4.0, 0.1))
    write(run, *(Step(step, 2.0, 1e-3, 0.5, 100.0, step * 2.0) for step in range(1, 400)))
    monkeypatch.setattr(facts_module, "TAIL", 1000)
    monkeypatch.setattr(facts_module, "HEAD", 100)
    assert reached(run.events) == (5, 4.0, 0, 798.0, 0, 1.0, None)


def test_two_runs_differ_in_what_differs() -> None:
    first, second = make_run("cat").read_settings(), make_run("dog", n_embd=32, learning_rate=2e-3).read_settings()
    found = {difference.name: (difference.first, difference.second) for difference in differences(first, second)}
    assert found == {"text": ("cat", "dog"), "n embd": ("16", "32"), "learning rate": ("0.01", "0.002")}
    assert differences(first, first) == []


def test_the_table_sorts_by_every_column() -> None:
    for number, name in enumerate(("bird", "ant", "cat")):
        run = make_run(name)
        a_training(run, steps=10 + number, loss=2.0 - number)
    facts = own(FactsReader())

    def order(by: str, turned: bool = False) -> str:
        return "".join(one.card.name[0] for one in in_order(facts, by, turned))

    assert (order("name"), order("name", turned=True)) == ("abc", "cba")
    assert (order("loss"), order("loss", turned=True)) == ("cab", "bac")
    assert order("time") == "bac"
    for name in COLUMNS:
        assert sorted(order(name)) == ["a", "b", "c"]
    assert in_order(facts, None, False) == facts
    assert title_of("loss", "loss", False, 4) == "best ▲"
    assert title_of("loss", None, False, 4) == "best 4"
    assert "started" not in columns_for(80)
    assert columns_for(120) == list(COLUMNS)


def test_numbers_are_brief() -> None:
    assert [parameters(count) for count in (4_192, 54_977, 805_120, 999_999, 10_788_929, 124_439_808, 1.5e9)] == [
        "4k", "55k", "805k", "1M", "10.8M", "124M", "1.5B",
    ]  # fmt: skip
    assert [span(seconds) for seconds in (50, 1560, 12_000)] == ["50 s", "26 min", "3.3 h"]


def test_the_card_of_a_run() -> None:
    run = make_run(learning_rate=2e-3)
    a_training(run)
    write_notes(run, "quick | dirty")
    report = RunReport(run)
    page = report.as_markdown()
    for words in ("# cat", "> quick | dirty", "1.5000 at step 12", "54,977", "the cat `sat`", "--learning-rate 0.002"):
        assert words in page
    assert report.command().startswith("tinygpt-tui train --corpus cat --name cat-again")
    picture = report.as_svg()
    assert picture.startswith("<svg")
    assert "54,977" in picture
    assert (suffix_of(Path("a.SVG")), suffix_of(Path("a"))) == (".svg", ".md")


def test_the_command_on_the_card_makes_the_same_settings_again() -> None:
    import argparse
    import shlex

    from tinygpt_tui.cli import train as command

    run = make_run(n_embd=48, learning_rate=2e-3)
    settings = run.read_settings()
    run.write_settings(msgspec.structs.replace(settings, preset="small"))
    words = shlex.split(RunReport(run).command())
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    parsed = parser.parse_args(words[2:])
    assert (parsed.preset, parsed.setting_learning_rate, parsed.setting_n_embd) == ("small", "0.002", "48")


def test_the_card_of_a_run_that_started_from_a_model() -> None:
    import argparse
    import shlex

    from tinygpt_tui.cli import train as command

    run = make_run(learning_rate=2e-3, dropout=0.3)
    a_training(run)
    start = StartingModel(name="old one", path="/models/old one", step=1200)
    run.write_settings(msgspec.structs.replace(run.read_settings(), start=start))
    report = RunReport(run)
    assert "| started from | old one, step 1,200 |" in report.as_markdown()
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    parsed = parser.parse_args(shlex.split(report.command())[2:])
    assert (parsed.origin, parsed.setting_learning_rate, parsed.setting_dropout) == ("old one", "0.002", "0.3")
    assert not hasattr(parsed, "setting_n_embd") or parsed.setting_n_embd is None  # the model decides
